-- expect-exit: 2
-- expect-error: misspells_a_field.lua:6: task: no field 'lables' (did you mean 'labels'?)
local ts = require "ts"

local task = ts.task "builtin:entailment"
ts.print(task.words, #task.lables)
