-- expect-exit: 2
-- expect-error: misspells_an_option.lua:5: task: unknown option 'spce' (did you mean 'spec'?)
local ts = require "ts"

local task = ts.task { spce = "builtin:entailment" }
