-- Every way of tuning side by side on one task: full tuning, delta methods, and subspaces of few numbers, each in its own space; and those
-- that a shared space was learnt for also in that one space, by one vector of `dim` numbers. One table, one figure.
local ts = require "ts"

local arg = ts.arguments {
  model = { default = "builtin:t5-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:topic", doc = "folder with a task.toml, or builtin:<name>" },
  train = { default = { "builtin:sentiment", "builtin:topic" }, doc = "tasks that the shared space is learnt on" },
  methods = { default = { "lora", "adapter", "prefix", "ia3", "compacter", "prompt", "layernorm" }, doc = "delta plugins, by name (bitfit where the model has biases)" },
  shared = { default = { "adapter", "lora", "prefix", "ia3", "compacter", "prompt", "layernorm", "full" }, doc = "those of them, and full, that meet in the shared space" },
  rates = { default = { 1e-3, 1e-2 }, doc = "learning rates of delta methods and full tuning; the best on dev of each counts" },
  dim = { default = 8, min = 1, doc = "numbers of the shared space, and of a layer in the other subspaces" },
  epochs = { default = 0, min = 0, doc = "of every training; 0: the model's default" },
  steps = { default = 600, min = 1, doc = "of learning the shared space" },
  tuning_steps = { default = 200, min = 1, doc = "of training one vector in it" },
  seeds = { default = 3, min = 1, doc = "number of seeds" },
  rows = { default = 1000, min = 0, doc = "training rows of each task; 0: all" },
  answer_length = { default = 8, min = 1, doc = "tokens of an answer at most, where the model writes answers" },
}

local model, task, sources = ts.model(arg.model), ts.task(arg.task), {}
for i, name in ipairs(arg.train) do sources[i] = ts.task(name) end
local seeds, start, writes = ts.seeds(arg.seeds), 42, model.family == "t5"
local epochs = arg.epochs > 0 and arg.epochs or model.defaults.epochs
local special = { adapter = { biases = false, activation = "silu", init = "normal" }, compacter = { reduction_factor = 8 } }

local adapted = { full = ts.adapt(model, { method = "full" }) }
for _, name in ipairs(arg.methods) do
  local options = { method = name, seed = start }
  for key, value in pairs(special[name] or {}) do options[key] = value end
  adapted[name] = ts.adapt(model, options)
end
for _, name in ipairs(arg.shared) do
  if not adapted[name] then error(("compare_det: '%s' is in shared but not in methods"):format(name), 0) end
end

local function train(seed, options)
  options.task, options.seed, options.rows = options.task or task, seed, arg.rows
  options.epochs, options.keep, options.max_answer_length = options.epochs or epochs, options.keep or "none", arg.answer_length
  return ts.train(options)
end

-- Each method at its best rate.
local function head_of(on)
  if writes then return nil end
  local probe = ts.train { name = "head for " .. on.name, model = model, task = on, seed = start, train = { "head" }, epochs = epochs, rows = arg.rows, keep = "last" }
  return { solution = probe, parts = { "head" } }
end
local function own(name, seed, rate, on, keep)
  if name == "full" then return train(seed, { name = ("full, lr %g"):format(rate / 10), model = model, lr = rate / 10, lr_head = model.defaults.lr_head }) end
  return train(seed, { name = ("%s, lr %g"):format(name, rate), model = adapted[name], task = on, lr = rate, lr_head = model.defaults.lr_head, keep = keep })
end
local function best_rate(name)
  local best, score
  for _, rate in ipairs(arg.rates) do
    local sum = 0
    for _, seed in ipairs(seeds) do sum = sum + own(name, seed, rate).last.score end
    if not score or sum > score then best, score = rate, sum end
  end
  return best
end

-- The shared space: solutions on its training tasks, under held heads.
local function solution(name, on, rate)
  return ts.train { name = ("%s on %s, lr %g"):format(name, on.name, rate), model = adapted[name], task = on, seed = start, train = { "delta" }, origin = head_of(on), lr = name == "full" and rate / 10 or rate, epochs = epochs, rows = arg.rows,
    max_answer_length = arg.answer_length }
end
local function solve(name, on)
  local best
  for _, rate in ipairs(arg.rates) do
    local run = solution(name, on, rate)
    if not best or run.best.score > best.best.score then best = run end
  end
  return best
end
local function space(seed)
  local members = {}
  for i, name in ipairs(arg.shared) do
    members[i] = { name = name, solutions = {} }
    for j, on in ipairs(sources) do members[i].solutions[j] = solve(name, on) end
  end
  return ts.decompose("joint_decomposition", { name = "shared space", members = members, dim = arg.dim, seed = seed, steps = arg.steps, lr = 1e-2, mixing = "dirichlet", batch_size = 8,
    eval_every = math.max(1, arg.steps // 4), eval_rows = 200, max_answer_length = arg.answer_length })
end
local function in_space(name, seed)
  return ts.train { name = name .. " in the shared space", model = adapted[name], task = task, seed = seed, train = {}, origin = head_of(task), rows = arg.rows, optim = "adafactor", lr_scheduler_type = "constant",
    tune = ts.within(space(seed).members[name], { lr = 5e-2, init = 0.02, embeddings = false, pooler = false, head = false }), batch_size = 8,
    max_steps = arg.tuning_steps, eval_every = math.max(1, arg.tuning_steps // 10), max_answer_length = arg.answer_length }
end

-- Subspaces of the model's own layers.
local function trajectory(seed)
  return train(seed, { name = "trajectory", model = model, epochs = math.max(epochs, arg.dim), record = ts.every "epoch" })
end
local function within(seed, name, basis)
  return train(seed, { name = name, model = model, tune = ts.within(basis, { embeddings = false }) })
end
local subspaces = {
  { name = ("trajectory, d = %d a layer"):format(arg.dim), run = function(seed, name)
    return within(seed, name, ts.discover("trajectory_svd", { name = "basis of " .. name, trajectory = trajectory(seed).trajectory, dim = arg.dim, variant = "delta" }))
  end },
  { name = ("random, d = %d a layer"):format(arg.dim), run = function(seed, name)
    return within(seed, name, ts.discover("random_projection", { name = "basis of " .. name, model = model, dim = arg.dim, seed = seed }))
  end },
}

local names = { "full" }
for _, name in ipairs(arg.methods) do names[#names + 1] = name end
ts.sweep({ name = names, rate = arg.rates, seed = seeds }, function(at) own(at.name, at.seed, at.rate) end)
ts.sweep({ name = arg.shared, on = sources, rate = arg.rates }, function(at) solution(at.name, at.on, at.rate) end)
ts.sweep({ seed = seeds, subspace = subspaces }, function(at) at.subspace.run(at.seed, at.subspace.name) end)
ts.sweep({ seed = seeds, name = arg.shared }, function(at) in_space(at.name, at.seed) end)

local report = ts.report("Ways of tuning, in their own spaces and in one", { model = model, task = task })
local sections, summary = {}, {}
local function add(section, name, label, run)
  local series = { name = label, x = {}, y = {} }
  for i, seed in ipairs(seeds) do
    local result = run(seed)
    report:row(name, result, section)
    series.x[i], series.y[i] = math.max(1, result.trainable), result.last.score
  end
  sections[#sections + 1] = series
end

for _, name in ipairs(names) do
  local rate = best_rate(name)
  add("own space", ("%s, lr %g"):format(name, name == "full" and rate / 10 or rate), name, function(seed) return own(name, seed, rate) end)
end
for _, one in ipairs(subspaces) do add("subspace of the layers", one.name, one.name:match("^%a+"), function(seed) return one.run(seed, one.name) end) end
for _, name in ipairs(arg.shared) do
  add("one shared space", ("%s, d = %d"):format(name, arg.dim), name .. "*", function(seed) return in_space(name, seed) end)
end

local function mean_of(run)
  local list = {}
  for i, seed in ipairs(seeds) do list[i] = run(seed) end
  return list
end
for _, name in ipairs(arg.shared) do
  local row = { name, mean_of(function(seed) return 100 * own(name, seed, best_rate(name)).last.score end) }
  row[3] = mean_of(function(seed) return 100 * in_space(name, seed).best.score end)
  for _, target in ipairs(arg.shared) do
    row[#row + 1] = mean_of(function(seed)
      return 100 * ts.decode { name = name .. " > " .. target, basis = space(seed).members[target], model = adapted[target], task = task, z = in_space(name, seed), which = "best", origin = head_of(task),
        max_answer_length = arg.answer_length }.last.score
    end)
  end
  summary[#summary + 1] = row
end
local source_names = {}
for i, on in ipairs(sources) do source_names[i] = on.name end
local columns = { "source", "own space", "one vector" }
for _, target in ipairs(arg.shared) do columns[#columns + 1] = "> " .. target end
report:table("One vector, decoded by every method", { columns = columns, rows = summary,
  note = ("Hundred times the metric on dev; the space of %d numbers was learnt on %s, the vector trained on %s with the source's decoder."):format(
    arg.dim, table.concat(source_names, " and "), task.name) })
report:figure { name = "numbers", kind = "scatter", log_x = true, frontier = true,
  caption = "Score against trained numbers; up and left is better. The dashed line joins what nothing beats with fewer. *: in the one shared space.", x_label = "trained numbers", y_label = model.planned and "score" or task.metric, series = sections }
report:save()
