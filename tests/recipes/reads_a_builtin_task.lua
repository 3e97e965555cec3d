-- expect: entailment	accuracy
local ts = require "ts"
local task = ts.task "builtin:entailment"
print(task.name, task.metric)
