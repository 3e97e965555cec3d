-- expect-exit: 3
-- expect-error: no/such/task
local ts = require "ts"
ts.task "no/such/task"
