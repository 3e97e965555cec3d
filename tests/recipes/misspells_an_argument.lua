-- with: --set dimm=3
-- expect-exit: 2
-- expect-error: misspells_an_argument.lua:6: the recipe has no argument 'dimm' (--set dimm=3) (did you mean 'dim'?)
local ts = require "ts"

local arg = ts.arguments { dim = { default = 16, min = 1 } }
