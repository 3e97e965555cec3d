-- Delta methods side by side. One learning rate for all methods is the known flaw of published tables: here each method is trained with each
-- rate, its best rate is the one with the highest mean score on dev, and the table has that one. Full fine-tuning and a frozen model frame it.
-- A second table, kept apart because no two runs measure the same, has the time and the memory of each.
local ts = require "ts"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:paraphrase", doc = "folder with a task.toml, or builtin:<name>" },
  methods = { default = { "lora", "adapter", "ia3", "bitfit", "layernorm", "prompt", "prefix" }, doc = "delta plugins, by name" },
  rates = { default = { 1e-3, 3e-3, 1e-2 }, doc = "learning rates of the deltas; the head's is the model's default" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training; 0: the model's default" },
  rows = { default = 1000, min = 0, doc = "training rows that are used, the same for every variant; 0: all" },
}

local model, task = ts.model(arg.model), ts.task(arg.task)
local seeds = ts.seeds(arg.seeds)

local function train(seed, options)
  options.task, options.seed, options.rows, options.keep = task, seed, arg.rows, "none"
  options.model = options.model or model
  options.epochs = arg.epochs > 0 and arg.epochs or model.defaults.epochs
  return ts.train(options)
end

local adapted = {}
for _, method in ipairs(arg.methods) do adapted[method] = ts.adapt(model, { method = method }) end

local function tuned(seed, method, rate)
  return train(seed, { name = ("%s, lr %g"):format(method, rate), model = adapted[method], lr = rate, lr_head = model.defaults.lr_head })
end

ts.sweep({ method = arg.methods, rate = arg.rates, seed = seeds }, function(at) tuned(at.seed, at.method, at.rate) end)

local function mean(method, rate)
  local sum = 0
  for _, seed in ipairs(seeds) do sum = sum + tuned(seed, method, rate).last.score end
  return sum / #seeds
end

-- The earliest of the best rates.
local function best_rate(method)
  local best, score
  for _, rate in ipairs(arg.rates) do
    local own = mean(method, rate)
    if not score or own > score then best, score = rate, own end
  end
  return best
end

local report = ts.report("Delta methods, each at its best learning rate", { model = model, task = task })
local points = {}
local function add(name, section, run)
  local series = { name = name, x = {}, y = {} }
  for _, seed in ipairs(seeds) do
    local result = run(seed)
    report:row(name, result, section)
    series.x[#series.x + 1], series.y[#series.y + 1] = result.trainable, result.last.score
  end
  points[#points + 1] = series
end

add("full", "reference", function(seed) return train(seed, { name = "full" }) end)
if model.family ~= "t5" then  -- which writes its answers and has no head of its own
  add("head only", "reference", function(seed) return train(seed, { name = "head only", train = { "head" } }) end)
end
for _, method in ipairs(arg.methods) do
  local rate = best_rate(method)
  add(("%s, lr %g"):format(method, rate), "best learning rate", function(seed) return tuned(seed, method, rate) end)
end
for _, method in ipairs(arg.methods) do
  for _, rate in ipairs(arg.rates) do
    for _, seed in ipairs(seeds) do report:row(("%s, lr %g"):format(method, rate), tuned(seed, method, rate), "every learning rate") end
  end
end
report:figure { name = "pareto", kind = "scatter", log_x = true, frontier = true, x_label = "trained numbers", y_label = model.planned and "score" or task.metric,
  caption = "Mean score and its deviation over the seeds against trained numbers. The dashed line joins what nothing beats with fewer.", series = points }
report:resources { "reference", "best learning rate" }
report:save()
