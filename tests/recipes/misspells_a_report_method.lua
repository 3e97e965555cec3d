-- expect-exit: 2
-- expect-error: misspells_a_report_method.lua:4: report: unknown method 'figur' (did you mean 'figure'?)
local ts = require "ts"
ts.report("Title"):figur {}
