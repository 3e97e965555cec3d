-- Which layers to train: semantic-aware layer freezing (SALF, Findings of ACL 2025) with every other way of choosing layers, and the
-- trivial ones without which no table is complete, on a classifier and on a language model. First all with the same number of updates;
-- then with as many updates as cost the same backward work; then what it saves to keep the output of a frozen prefix; then LoRA where a
-- choice trains something.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  models = { default = { "builtin:bert-mini", "builtin:gpt-mini" }, doc = "models: Hugging Face folders, hf:<repo id>, or builtin:<name>" },
  tasks = { default = { "builtin:paraphrase", "builtin:topic" }, doc = "a task for each model" },
  as = { default = { "itself", "text_to_text" }, doc = "form of each task; text_to_text: answered in words by the language model" },
  methods = { default = { "all" }, doc = "ways of choosing by their names in the table, beside training everything" },
  layers = { default = 0, min = 0, doc = "trained layers, where a method is told how many; 0: half of them" },
  rates = { default = { 0.5, 1.0 }, doc = "learning rates, as multiples of the model's default; the best on dev of each method counts" },
  lora_rates = { default = { 3.0, 10.0 }, doc = "the same of LoRA, of each choice of layers its own" },
  r = { default = 4, min = 1, doc = "rank of LoRA" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training; 0: the model's default" },
  rows = { default = 320, min = 0, doc = "training rows; 0: all" },
  batch = { default = 16, min = 1, doc = "rows of a step" },
  precision = { default = "float32", choices = { "float32", "bf16" }, doc = "of products with weights; bf16 pays on some processors" },
  cache = { default = true, doc = "rows with the output of a frozen prefix kept, which masked and recurrent language models have not" },
  quick = { default = false, doc = "the first model alone, one seed, one learning rate, few rows" },
}
if arg.quick then
  arg.models, arg.tasks, arg.as = { arg.models[1] }, { arg.tasks[1] }, { arg.as[1] }
  arg.seeds, arg.rates, arg.lora_rates, arg.rows = 1, { 1.0 }, { arg.lora_rates[#arg.lora_rates] }, 160
end
local seeds = ts.seeds(arg.seeds)

-- The trained share of a layer, from 1, as a selector tells of it: the whole layer or nothing; of its numbers or matrices; of the steps.
local function of_layers(told, layer)
  for _, trained in ipairs(told.trained_layers) do
    if trained + 1 == layer then return 1 end
  end
  return 0
end
local function as_told(told, layer) return told.trained_share[layer] end
local function of_periods(count)
  return function(told, layer) return told.periods_of_layer[layer] / count end
end
local function of_ends(told, layer) return told.ends[layer] end
-- Layers below the last decision are frozen; the end of the first interval only measures, so the first decision comes with the second.
local function of_decisions(interval_share)
  return function(told, layer)
    for number, frozen in ipairs(told.decisions) do
      if frozen >= layer then return (number + 1) * interval_share end
    end
    return 1
  end
end

-- Where LoRA goes, which a choice of layers, or of matrices, allows.
local function in_layers(told) return { layers_to_transform = told.trained_layers } end
local function in_matrices(told)
  return { target_modules = lib.map(told.trained, function(name) return (name:gsub("%.weight$", "")) end) }
end

-- The selectors of one model and task: name; scope(seed, full) of a choice made once, with LoRA's options there, or else options of
-- ts.train; the share that it trains of a layer, where it tells; whether it always freezes a prefix. Choices look at the `limit` rows of
-- the trainings alone (0: all).
local function selectors(model, task, words, k, steps, limit)
  local n = model.layers
  local function once(name, method, options, more)
    local function scope(seed, full)
      local own = type(options) == "function" and options(seed, full) or options
      local common = { name = "scope of " .. method, model = model, task = task, seed = seed, training_rows = { rows = limit } }
      return ts.select(method, lib.with(common, own))
    end
    return lib.with({ name = name, scope = scope, lora = in_layers, share = of_layers }, more)
  end
  local function during(name, method, options, share, more)
    return { name = name, options = lib.with({ select = ts.schedule(method, options) }, more), share = share }
  end
  local prefix, every, intervals = { prefix = true }, math.max(1, steps // 10), 10
  local share_of_periods = of_periods((steps + every - 1) // every)
  return {
    { name = "full" },
    once("SALF", "salf", {}, prefix),
    once("SALF logit lens", "salf", { deviation = "lens_ce" }, prefix),
    -- The rows of a new head are random numbers, so means of classes stand in for them; words have rows that were pre-trained.
    words and once("SALF head rows", "salf", { basis = "head_row" }, prefix)
      or once("SALF class means", "salf", { basis = "class_means" }, prefix),
    once(("last %d"):format(k), "last_layers", { layers = k }, { prefix = k < n }),
    once(("first %d"):format(k), "last_layers", { layers = k, which = "first" }),
    once(("random %d"):format(k), "last_layers", { layers = k, which = "random" }),
    once("Fisher layers", "fisher_layers", { layers = k }),
    once("CKA layers", "cka_layers", { layers = k }),
    once("ILA", "ila", function(seed, full) return { solution = full(seed), frozen_share = 1 - k / n } end),
    once("Spectrum", "spectrum", { share = k / n, embeddings = false }, { lora = in_matrices, share = as_told }),
    during("signal to noise", "signal_to_noise", {}, as_told),
    during("relative gradient norm", "gradient_norm", {}, as_told),
    during("LISA", "lisa", { layers = k, every = every, embeddings = false }, share_of_periods),
    during("OWS", "lisa", { layers = k, every = every, embeddings = false, sampling = "outlier" }, share_of_periods),
    during("layer by layer", "layer_by_layer", { layers = 1, every = every }, share_of_periods),
    -- Its rates are cosines of their own, which the linear decay of all others would multiply.
    during("FreezeOut", "freeze_out", {}, of_ends, { lr_scheduler_type = "constant" }),
    during("AutoFreeze", "autofreeze", { intervals = intervals }, of_decisions(math.max(1, steps // intervals) / steps)),
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

local function filter(list, test)
  local out = {}
  for _, value in ipairs(list) do
    if test(value) then out[#out + 1] = value end
  end
  return out
end

local function study(number)
  local model, task = ts.model(arg.models[number]), ts.task { spec = arg.tasks[number], as = arg.as[number] }
  local n = model.layers
  local k, epochs = lib.given(arg.layers, math.max(1, n // 2)), lib.given(arg.epochs, model.defaults.epochs)
  local rows = arg.rows > 0 and math.min(arg.rows, task.splits.train.rows) or task.splits.train.rows
  local steps = epochs * ((rows + arg.batch - 1) // arg.batch)
  local words = arg.as[number] == "text_to_text" or task.kind == "language_modelling"
  local limit = rows < task.splits.train.rows and rows or 0
  local methods = named(selectors(model, task, words, k, steps, limit))

  local shared = { task = task, rows = limit, max_steps = steps, batch_size = arg.batch, precision = arg.precision }
  local run
  local function scope_of(method, seed, lr)
    return method.scope and method.scope(seed, function(own) return run(methods[1], own, lr) end)
  end
  function run(method, seed, lr, more)
    local own = lib.with(shared, {
      name = ("%s, lr %g"):format(method.name, lr), model = model, seed = seed, scope = scope_of(method, seed, lr), lr = lr, keep = "last",
    })
    return ts.train(lib.with(lib.with(own, method.options), more))
  end
  local rates, rate, found = lib.multiples(arg.rates, model.defaults.lr), {}, {}
  ts.sweep({ method = methods }, function(at)
    local method = at.method
    rate[method.name], found[method.name] = lib.best_rate(rates, seeds, function(lr, seed) return run(method, seed, lr) end)
  end)
  ts.sweep({ method = methods, seed = seeds }, function(at) run(at.method, at.seed, rate[at.method.name]) end)
  local function best(method, seed, more) return lib.searched(run(method, seed, rate[method.name], more), found[method.name]) end

  -- The backward work of the last k layers, by as many updates as that buys.
  local work = k / n
  local function matched(method, seed)
    local share = best(method, seed).backward_share
    local own = share and math.max(1, math.floor(steps * work / share + 0.5)) or steps
    return best(method, seed, { name = ("%s, %d updates"):format(method.name, own), max_steps = own })
  end
  ts.sweep({ method = methods, seed = seeds }, function(at) matched(at.method, at.seed) end)

  -- A frozen prefix computed in every step, or once per row and kept. What is kept has no dropout; without any, both are one training.
  local prefixes = filter(methods, function(method) return arg.cache and method.prefix end)
  local ways = { { name = ", computed anew", cache = false }, { name = ", kept", cache = true } }
  local function prefixed(method, seed, way)
    return best(method, seed, { name = method.name .. way.name, dropout = false, cache_prefix = way.cache })
  end
  if #prefixes > 0 then
    ts.sweep({ method = prefixes, seed = seeds, way = ways }, function(at) prefixed(at.method, at.seed, at.way) end)
  end

  -- What a choice says of itself: the table of a scope, or what a selector reports of the training; nothing while it is planned.
  local function told(method, seed)
    local choice = scope_of(method, seed, rate[method.name]) or best(method, seed)
    if choice.planned then return nil end
    return method.scope and choice.table or choice.plugins[1]
  end

  -- LoRA where a choice made before the training trains something, on a frozen base, and everywhere. Not in layers of an encoder-decoder:
  -- a choice counts a decoder's behind the encoder's, and LoRA's layers_to_transform counts both stacks from 0.
  local function lora_name(method) return "LoRA, " .. (method.scope and method.name or "everywhere") end
  local function lora_at(method, seed, lr)
    local where = method.scope and told(method, seed)
    local own = lib.with({ method = "lora", r = arg.r, target_modules = { "all-linear" } }, where and method.lora(where))
    return ts.train(lib.with(shared, {
      name = ("%s, lr %g"):format(lora_name(method), lr), model = ts.adapt(model, own), seed = seed, keep = "none",
      lr = lr, lr_head = model.defaults.lr,
    }))
  end
  local adapted = filter(methods, function(method) return method == methods[1] or method.scope and not lib.writes(model) end)
  local lora_rates, lora_rate, lora_found = lib.multiples(arg.lora_rates, model.defaults.lr), {}, {}
  ts.sweep({ method = adapted }, function(at)
    local method = at.method
    lora_rate[method], lora_found[method] = lib.best_rate(lora_rates, seeds, function(lr, seed) return lora_at(method, seed, lr) end)
  end)
  local function lora(method, seed) return lib.searched(lora_at(method, seed, lora_rate[method]), lora_found[method]) end
  ts.sweep({ method = adapted, seed = seeds }, function(at) lora(at.method, at.seed) end)

  local report = ts.report(("Which layers to train: %s on %s"):format(arg.models[number], task.name),
    { model = model, task = task, folder = ("%d_%s"):format(number, task.name:gsub("%W", "_")) })
  for _, method in ipairs(methods) do
    for _, seed in ipairs(seeds) do
      report:row(("%s, lr %g"):format(method.name, rate[method.name]), best(method, seed), "the same number of updates")
    end
  end
  for _, method in ipairs(methods) do
    for _, seed in ipairs(seeds) do report:row(method.name .. ", matched", matched(method, seed), "the backward work of the last " .. k) end
  end
  for _, method in ipairs(prefixes) do
    for _, way in ipairs(ways) do
      for _, seed in ipairs(seeds) do
        report:row(method.name .. way.name, prefixed(method, seed, way), "a frozen prefix without dropout")
      end
    end
  end
  for _, method in ipairs(adapted) do
    for _, seed in ipairs(seeds) do report:row(lora_name(method), lora(method, seed), "LoRA") end
  end

  local function is_told(method) return #filter(seeds, function(seed) return told(method, seed) end) == #seeds end
  local drawn = filter(methods, function(method) return method ~= methods[1] and is_told(method) end)
  local function trained_shares(method)
    return lib.map(lib.numbers(n), function(layer)
      return lib.mean(lib.map(seeds, function(seed) return method.share(told(method, seed), layer) end))
    end)
  end
  if #drawn > 0 then
    report:heat_map("Trained share of every layer", {
      rows = lib.map(drawn, function(method) return method.name end), columns = lib.numbers(n), digits = 2,
      values = lib.map(drawn, trained_shares),
      x_label = "layer",
    })
    report:note("Trained share of every layer: of its matrices (Spectrum), of its numbers by their rates (signal to noise, gradient norm), "
      .. "of the steps (where layers take turns or freeze on the way), or all of it and nothing. Means over the seeds.")
  end
  for _, method in ipairs(methods) do
    if method.name == "SALF" then
      local scope = scope_of(method, seeds[1], rate[method.name])
      if not scope.planned then report:layers("Deviation of every latent space and gain of every layer: SALF", { salf = scope }) end
    end
  end
  report:note("\"Matched\" rows have the backward work of their own steps, with what selectors probe on the way; what a choice before the "
    .. "training looked at, a whole training for ILA, is not in it: steps before count it.")
  report:cost("Score after the last update against the measured time of a step.", { "the same number of updates" })
  report:resources()
  report:save()
end
for number = 1, #arg.models do study(number) end
