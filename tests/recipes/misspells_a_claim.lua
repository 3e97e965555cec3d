-- expect-exit: 2
-- expect-error: claim 'Tuned beats full': unknown option 'bettr' (did you mean 'better'?)
local ts = require "ts"
ts.report "Claims"
ts.claim { text = "Tuned beats full", bettr = "tuned", than = "full" }
