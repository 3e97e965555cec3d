-- with: --debug
-- expect-exit: 2
-- expect-error: shows_a_traceback.lua:7:
-- expect-error: stack traceback
-- expect-error: shows_a_traceback.lua:9: in
local function inner()
  require("ts").task { spce = 1 }
end
local function outer() inner() end
outer()
