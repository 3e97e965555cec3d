-- expect-exit: 2
-- expect-error: misspells_a_builtin_model.lua:5:
-- expect-error: did you mean 'bert-mini'?
local ts = require "ts"
ts.model "builtin:bert-mni"
