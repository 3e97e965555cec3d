-- expect: lr 0.1, lr_head 1: 5 trainings, 50 steps
-- expect: lr_head 1 is the highest of its list
-- expect: perplexity: lr 0.1
local ts = require "ts"
-- A training as a recipe may make it up: best at lr = 0.1 and with the largest rate of the head.
local function run(rates, seed)
  local score = 1 - math.abs(rates.lr - 0.1) + (rates.lr_head or 0.5) / 10
  local key = ("%g %g %d"):format(rates.lr, rates.lr_head or 0.5, seed)
  return { key = key, last = { score = score }, best = { score = 0 }, steps = 10, metric = "accuracy" }
end
local found = ts.lr_search { { lr = { 0.01, 0.1, 1 } }, { lr_head = { 0.5, 0.8, 1 } }, seeds = { 1 }, run = run }
print(("%s: %d trainings, %d steps"):format(found.picked, found.trainings, found.steps))
print(table.concat(found.edges, "; "))
local least = ts.lr_search { lr = { 0.01, 0.1, 1 }, seeds = { 1, 2 }, run = function(rates, seed)
  local result = run(rates, seed)
  result.metric, result.last.score = "perplexity", 10 - result.last.score
  return result
end }
print("perplexity: " .. least.picked)
