-- expect-exit: 2
-- expect-error: claims_without_a_report.lua:4: claim: expected a report, as ts.report returns it, found none
local ts = require "ts"
ts.claim { text = "Tuned beats full", better = "tuned", than = "full" }
