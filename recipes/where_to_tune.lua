-- Which layers to train: semantic-aware layer freezing (SALF, Findings of ACL 2025) with every other way of choosing layers, and the
-- trivial ones without which no table is complete, on a classifier and on a language model. First all with the same number of updates;
-- then with as many updates as cost the same backward work; then LoRA in the chosen layers alone.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  models = { default = { "builtin:bert-mini", "builtin:gpt-mini" }, doc = "models: Hugging Face folders, hf:<repo id>, or builtin:<name>" },
  tasks = { default = { "builtin:paraphrase", "builtin:topic" }, doc = "a task for each model" },
  as = { default = { "itself", "text_to_text" }, doc = "form of each task; text_to_text: answered in words by the language model" },
  methods = { default = { "all" }, doc = "ways of choosing by their names in the table, beside training everything" },
  layers = { default = 0, min = 0, doc = "trained layers, where a method is told how many; 0: half of them" },
  rates = { default = { 0.5, 1.0 }, doc = "learning rates, as multiples of the model's default; the best on dev of each method counts" },
  lora_rate = { default = 10.0, min = 0, doc = "learning rate of LoRA, as a multiple of the model's default" },
  r = { default = 4, min = 1, doc = "rank of LoRA" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training; 0: the model's default" },
  rows = { default = 320, min = 0, doc = "training rows; 0: all" },
  batch = { default = 16, min = 1, doc = "rows of a step" },
  precision = { default = "float32", choices = { "float32", "bf16" }, doc = "of products with weights; bf16 pays on some processors" },
  quick = { default = false, doc = "the first model alone, one seed, one learning rate, few rows" },
}
if arg.quick then
  arg.models, arg.tasks, arg.as = { arg.models[1] }, { arg.tasks[1] }, { arg.as[1] }
  arg.seeds, arg.rates, arg.rows = 1, { 1.0 }, 160
end
local seeds = ts.seeds(arg.seeds)

-- The selectors of one model and task: name; of a choice made once its scope(seed, full), with `lora` where LoRA follows it too; of others
-- their options of ts.train.
local function selectors(model, task, words, k, steps)
  local n = model.layers
  local function once(method, options)
    return function(seed, full)
      local own = type(options) == "function" and options(seed, full) or options
      return ts.select(method, lib.with({ name = "scope of " .. method, model = model, task = task, seed = seed }, own))
    end
  end
  local function during(method, options) return { select = ts.schedule(method, options) } end
  local every = math.max(1, steps // 10)
  return {
    { name = "full" },
    { name = "SALF", lora = true, scope = once("salf", {}) },
    { name = "SALF logit lens", lora = true, scope = once("salf", { deviation = "lens_ce" }) },
    -- The rows of a new head are random numbers, so means of classes stand in for them; words have rows that were pre-trained.
    words and { name = "SALF head rows", lora = true, scope = once("salf", { basis = "head_row" }) }
      or { name = "SALF class means", lora = true, scope = once("salf", { basis = "class_means" }) },
    { name = ("last %d"):format(k), lora = true, scope = once("last_layers", { layers = k }) },
    { name = ("first %d"):format(k), lora = true, scope = once("last_layers", { layers = k, which = "first" }) },
    { name = ("random %d"):format(k), lora = true, scope = once("last_layers", { layers = k, which = "random" }) },
    { name = "Fisher layers", scope = once("fisher_layers", { layers = k }) },
    { name = "CKA layers", scope = once("cka_layers", { layers = k }) },
    { name = "ILA", scope = once("ila", function(seed, full) return { solution = full(seed), frozen_share = 1 - k / n } end) },
    { name = "Spectrum", scope = once("spectrum", { share = k / n, embeddings = false }) },
    { name = "signal to noise", options = during("signal_to_noise", {}) },
    { name = "relative gradient norm", options = during("gradient_norm", {}) },
    { name = "LISA", options = during("lisa", { layers = k, every = every, embeddings = false }) },
    { name = "OWS", options = during("lisa", { layers = k, every = every, embeddings = false, sampling = "outlier" }) },
    { name = "layer by layer", options = during("layer_by_layer", { layers = 1, every = every }) },
    { name = "FreezeOut", options = during("freeze_out", {}) },
    { name = "AutoFreeze", options = during("autofreeze", { intervals = 10 }) },
  }
end

local function named(methods)
  if arg.methods[1] == "all" then return methods end
  local by_name = {}
  for _, method in ipairs(methods) do by_name[method.name] = method end
  return lib.join({ methods[1] }, lib.map(arg.methods, function(name)
    local known = table.concat(lib.map(methods, function(method) return method.name end), "; ")
    return by_name[name] or error(("where_to_tune: methods: no method '%s'; expected some of: %s"):format(name, known), 0)
  end))
end

-- Layers, from 1, in which a scope trains something.
local function trained_layers(scope, n)
  local choice = scope.table
  if choice.trained_layers then return lib.map(choice.trained_layers, function(layer) return layer + 1 end) end
  local layers = {}
  for layer = (choice.frozen_layers or 0) + 1, n do layers[#layers + 1] = layer end
  return layers
end

local function study(number)
  local model, task = ts.model(arg.models[number]), ts.task { spec = arg.tasks[number], as = arg.as[number] }
  local n = model.layers
  local k, epochs = lib.given(arg.layers, math.max(1, n // 2)), lib.given(arg.epochs, model.defaults.epochs)
  local rows = arg.rows > 0 and math.min(arg.rows, task.splits.train.rows) or task.splits.train.rows
  local steps = epochs * ((rows + arg.batch - 1) // arg.batch)
  local words = arg.as[number] == "text_to_text" or task.kind == "language_modelling"
  local methods = named(selectors(model, task, words, k, steps))

  local limit = rows < task.splits.train.rows and rows or 0
  local shared = { task = task, rows = limit, max_steps = steps, batch_size = arg.batch, precision = arg.precision }
  local function run(method, seed, multiple, more)
    local function full(own) return run(methods[1], own, multiple, { keep = "last" }) end
    local scope = method.scope and method.scope(seed, full)
    local own = lib.with(shared, {
      name = ("%s, lr %g"):format(method.name, multiple * model.defaults.lr), model = model, seed = seed, scope = scope,
      lr = multiple * model.defaults.lr, keep = "last",
    })
    return ts.train(lib.with(lib.with(own, method.options), more))
  end
  ts.sweep({ method = methods, rate = arg.rates, seed = seeds }, function(at) run(at.method, at.seed, at.rate) end)
  local rate = {}
  for _, method in ipairs(methods) do
    rate[method.name] = lib.best_rate(arg.rates, seeds, function(multiple, seed) return run(method, seed, multiple) end)
  end
  local function best(method, seed, more) return run(method, seed, rate[method.name], more) end

  -- The backward work of the last k layers, by as many updates as that buys.
  local work = k / n
  local function matched(method, seed)
    local share = best(method, seed).backward_share
    local own = share and math.max(1, math.floor(steps * work / share + 0.5)) or steps
    return best(method, seed, { name = ("%s, %d updates"):format(method.name, own), max_steps = own })
  end
  ts.sweep({ method = methods, seed = seeds }, function(at) matched(at.method, at.seed) end)

  -- LoRA in the layers of a scope, whose base stays frozen, or everywhere.
  local function lora(name, seed, layers)
    local adapted = ts.adapt(model, { method = "lora", r = arg.r, layers_to_transform = layers, target_modules = { "all-linear" } })
    local lr = arg.lora_rate * model.defaults.lr
    local options = { name = "LoRA, " .. name, model = adapted, seed = seed, lr = lr, lr_head = model.defaults.lr, keep = "none" }
    return ts.train(lib.with(shared, options))
  end
  local function lora_within(method, seed)
    local layers = model.planned and { 1 } or trained_layers(method.scope(seed), n)
    return lora(method.name, seed, lib.map(layers, function(layer) return layer - 1 end))
  end

  local report = ts.report(("Which layers to train: %s on %s"):format(arg.models[number], task.name),
    { model = model, task = task, folder = ("%d_%s"):format(number, task.name:gsub("%W", "_")) })
  for _, method in ipairs(methods) do
    for _, seed in ipairs(seeds) do
      report:row(("%s, lr %g"):format(method.name, rate[method.name] * model.defaults.lr), best(method, seed), "the same number of updates")
    end
  end
  for _, method in ipairs(methods) do
    for _, seed in ipairs(seeds) do report:row(method.name .. ", matched", matched(method, seed), "the backward work of the last " .. k) end
  end
  for _, seed in ipairs(seeds) do report:row("LoRA everywhere", lora("everywhere", seed), "LoRA") end
  for _, method in ipairs(methods) do
    for _, seed in ipairs(method.lora and seeds or {}) do report:row("LoRA, " .. method.name, lora_within(method, seed), "LoRA") end
  end

  if not model.planned then
    local chosen = { rows = {}, values = {} }
    for _, method in ipairs(methods) do
      if method.scope then
        local share = lib.map(lib.numbers(n), function() return 0 end)
        for _, seed in ipairs(seeds) do
          local function full(own) return run(methods[1], own, rate[methods[1].name], { keep = "last" }) end
          for _, layer in ipairs(trained_layers(method.scope(seed, full), n)) do share[layer] = share[layer] + 1 / #seeds end
        end
        chosen.rows[#chosen.rows + 1], chosen.values[#chosen.values + 1] = method.name, share
      end
    end
    if #chosen.rows > 0 then
      report:heat_map("Share of the seeds in which a choice trains something of a layer", {
        rows = chosen.rows, columns = lib.numbers(n), values = chosen.values, digits = #seeds > 1 and 1 or 0, x_label = "layer",
      })
    end
    for _, method in ipairs(methods) do
      if method.name == "SALF" then
        report:layers("Deviation of every latent space and gain of every layer: SALF", { salf = method.scope(seeds[1]) })
      end
    end
  end
  report:cost("Score after the last update against the measured time of a step.", { "the same number of updates" })
  report:resources()
  report:save()
end
for number = 1, #arg.models do study(number) end
