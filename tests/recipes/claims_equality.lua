-- expect-exit: 2
-- expect-error: claim 'Tuned is full': option 'by' is missing: expected a margin above 0
local ts = require "ts"
ts.report "Claims"
ts.claim { text = "Tuned is full", no_different = "tuned", than = "full" }
