-- expect-exit: 2
-- expect-error: decode: an argument is not what ts returned: a handle of kind 'subspace' lacks 'method'
local ts = require "ts"

local basis = { artifact = "subspace", key = "none", dim = 4 }
ts.decode { basis = basis, model = { artifact = "model", key = "none" }, task = { artifact = "task", key = "none" }, z = { 1, 2 } }
