-- expect-exit: 2
-- expect-error: has_a_syntax_error.lua:5:
local ts = require "ts"

local model = = ts.model "builtin:bert-mini"
