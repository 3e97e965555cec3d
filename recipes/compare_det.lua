-- Every way of tuning side by side on one task: full tuning, delta methods, subspaces of few dimensions, each in its own space; and
-- methods with a shared space also in that one space, by one vector of `dim` dimensions. Every row is at the best of its rates on dev. One
-- table, one figure.
local ts = require "ts"
local lib = require "lib"
local release = require "release"

local arg = ts.arguments {
  model = { default = "builtin:t5-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:topic", doc = "folder with a task.toml, or builtin:<name>" },
  train = { default = { "builtin:sentiment", "builtin:topic" }, doc = "tasks that the shared space is learnt on" },
  methods = {
    default = { "lora", "adapter", "prefix", "ia3", "compacter", "prompt", "layernorm" },
    doc = "delta plugins, by name (bitfit where the model has biases)",
  },
  shared = {
    default = { "adapter", "lora", "prefix", "ia3", "compacter", "prompt", "layernorm", "full" },
    doc = "those of them, and full, that meet in the shared space",
  },
  rates = { default = { 1e-3, 1e-2 }, doc = "learning rates of delta methods and full tuning; the best on dev of each counts" },
  reaches = { default = { 1.0, 10.0 }, doc = "the same of the layers' subspaces: multiples of the way to full tuning's update" },
  vector_rates = { default = { 1e-2, 5e-2 }, doc = "the same of a vector in the shared space" },
  dim = { default = 8, min = 1, doc = "dimensions of the shared space, and of a layer in the other subspaces" },
  epochs = { default = 0, min = 0, doc = "of every training; 0: the model's default" },
  steps = { default = 600, min = 1, doc = "of learning the shared space" },
  tuning_steps = { default = 200, min = 1, doc = "of training one vector in it" },
  seeds = { default = 3, min = 1, doc = "number of seeds" },
  rows = { default = 1000, min = 0, doc = "training rows of each task; 0: all" },
  answer_length = { default = 8, min = 1, doc = "tokens of an answer at most, where the model writes answers" },
  quick = { default = false, doc = "one seed, few rows and steps and no search of rates, to see it run" },
}
if arg.quick then
  arg.seeds, arg.epochs, arg.rows, arg.steps, arg.tuning_steps, arg.dim = 1, 1, 64, 40, 20, math.min(arg.dim, 4)
  arg.rates, arg.reaches, arg.vector_rates = { arg.rates[1] }, { 1.0 }, { arg.vector_rates[#arg.vector_rates] }
end

local model, task, sources = ts.model(arg.model), ts.task(arg.task), lib.map(arg.train, ts.task)
local seeds, start = ts.seeds(arg.seeds), 42
local epochs = lib.given(arg.epochs, model.defaults.epochs)
local special = { adapter = { biases = false, activation = "silu", init = "normal" }, compacter = { reduction_factor = 8 } }

local adapted = { full = ts.adapt(model, { method = "full" }) }
for _, name in ipairs(arg.methods) do
  adapted[name] = ts.adapt(model, lib.with({ method = name, seed = start }, special[name]))
end
for _, name in ipairs(arg.shared) do
  if not adapted[name] then error(("compare_det: '%s' is in shared but not in methods"):format(name), 0) end
end

local head_of = lib.heads { model = model, seed = start, epochs = epochs, rows = arg.rows }
local train = lib.trainer { model = model, task = task, rows = arg.rows, epochs = epochs, max_answer_length = arg.answer_length }

-- Each method at its best rate; those of full tuning are a tenth.
local function rates_for(name) return name == "full" and lib.multiples(arg.rates, 0.1) or arg.rates end
local function own(name, seed, rate)
  local of = name == "full" and model or adapted[name]
  return train(seed, { name = ("%s, lr %g"):format(name, rate), model = of, lr = rate, lr_head = model.defaults.lr_head })
end

-- Everything is computed in sweeps, so that several processes share it; the tables below read what is there. rates and found: of a name,
-- what its search picked.
local names, rates, found = lib.join({ "full" }, arg.methods), {}, {}
ts.sweep({ name = names }, function(at)
  local name = at.name
  rates[name], found[name] = lib.best_rate(rates_for(name), seeds, function(rate, seed) return own(name, seed, rate) end)
end)
local function own_best(name, seed) return lib.searched(own(name, seed, rates[name]), found[name]) end
ts.sweep({ name = names, seed = seeds }, function(at) own_best(at.name, at.seed) end)

-- The shared space: solutions on its training tasks, under held heads.
local function solution(name, on, rate)
  return ts.train {
    name = ("%s on %s, lr %g"):format(name, on.name, rate),
    model = adapted[name], task = on, seed = start, train = { "delta" }, origin = head_of(on),
    lr = rate, epochs = epochs, rows = arg.rows, max_answer_length = arg.answer_length,
  }
end
local function solve(name, on)
  return lib.best_of(rates_for(name), start, function(rate) return solution(name, on, rate) end)
end
local function space(seed)
  local members = lib.map(arg.shared, function(name)
    return { name = name, solutions = lib.map(sources, function(on) return solve(name, on) end) }
  end)
  return ts.decompose("joint_decomposition", {
    name = "shared space", members = members, dim = arg.dim, seed = seed,
    steps = arg.steps, lr = 1e-2, mixing = "dirichlet", batch_size = 8,
    eval_every = math.max(1, arg.steps // 4), eval_rows = 200, max_answer_length = arg.answer_length,
  })
end
local function in_space_at(name, seed, rate)
  return ts.train(lib.with(release.one_vector(space(seed).members[name], rate, arg.tuning_steps, 10), {
    name = ("%s in the shared space, lr %g"):format(name, rate),
    model = adapted[name], task = task, seed = seed, origin = head_of(task), rows = arg.rows, max_answer_length = arg.answer_length,
  }))
end
ts.sweep({ name = arg.shared, on = sources }, function(at) solve(at.name, at.on) end)
local vector_rates, vector_found = {}, {}
ts.sweep({ name = arg.shared }, function(at)
  local name = at.name
  local function run(rate, seed) return in_space_at(name, seed, rate) end
  vector_rates[name], vector_found[name] = lib.best_rate(arg.vector_rates, seeds, run, "lr_coordinates")
end)
local function in_space(name, seed)
  return lib.searched(in_space_at(name, seed, vector_rates[name]), vector_found[name])
end
ts.sweep({ seed = seeds, name = arg.shared }, function(at) in_space(at.name, at.seed) end)
-- The vector that was trained with one decoder, under another.
local function decoded(name, target, seed)
  return ts.decode {
    name = name .. " > " .. target,
    basis = space(seed).members[target], model = adapted[target], task = task, z = in_space(name, seed), which = "last",
    origin = head_of(task), max_answer_length = arg.answer_length,
  }
end

-- Subspaces of the model's own layers, whose coordinates can go a multiple of the way to the update of the trajectory, which has the rate
-- that full tuning picked.
local function trajectory(seed)
  return train(seed, {
    name = "trajectory", epochs = math.max(epochs, arg.dim), record = ts.every "epoch", lr = rates.full, lr_head = model.defaults.lr_head,
  }).trajectory
end
local function within(name, basis_of)
  local reach, search
  local function run(at, seed)
    local tune = { lr = "reach", reach = at, reach_of = trajectory(seed), embeddings = false }
    return train(seed, {
      name = ("%s, reach %g"):format(name, at), tune = ts.within(basis_of(seed), tune), lr_head = model.defaults.lr_head,
    })
  end
  local function find() reach, search = lib.best_rate(arg.reaches, seeds, run, "reach") end
  return { name = name, find = find, run = function(seed) return lib.searched(run(reach, seed), search) end }
end
local subspaces = {
  within(("trajectory, d = %d a layer"):format(arg.dim), function(seed)
    return ts.discover("trajectory_svd", { name = "basis of trajectory", dim = arg.dim, trajectory = trajectory(seed), variant = "delta" })
  end),
  within(("random, d = %d a layer"):format(arg.dim), function(seed)
    return ts.discover("random_projection", { name = "random basis", dim = arg.dim, model = model, seed = seed })
  end),
}
ts.sweep({ subspace = subspaces }, function(at) at.subspace.find() end)
ts.sweep({ seed = seeds, subspace = subspaces }, function(at) at.subspace.run(at.seed) end)

local report = ts.report("Ways of tuning, in their own spaces and in one", { model = model, task = task })
local add, series = lib.scatter(report, seeds)
for _, name in ipairs(names) do
  add("own space", ("%s, lr %g"):format(name, rates[name]), name, function(seed) return own_best(name, seed) end)
end
for _, one in ipairs(subspaces) do
  add("subspace of the layers", one.name, one.name:match("^%a+"), one.run)
end
for _, name in ipairs(arg.shared) do
  add("one shared space", ("%s, d = %d"):format(name, arg.dim), name .. "*", function(seed) return in_space(name, seed) end)
end

local function over_seeds(score) return lib.map(seeds, function(seed) return 100 * score(seed) end) end
local summary = lib.map(arg.shared, function(name)
  return lib.join({
    name,
    over_seeds(function(seed) return own_best(name, seed).last.score end),
    over_seeds(function(seed) return in_space(name, seed).last.score end),
  }, lib.map(arg.shared, function(target)
    return over_seeds(function(seed) return decoded(name, target, seed).last.score end)
  end))
end)
local learnt_on = table.concat(lib.map(sources, function(on) return on.name end), " and ")
report:table("One vector, decoded by every method", {
  columns = lib.join({ "source", "own space", "one vector" }, lib.map(arg.shared, function(target) return "> " .. target end)),
  rows = summary,
  note = ("100 x the metric on dev after the last step; the space of %d dimensions was learnt on %s, the vector trained on %s with the "
    .. "source's decoder."):format(arg.dim, learnt_on, task.name),
})
report:figure {
  name = "numbers", kind = "scatter", log_x = true, frontier = true, series = series,
  x_label = "trainable parameters", y_label = model.planned and "score" or task.metric,
  caption = "Score against trainable parameters; up and left is better. The dashed line joins what nothing beats with fewer. "
    .. "*: in the one shared space.",
}
report:save()
