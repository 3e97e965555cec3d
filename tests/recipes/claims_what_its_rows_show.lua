-- expect: supported: Tuned is as good as full (table 1). tuned 0.903, full 0.907: -0.003, 95 % interval -0.018 to +0.011 over 3 seeds; claimed: above -0.050.
-- expect: contradicted: Random beats tuned. random 0.703
-- expect: open: Tuned beats full. tuned 0.903
local ts = require "ts"
local function result(seed, score)
  return {
    best = { score = score }, last = { score = score }, seed = seed, model = { spec = "m" },
    task = { spec = "t", metric = "accuracy", splits = { dev = { majority_score = 0.5, rows = 1000 } } },
  }
end
local report = ts.report "Claims"
for name, scores in pairs { full = { 0.90, 0.91, 0.91 }, tuned = { 0.90, 0.90, 0.91 }, random = { 0.70, 0.71, 0.70 } } do
  for seed, score in ipairs(scores) do report:row(name, result(seed, score)) end
end
ts.claim { report = report, text = "Tuned is as good as full", source = "table 1", not_worse = "tuned", than = "full", by = 0.05 }
ts.claim { text = "Random beats tuned", better = "random", than = "tuned" }
ts.claim { text = "Tuned beats full", better = "tuned", than = "full" }
