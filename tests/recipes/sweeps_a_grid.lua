-- expect: 4/1 4/2 8/1 8/2
local ts = require "ts"
local points = ts.sweep({ dim = { 4, 8 }, seed = ts.seeds(2) }, function(at) return at.dim .. "/" .. at.seed end)
print(table.concat(points, " "))
