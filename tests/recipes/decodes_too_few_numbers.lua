-- expect-exit: 2
-- expect-error: decode: z: 2 numbers, but the basis has 4 dimensions
local ts = require "ts"

local basis = { artifact = "subspace", key = "none", dim = 4 }
ts.decode { basis = basis, model = { artifact = "model", key = "none" }, task = { artifact = "task", key = "none" }, z = { 1, 2 } }
