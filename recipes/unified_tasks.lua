-- One basis for many tasks (Zhang, Liu, Shao: Fine-tuning Happens in Tiny Subspaces, ACL 2023, table 2 and figures 2 and 3). Inductive: train
-- a task within the basis of another one. Unified: one direction per layer from each task's solution; zero-shot: the task's own is left
-- out. Beside them the controls that the claims need: a random basis, one of shuffled updates, and the mean of the solutions alone.
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
  lr_z = { default = 0.01, min = 0, doc = "learning rate of the coordinates" },
  embeddings = { default = true, doc = "train the embeddings beside the coordinates (the paper does)" },
  inductive = { default = true, doc = "train every task in the basis of every other" },
  quick = { default = false, doc = "three tasks, one seed, few rows and epochs" },
}
if arg.quick then
  arg.tasks, arg.seeds, arg.rows, arg.dim = { arg.tasks[1], arg.tasks[2], arg.tasks[3] }, 1, math.min(arg.rows, 64), 3
end

local model, seeds = ts.model(arg.model), ts.seeds(arg.seeds)
local tasks = lib.map(arg.tasks, ts.task)
local epochs = lib.given(arg.epochs, arg.dim)
local train = lib.trainer { model = model, rows = arg.rows, epochs = epochs }
local beside = arg.embeddings and { "embeddings", "pooler", "head" } or { "pooler", "head" }

-- Solutions ----------------------------------------------------------------------------------------------------------------------------------

local function full(task, seed)
  return train(seed, { name = "full, " .. task.name, task = task, epochs = arg.dim, record = ts.every "epoch", keep = "all" })
end
-- The solutions of all tasks, or of all but one.
local function solutions(seed, but)
  local list = {}
  for _, task in ipairs(tasks) do
    if not but or task.name ~= but.name then list[#list + 1] = full(task, seed) end
  end
  return list
end

-- Bases --------------------------------------------------------------------------------------------------------------------------------------

local function basis_of(trajectory, name) return ts.discover("trajectory_svd", { name = name, trajectory = trajectory, variant = arg.variant }) end
local function own_basis(task, seed) return basis_of(full(task, seed).trajectory, "basis of " .. task.name) end
local function common_basis(seed, but, shuffled)
  local points = ts.trajectory { name = "solutions", solutions = solutions(seed, but), which = arg.which, shuffled = shuffled and seed or nil }
  return basis_of(points, shuffled and "shuffled basis" or but and "basis without " .. but.name or "unified basis")
end
local function random_basis(seed, dim)
  return ts.discover("random_projection", { name = "random basis", model = model, dim = dim, seed = seed })
end

-- Trainings ----------------------------------------------------------------------------------------------------------------------------------

local function within(task, seed, name, basis)
  return train(seed, { name = name, task = task, tune = ts.within(basis, { lr = arg.lr_z, embeddings = arg.embeddings }) })
end
local function frozen(task, seed, name, from)
  return train(seed, { name = name, task = task, train = beside, origin = from and { solutions = from, which = arg.which } })
end

local variants = {
  { name = "full", run = function(task, seed) return full(task, seed) end },
  { name = "freeze", run = function(task, seed, name) return frozen(task, seed, name) end },
  { name = "random", run = function(task, seed, name) return within(task, seed, name, random_basis(seed, #tasks)) end },
  { name = "unified", run = function(task, seed, name) return within(task, seed, name, common_basis(seed)) end },
  { name = "zero-shot", run = function(task, seed, name) return within(task, seed, name, common_basis(seed, task)) end },
  { name = "unified, updates shuffled", run = function(task, seed, name) return within(task, seed, name, common_basis(seed, nil, true)) end },
  { name = "mean of all tasks, frozen", run = function(task, seed, name) return frozen(task, seed, name, solutions(seed)) end },
  { name = "mean of the others, frozen", run = function(task, seed, name) return frozen(task, seed, name, solutions(seed, task)) end },
  {
    name = "own update in unified, no training",
    run = function(task, seed, name) return ts.evaluate { name = name, solution = full(task, seed), project = common_basis(seed) } end,
  },
  {
    name = "own update in zero-shot, no training",
    run = function(task, seed, name) return ts.evaluate { name = name, solution = full(task, seed), project = common_basis(seed, task) } end,
  },
}
local function variant(name)
  for _, one in ipairs(variants) do
    if one.name == name then return function(task, seed) return one.run(task, seed, name) end end
  end
end
local function inductive(task, seed, source) return within(task, seed, "in the basis of " .. source.name, own_basis(source, seed)) end

ts.sweep({ task = tasks, seed = seeds }, function(at) full(at.task, at.seed) end)

ts.sweep({ task = tasks, variant = variants, seed = seeds }, function(at) at.variant.run(at.task, at.seed, at.variant.name) end)

-- The table of all tasks, and a page of each ------------------------------------------------------------------------------------------------

local names = lib.map(tasks, function(task) return task.name end)
local report = ts.report("One basis for many tasks")

local function scores(task, run) return lib.map(seeds, function(seed) return run(task, seed).last.score end) end
report:table("Score on dev after the last update", {
  columns = lib.join({ "" }, names, { "mean" }), digits = 3,
  note = ("Unified, random and shuffled: %d directions a layer; zero-shot: %d."):format(#tasks, #tasks - 1),
  rows = lib.map(variants, function(one)
    local by_task = lib.map(tasks, function(task) return scores(task, variant(one.name)) end)
    return lib.join({ one.name }, by_task, { lib.mean(lib.map(by_task, lib.mean)) })
  end),
})
for _, task in ipairs(tasks) do
  local detail = ts.report("One basis for many tasks: " .. task.name, { model = model, task = task, folder = "detail_" .. task.name })
  for _, one in ipairs(variants) do
    for _, seed in ipairs(seeds) do detail:row(one.name, variant(one.name)(task, seed)) end
  end
end

-- Figures ------------------------------------------------------------------------------------------------------------------------------------

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
    return lib.join(row, { drop(task, variant "random"), drop(task, variant "freeze") })
  end)
  report:heat_map("Points lost to full fine-tuning, within the basis of another task", {
    columns = lib.join(names, { "random", "freeze" }), rows = names, values = values,
    x_label = "task of the basis", y_label = "task that is trained",
  })
end
local shown = { "unified", "zero-shot", "unified, updates shuffled", "random", "mean of all tasks, frozen", "mean of the others, frozen", "freeze" }
report:heat_map("Points lost to full fine-tuning, by basis", {
  columns = names, rows = shown, y_label = "basis", x_label = "task that is trained",
  values = lib.map(shown, function(name)
    return lib.map(tasks, function(task) return drop(task, variant(name)) end)
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
  local unified = variant "unified"
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
report:note(("A random direction among %d has a cosine of %.2f on average with another one, in absolute value."):format(
  #tasks, math.sqrt(2 / (math.pi * #tasks))))
report:save()
