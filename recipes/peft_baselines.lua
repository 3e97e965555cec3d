-- Delta methods side by side. One learning rate for all methods is the known flaw of published tables: here each method is trained with
-- each rate, its best rate is the one with the best mean score on dev, and the table has that one. Full fine-tuning and a frozen model
-- frame it, each at the best of its own rates. A second table, kept apart because no two runs measure the same, has the time and the memory
-- of each.
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
  full_rates = { default = { 0.3, 1.0, 3.0 }, doc = "learning rates of full fine-tuning, as multiples of the model's default" },
  head_rates = { default = { 1.0, 3.0, 10.0 }, doc = "of the head where it is trained alone, as multiples of the model's default" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training; 0: the model's default" },
  rows = { default = 1000, min = 0, doc = "training rows that are used, the same for every variant; 0: all" },
  quick = { default = false, doc = "one seed, one epoch, few rows and no search of rates, to see it run" },
}
if arg.quick then
  arg.seeds, arg.epochs, arg.rows, arg.rates, arg.full_rates, arg.head_rates = 1, 1, 64, { arg.rates[1] }, { 1.0 }, { 1.0 }
end

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

-- What each row trains at a rate, the rates that it chooses from, and what they are of.
local lr, lr_head = model.defaults.lr, model.defaults.lr_head
local ways = {
  { name = "full", list = lib.multiples(arg.full_rates, lr), axis = "lr", run = function(seed, rate)
    return train(seed, { name = ("full, lr %g"):format(rate), lr = rate, lr_head = lr_head })
  end },
}
if not lib.writes(model) then
  ways[2] = { name = "head only", list = lib.multiples(arg.head_rates, lr_head), axis = "lr_head", run = function(seed, rate)
    return train(seed, { name = ("head only, lr %g"):format(rate), train = { "head" }, lr_head = rate })
  end }
end
local references = #ways
for _, method in ipairs(arg.methods) do
  ways[#ways + 1] = { name = method, list = arg.rates, axis = "lr", run = function(seed, rate) return tuned(seed, method, rate) end }
end
local rates, found = {}, {}
ts.sweep({ way = ways }, function(at)
  local way = at.way
  rates[way], found[way] = lib.best_rate(way.list, seeds, function(rate, seed) return way.run(seed, rate) end, way.axis)
end)
local function best(way)
  return function(seed) return lib.searched(way.run(seed, rates[way]), found[way]) end
end
ts.sweep({ way = ways, seed = seeds }, function(at) best(at.way)(at.seed) end)

local report = ts.report("Delta methods, each at its best learning rate", { model = model, task = task })
local add, points = lib.scatter(report, seeds)
for i, way in ipairs(ways) do
  local reference = i <= references
  local name = reference and way.name or ("%s, lr %g"):format(way.name, rates[way])
  add(reference and "reference" or "best learning rate", name, name, best(way))
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
