-- expect-exit: 2
-- expect-error: misspells_a_method.lua:5:
-- expect-error: did you mean 'trajectory_svd'?
local ts = require "ts"
ts.discover("trajectory_sdv", { dim = 2 })
