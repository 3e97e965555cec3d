-- expect-exit: 3
-- expect-error: no/such/model
local ts = require "ts"
ts.model "no/such/model"
