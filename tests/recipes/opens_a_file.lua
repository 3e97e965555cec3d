-- expect-exit: 2
-- expect-error: opens_a_file.lua:5: unknown global 'io' (not available in recipes
local ts = require "ts"

local file = io.open("x", "w")
