-- expect: caught: catches_an_error.lua:3: task: unknown option 'spce'
local ts = require "ts"
local ok, err = pcall(function() ts.task { spce = 1 } end)
print("caught: " .. err)
