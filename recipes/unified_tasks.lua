-- One basis for many tasks (Zhang, Liu, Shao: Fine-tuning Happens in Tiny Subspaces, ACL 2023, table 2 and figures 2 and 3). Inductive:
-- train a task within the basis of another one. Unified: one direction per layer from each task's solution; zero-shot: the task's own is
-- left out. Beside them the controls that the claims need: a random basis, one of shuffled updates, and the mean of the solutions alone.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  tasks = {
    default = { "builtin:paraphrase", "builtin:entailment", "builtin:topic", "builtin:sentiment" },
    doc = "folders with a task.toml, or builtin:<name>",
  },
  variant = { default = "delta", choices = { "raw", "raw+origin", "centred", "delta" }, doc = "what the rows of the matrix are" },
  which = { default = "last", choices = { "last", "best" }, doc = "weights of each task that enter the unified basis" },
  dim = { default = 8, min = 1, doc = "dimensions per layer of a task's own basis, and epochs of its trajectory" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of trainings within a basis, and of frozen encoders; 0: as many as the trajectory's" },
  rows = { default = 160, min = 0, doc = "training rows of each task that are used; 0: all" },
  precision = { default = "float32", choices = { "float32", "bf16" }, doc = "of products with weights; bf16 pays on some processors" },
  rates = {
    default = { 1.0, 3.0 },
    doc = "of the search: multiples of the model's learning rate, and of the way to the task's own update, which coordinates can travel",
  },
  head_rates = { default = { 1.0, 10.0 }, doc = "of the search: multiples of the model's learning rate of the head" },
  embeddings = { default = true, doc = "train the embeddings beside the coordinates (the paper does)" },
  inductive = { default = true, doc = "train every task in the basis of every other" },
  margin = { default = 0.02, min = 0.001, doc = "of the claims that one method is as good as another" },
  quick = { default = false, doc = "three tasks, one seed, few rows and epochs" },
}
if arg.quick then
  arg.tasks, arg.seeds, arg.rows, arg.dim = { arg.tasks[1], arg.tasks[2], arg.tasks[3] }, 1, math.min(arg.rows, 64), 3
  arg.rates, arg.head_rates = { 1.0 }, { 1.0 }
end

local model, seeds = ts.model(arg.model), ts.seeds(arg.seeds)
local tasks = lib.map(arg.tasks, ts.task)
local epochs = lib.given(arg.epochs, arg.dim)
local train = lib.trainer { model = model, precision = arg.precision, rows = arg.rows, epochs = epochs }
local heads = { lr_head = lib.multiples(arg.head_rates, model.defaults.lr_head) }
local beside = arg.embeddings and { "embeddings", "pooler", "head" } or { "pooler", "head" }

-- Learning rates are picked on dev with the first seed, for every method and task, the head's first and then its `own`; run(task, seed,
-- rates, name) trains. --------------------------------------------------------------------------------------------------------------------

local found = {}
local function searched(method, task, own, run)
  local key = method .. " of " .. task.name
  found[key] = found[key] or ts.lr_search(lib.with({
    seeds = { seeds[1] }, run = function(rates, seed) return run(task, seed, rates, "search: " .. method) end,
  }, lib.join({ heads }, own)))
  return found[key].rates
end
local function at_best(method, own, run)
  return function(task, seed) return run(task, seed, searched(method, task, own, run), method) end
end

-- Solutions -----------------------------------------------------------------------------------------------------------------------------

local full = at_best("full", { { lr = lib.multiples(arg.rates, model.defaults.lr) } }, function(task, seed, rates, name)
  local options = { name = name .. ", " .. task.name, task = task, epochs = arg.dim, record = ts.every "epoch", keep = "all" }
  return train(seed, lib.with(options, rates))
end)
-- The solutions of all tasks, or of all but one.
local function solutions(seed, but)
  local list = {}
  for _, task in ipairs(tasks) do
    if not but or task.name ~= but.name then list[#list + 1] = full(task, seed) end
  end
  return list
end

-- Bases ---------------------------------------------------------------------------------------------------------------------------------

local function basis_of(trajectory, name)
  return ts.discover("trajectory_svd", { name = name, trajectory = trajectory, variant = arg.variant })
end
local function own_basis(task, seed) return basis_of(full(task, seed).trajectory, "basis of " .. task.name) end
local function common_basis(seed, but, shuffled)
  local points = ts.trajectory {
    name = "solutions", solutions = solutions(seed, but), which = arg.which, shuffled = shuffled and seed or nil,
  }
  return basis_of(points, shuffled and "shuffled basis" or but and "basis without " .. but.name or "unified basis")
end
local function random_basis(seed, dim)
  return ts.discover("random_projection", { name = "random basis", model = model, dim = dim, seed = seed })
end

-- Trainings: coordinates of every basis can travel as far as the task's own update is long. ---------------------------------------------

local function within(name, basis)
  return at_best(name, { { reach = arg.rates } }, function(task, seed, rates, title)
    local tune = { lr = "reach", reach = rates.reach, reach_of = full(task, seed).trajectory, embeddings = arg.embeddings }
    return train(seed, { name = title, task = task, tune = ts.within(basis(task, seed), tune), lr_head = rates.lr_head })
  end)
end
local function frozen(name, from)
  local own = arg.embeddings and { { lr_embeddings = lib.multiples(arg.rates, model.defaults.lr) } } or {}
  return at_best(name, own, function(task, seed, rates, title)
    local origin = from and { solutions = from(task, seed), which = arg.which }
    return train(seed, lib.with({ name = title, task = task, train = beside, origin = origin }, rates))
  end)
end
local function projected(name, basis)
  return function(task, seed) return ts.evaluate { name = name, solution = full(task, seed), project = basis(task, seed) } end
end

local function unified_basis(_, seed) return common_basis(seed) end
local function zero_shot_basis(task, seed) return common_basis(seed, task) end
local variants = {}
local runs = {}
local function variant(name, run)
  variants[#variants + 1], runs[name] = { name = name, run = run }, run
end
variant("full", full)
variant("freeze", frozen "freeze")
variant("random", within("random", function(_, seed) return random_basis(seed, #tasks) end))
variant("unified", within("unified", unified_basis))
variant("zero-shot", within("zero-shot", zero_shot_basis))
variant("unified, updates shuffled", within("unified, updates shuffled", function(_, seed) return common_basis(seed, nil, true) end))
variant("mean of all tasks, frozen", frozen("mean of all tasks, frozen", function(_, seed) return solutions(seed) end))
variant("mean of the others, frozen", frozen("mean of the others, frozen", function(task, seed) return solutions(seed, task) end))
variant("own update in unified, no training", projected("own update in unified, no training", unified_basis))
variant("own update in zero-shot, no training", projected("own update in zero-shot, no training", zero_shot_basis))

-- In the basis of another task, at the rates that were picked for the own one.
local inductive_in = {}
for _, source in ipairs(tasks) do
  inductive_in[source.name] = function(task, seed, rates)
    local tune = { lr = "reach", reach = rates.reach, reach_of = full(task, seed).trajectory, embeddings = arg.embeddings }
    return train(seed, {
      name = "in the basis of " .. source.name, task = task, tune = ts.within(own_basis(source, seed), tune), lr_head = rates.lr_head,
    })
  end
end
local function inductive(task, seed, source)
  return inductive_in[source.name](task, seed, searched("own basis", task, { { reach = arg.rates } }, inductive_in[task.name]))
end

ts.sweep({ task = tasks, seed = seeds }, function(at) full(at.task, at.seed) end)

ts.sweep({ task = tasks, variant = variants, seed = seeds }, function(at) at.variant.run(at.task, at.seed) end)

-- The table of all tasks, and a page of each --------------------------------------------------------------------------------------------

local names = lib.map(tasks, function(task) return task.name end)
local report = ts.report("One basis for many tasks")

local function scores(task, run) return lib.map(seeds, function(seed) return run(task, seed).last.score end) end
report:table("Score on dev after the last update", {
  columns = lib.join({ "" }, names, { "mean" }), digits = 3,
  note = ("Unified, random and shuffled: %d directions a layer; zero-shot: %d."):format(#tasks, #tasks - 1),
  rows = lib.map(variants, function(one)
    local by_task = lib.map(tasks, function(task) return scores(task, one.run) end)
    return lib.join({ one.name }, by_task, { lib.mean(lib.map(by_task, lib.mean)) })
  end),
})
for _, task in ipairs(tasks) do
  local detail = ts.report("One basis for many tasks: " .. task.name, { model = model, task = task, folder = "detail_" .. task.name })
  for _, one in ipairs(variants) do
    for _, seed in ipairs(seeds) do detail:row(one.name, one.run(task, seed)) end
  end
end

-- Figures -------------------------------------------------------------------------------------------------------------------------------

-- Points that a way of training loses to full fine-tuning, mean over the seeds.
local function drop(task, run)
  return 100 * lib.mean(lib.map(seeds, function(seed) return full(task, seed).last.score - run(task, seed).last.score end))
end

if arg.inductive then
  ts.sweep({ task = tasks, source = tasks, seed = seeds }, function(at) inductive(at.task, at.seed, at.source) end)
  local values = lib.map(tasks, function(task)
    local row = lib.map(tasks, function(source)
      return drop(task, function(t, seed) return inductive(t, seed, source) end)
    end)
    return lib.join(row, { drop(task, runs.random), drop(task, runs.freeze) })
  end)
  report:heat_map("Points lost to full fine-tuning, within the basis of another task", {
    columns = lib.join(names, { "random", "freeze" }), rows = names, values = values,
    x_label = "task of the basis", y_label = "task that is trained",
  })
end
local shown = {
  "unified", "zero-shot", "unified, updates shuffled", "random", "mean of all tasks, frozen", "mean of the others, frozen", "freeze",
}
report:heat_map("Points lost to full fine-tuning, by basis", {
  columns = names, rows = shown, y_label = "basis", x_label = "task that is trained",
  values = lib.map(shown, function(name)
    return lib.map(tasks, function(task) return drop(task, runs[name]) end)
  end),
})

-- Mean over layers of the cosine between two lists of coordinates; nothing where one has not moved.
local function cosine(a, b, dims)
  local sum, count, at = 0, 0, 0
  for _, dim in ipairs(dims) do
    local ab, aa, bb = 0, 0, 0
    for i = at + 1, at + dim do ab, aa, bb = ab + a[i] * b[i], aa + a[i] ^ 2, bb + b[i] ^ 2 end
    if aa > 0 and bb > 0 then sum, count = sum + ab / math.sqrt(aa * bb), count + 1 end
    at = at + dim
  end
  return count > 0 and sum / count or nil
end
local function mean_cosine(first, second)
  local unified = runs.unified
  local list = {}
  for _, seed in ipairs(seeds) do
    local a, b = unified(first, seed), unified(second, seed)
    if a.coordinates then list[#list + 1] = cosine(a.coordinates.last, b.coordinates.last, a.binding.subspace.dims) end
  end
  return #list > 0 and lib.mean(list) or 0
end
report:heat_map("Cosine of two tasks' coordinates in the unified basis, mean over layers", {
  columns = names, rows = names, digits = 2,
  values = lib.map(tasks, function(first)
    return lib.map(tasks, function(second) return mean_cosine(first, second) end)
  end),
})
-- Claims, over tasks: each is a pair of means over its seeds. ---------------------------------------------------------------------------

local means = {}
for name, run in pairs(runs) do means[name] = lib.map(tasks, function(task) return lib.mean(scores(task, run)) end) end
if arg.inductive then
  means["basis of another task"] = lib.map(tasks, function(task)
    local others = {}
    for _, source in ipairs(tasks) do
      local function run(t, seed) return inductive(t, seed, source) end
      if source.name ~= task.name then others[#others + 1] = lib.mean(scores(task, run)) end
    end
    return lib.mean(others)
  end)
end
local function claim(text, source, kind, row, than, by)
  ts.claim {
    report = report, text = text, source = source, [kind] = row, than = than, by = by, row_scores = means[row], than_scores = means[than],
    over = "tasks",
  }
end
local mean, others = "mean of all tasks, frozen", "mean of the others, frozen"
claim("One direction a task and layer is as good as full fine-tuning", "table 2", "not_worse", "unified", "full", arg.margin)
claim("It is better than as many random directions", "table 2", "better", "unified", "random")
claim("Directions of other tasks are better than random ones", "table 2, zero-shot", "better", "zero-shot", "random")
if arg.inductive then
  claim("The basis of another task is better than a random one", "figure 2", "better", "basis of another task", "random")
end
claim("Training in the unified basis finds more than the mean of the solutions", "control", "better", "unified", mean)
claim("Training in the zero-shot basis finds more than the mean of the others", "control", "better", "zero-shot", others)
claim("The places of the entries of the updates matter", "control", "better", "unified", "unified, updates shuffled")
claim("The zero-shot basis holds the task's own update", "control", "not_worse", "own update in zero-shot, no training", "full", arg.margin)

report:note(("A random direction among %d has a cosine of %.2f on average with another one, in absolute value."):format(
  #tasks, math.sqrt(2 / (math.pi * #tasks))))
report:save()
