-- expect-exit: 2
-- expect-error: decomposes_by_a_method_for_one_set.lua:5: decompose: 'trajectory_svd' makes a space for one parameter set
local ts = require "ts"

ts.decompose("trajectory_svd", { members = {} })
