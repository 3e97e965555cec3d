-- expect-exit: 2
-- expect-error: claim 'Tuned beats full': the report has no row 'tund' (did you mean 'tuned'?)
local ts = require "ts"
local task = { spec = "t", metric = "accuracy", splits = { dev = { majority_score = 0.5 } } }
local report = ts.report "Claims"
for _, name in ipairs { "full", "tuned" } do
  report:row(name, { best = { score = 0.5 }, last = { score = 0.5 }, seed = 1, model = { spec = "m" }, task = task })
end
ts.claim { text = "Tuned beats full", better = "tund", than = "full" }
