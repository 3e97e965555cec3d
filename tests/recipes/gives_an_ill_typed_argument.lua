-- with: --set dim=many
-- expect-exit: 2
-- expect-error: gives_an_ill_typed_argument.lua:6: arguments: option 'dim' is 'many', expected an integer
local ts = require "ts"

local arg = ts.arguments { dim = { default = 16, min = 1 } }
