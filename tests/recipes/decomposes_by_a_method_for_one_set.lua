-- expect-exit: 2
-- expect-error: decomposes_by_a_method_for_one_set.lua:5: decompose: 'trajectory_svd' is a subspace, expected a joint; known: joint_decomposition and shared_vector
local ts = require "ts"

ts.decompose("trajectory_svd", { members = {} })
