-- Delta methods side by side. One learning rate for all methods is the known flaw of published tables: here each method is trained with
-- each rate, its best rate is the one with the highest mean score on dev, and the table has that one. Full fine-tuning and a frozen model
-- frame it. A second table, kept apart because no two runs measure the same, has the time and the memory of each.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:paraphrase", doc = "folder with a task.toml, or builtin:<name>" },
  methods = {
    default = { "lora", "adapter", "ia3", "bitfit", "layernorm", "prompt", "prefix" },
    doc = "delta plugins, by name (tsrun describe deltas lists them)",
  },
  rates = { default = { 1e-3, 3e-3, 1e-2 }, doc = "learning rates of the deltas; the head's is the model's default" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training; 0: the model's default" },
  rows = { default = 1000, min = 0, doc = "training rows that are used, the same for every variant; 0: all" },
}

local model, task = ts.model(arg.model), ts.task(arg.task)
local seeds = ts.seeds(arg.seeds)

local train = lib.trainer { model = model, task = task, rows = arg.rows, epochs = lib.given(arg.epochs, model.defaults.epochs) }

local settings = { vblora = { vector_length = 32 } } -- a length that small models can have; defaults of all others
local adapted = {}
for _, method in ipairs(arg.methods) do adapted[method] = ts.adapt(model, lib.with({ method = method }, settings[method])) end

local function tuned(seed, method, rate)
  return train(seed, {
    name = ("%s, lr %g"):format(method, rate),
    model = adapted[method],
    lr = rate,
    lr_head = model.defaults.lr_head,
  })
end

local rates, found = {}, {}
ts.sweep({ method = arg.methods }, function(at)
  local method = at.method
  rates[method], found[method] = lib.best_rate(arg.rates, seeds, function(rate, seed) return tuned(seed, method, rate) end)
end)
ts.sweep({ method = arg.methods, seed = seeds }, function(at) tuned(at.seed, at.method, rates[at.method]) end)

local report = ts.report("Delta methods, each at its best learning rate", { model = model, task = task })
local add, points = lib.scatter(report, seeds)
local function rows(section, name, run) add(section, name, name, run) end

rows("reference", "full", function(seed) return train(seed, { name = "full" }) end)
if not lib.writes(model) then
  rows("reference", "head only", function(seed) return train(seed, { name = "head only", train = { "head" } }) end)
end
for _, method in ipairs(arg.methods) do
  rows("best learning rate", ("%s, lr %g"):format(method, rates[method]), function(seed)
    return lib.searched(tuned(seed, method, rates[method]), found[method])
  end)
end
for _, method in ipairs(arg.methods) do
  for _, rate in ipairs(arg.rates) do
    for _, seed in ipairs(seeds) do
      local run = lib.unless_diverged(function() return tuned(seed, method, rate) end)
      if run then report:row(("%s, lr %g"):format(method, rate), run, "every learning rate") end
    end
  end
end
report:figure {
  name = "pareto", kind = "scatter", log_x = true, frontier = true, series = points,
  x_label = "trainable parameters", y_label = model.planned and "score" or task.metric,
  caption = "Score (mean and deviation over seeds) against trainable parameters. The dashed line joins what nothing beats with fewer.",
}
report:resources { "reference", "best learning rate" }
report:save()
