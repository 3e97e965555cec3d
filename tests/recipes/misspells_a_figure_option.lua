-- expect-exit: 2
-- expect-error: did you mean 'caption'?
local ts = require "ts"
ts.report("Title"):figure { name = "a", kind = "lines", captoin = "b" }
