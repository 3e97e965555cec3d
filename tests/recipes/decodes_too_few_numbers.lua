-- expect-exit: 2
-- expect-error: decode: z: 2 numbers, but the basis has 4 dimensions
local ts = require "ts"

local model = { artifact = "model", key = "none", spec = "none", path = "none", defaults = { lr = 0.1, lr_head = 0.1, epochs = 1 } }
local task = { artifact = "task", key = "none", name = "none", spec = "none", as = "itself", metric = "accuracy", splits = { dev = { rows = 8 } } }
local basis = { artifact = "subspace", key = "none", method = "none", dim = 4, model = model }
ts.decode { basis = basis, model = model, task = task, z = { 1, 2 } }
