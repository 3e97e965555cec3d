-- expect-exit: 2
-- expect-error: searches_on_the_test_split.lua:4: lr_search: split is 'test', which must pick nothing
local ts = require "ts"
ts.lr_search { lr = { 0.1 }, split = "test", seeds = { 1 }, run = print }
