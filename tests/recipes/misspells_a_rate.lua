-- expect-exit: 2
-- expect-error: misspells_a_rate.lua:4: lr_search: unknown option 'lr_haed' (did you mean 'lr_head'?)
local ts = require "ts"
ts.lr_search { lr_haed = { 0.1 }, seeds = { 1 }, run = print }
