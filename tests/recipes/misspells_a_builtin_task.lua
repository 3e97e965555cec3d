-- expect-exit: 2
-- expect-error: misspells_a_builtin_task.lua:5:
-- expect-error: did you mean 'entailment'?
local ts = require "ts"
ts.task "builtin:entailmnt"
