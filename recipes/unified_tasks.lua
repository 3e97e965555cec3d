-- One basis for many tasks (Zhang, Liu, Shao: Fine-tuning Happens in Tiny Subspaces, ACL 2023, table 2 and figures 2 and 3). Transductive:
-- train a task within its own basis; inductive: within that of another one. Unified: one direction per layer from each task's solution;
-- zero-shot: the task's own is left out. Beside them the controls that the claims need: random bases of as many directions, the first
-- directions of the unified basis, one of shuffled updates, and the mean of the solutions alone. A zoo ships all tasks with one basis.
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
  widen = { default = 0, min = 0, doc = "of the search: how often a list of rates grows at an end that was picked" },
  search_seeds = { default = 0, min = 0, doc = "seeds over which the search takes the mean; 0: all" },
  embeddings = { default = true, doc = "train the embeddings beside the coordinates (the paper does)" },
  inductive = { default = true, doc = "train every task in the basis of every other" },
  directions = {
    default = { 1, 2, 4 }, min = 1, doc = "numbers of first directions of the unified basis, those below all, that are trained alone",
  },
  margin = { default = 0.02, min = 0.001, doc = "of the claims that one method is as good as another" },
  zoo = { default = "", doc = "folder for the first seed's solutions of all tasks in the unified basis; empty: none" },
  quick = { default = false, doc = "three tasks, one seed, few rows and epochs" },
}
if arg.quick then
  arg.tasks, arg.seeds, arg.rows, arg.dim = { arg.tasks[1], arg.tasks[2], arg.tasks[3] }, 1, math.min(arg.rows, 64), 2
  arg.rates, arg.head_rates = { 1.0 }, { 1.0 }
end

local model, seeds = ts.model(arg.model), ts.seeds(arg.seeds)
local tasks = lib.map(arg.tasks, ts.task)
for _, task in ipairs(tasks) do
  if task.kind == "language_modelling" then  -- means, points lost and claims over tasks take more for better
    local text = "unified_tasks: tasks: '%s' is scored by %s, of which less is better; expected tasks with scores of which more is better"
    error(text:format(task.name, task.metric), 0)
  end
end
local epochs = lib.given(arg.epochs, arg.dim)
local train = lib.trainer { model = model, precision = arg.precision, rows = arg.rows, epochs = epochs }
local beside = arg.embeddings and { "embeddings", "pooler", "head" } or { "pooler", "head" }

-- Learning rates are picked on dev for every method and task, the head's first and then `own`; run(task, seed, name, rates) trains. ------

local rates = lib.multiples(arg.rates, model.defaults.lr)
local embeddings = arg.embeddings and { lr_embeddings = rates } or nil
local head_rates = lib.writes(model) and {} or lib.multiples(arg.head_rates, model.defaults.lr_head)
local search_seeds = { table.unpack(seeds, 1, math.min(#seeds, lib.given(arg.search_seeds, #seeds))) }
local search, rates_of, searched = lib.rate_search(search_seeds, head_rates, arg.widen)
local done = {}
-- best(task, seed): the method's training at its rates; like(task, other): what other(rates) trains at the same ones, with no own search.
local function at_best(method, own, run)
  local function like(task, other)
    local key = method .. " of " .. task.name
    if not done[key] then
      search(key, own, function(seed, name, candidate) return run(task, seed, name, candidate) end)
      done[key] = true
    end
    return searched(key, other(rates_of(key)))
  end
  local function best(task, seed)
    return like(task, function(picked) return run(task, seed, method .. ", " .. task.name, picked) end)
  end
  return best, like
end

-- Solutions -----------------------------------------------------------------------------------------------------------------------------

local function tuned(name, options)
  return at_best(name, { lr = rates }, function(task, seed, title, picked)
    return train(seed, lib.with(lib.with({ name = title, task = task }, options), picked))
  end)
end
local full = tuned("full", { epochs = arg.dim, record = ts.every "epoch", keep = "all" })
-- Full fine-tuning of as many epochs as the trainings within bases.
local ceiling = epochs == arg.dim and "full" or ("full, %d epochs"):format(epochs)
local equal = epochs == arg.dim and full or tuned(ceiling)
-- The solutions of all tasks, or of all but one.
local function solutions(seed, but)
  local list = {}
  for _, task in ipairs(tasks) do
    if not but or task.name ~= but.name then list[#list + 1] = full(task, seed) end
  end
  return list
end

-- Bases ---------------------------------------------------------------------------------------------------------------------------------

-- Directions a layer of a basis from so many points.
local extra = { ["raw+origin"] = 1, centred = -1 }
local function directions_of(points) return math.max(1, points + (extra[arg.variant] or 0)) end
local own_dim, unified_dim = directions_of(arg.dim), directions_of(#tasks)

local function basis_of(trajectory, name, dim)
  return ts.discover("trajectory_svd", { name = name, trajectory = trajectory, variant = arg.variant, dim = dim })
end
local function own_basis(task, seed) return basis_of(full(task, seed).trajectory, "basis of " .. task.name) end
local function common_basis(name, seed, options)
  local points = ts.trajectory {
    name = "solutions", solutions = solutions(seed, options.but), which = arg.which, shuffled = options.shuffled and seed or nil,
  }
  return basis_of(points, name, options.dim)
end
local function unified_basis(_, seed) return common_basis("unified basis", seed, {}) end
local function zero_shot_basis(task, seed) return common_basis("basis without " .. task.name, seed, { but = task }) end
local function shuffled_basis(_, seed) return common_basis("shuffled basis", seed, { shuffled = true }) end
local function random_basis(dim)
  return function(_, seed) return ts.discover("random_projection", { name = "random basis", model = model, dim = dim, seed = seed }) end
end

-- Trainings: coordinates of every basis can travel as far as the task's own update is long. ---------------------------------------------

local function train_within(task, seed, name, picked, basis, keep)
  local tune = { lr = "reach", reach = picked.reach, reach_of = full(task, seed).trajectory, embeddings = arg.embeddings }
  return train(seed, {
    name = name, task = task, keep = keep, tune = ts.within(basis, tune), lr_head = picked.lr_head, lr_embeddings = picked.lr_embeddings,
  })
end
local function within(name, basis)
  return at_best(name, { { reach = arg.rates }, embeddings }, function(task, seed, title, picked)
    return train_within(task, seed, title, picked, basis(task, seed))
  end)
end
local function frozen(name, from)
  return at_best(name, embeddings, function(task, seed, title, picked)
    local origin = from and { solutions = from(task, seed), which = arg.which }
    return train(seed, lib.with({ name = title, task = task, train = beside, origin = origin }, picked))
  end)
end
local function projected(name, basis)
  return function(task, seed) return ts.evaluate { name = name, solution = full(task, seed), project = basis(task, seed) } end
end

local variants, runs = {}, {}
local function variant(name, run)
  variants[#variants + 1], runs[name] = { name = name, run = run }, run
end
local own, like_own = within("own basis", own_basis)
local unified, like_unified = within("unified", unified_basis)
local chance, own_chance = "random", own_dim == unified_dim and "random" or ("random d=%d"):format(own_dim)
local mean, others_mean = "mean of all tasks, frozen", "mean of the others, frozen"
local held, held_zero_shot = "own update in unified, no training", "own update in zero-shot, no training"

variant("full", full)
if ceiling ~= "full" then variant(ceiling, equal) end
variant("freeze", frozen "freeze")
variant("own basis", own)
if own_chance ~= chance then variant(own_chance, within(own_chance, random_basis(own_dim))) end
variant("unified", unified)
local sweep = {}
for _, count in ipairs(arg.directions) do
  if count < unified_dim then
    local name = ("unified, %d of %d directions"):format(count, unified_dim)
    sweep[#sweep + 1] = { name = name, count = count }
    variant(name, function(task, seed)
      local basis = common_basis(("unified basis, %d of %d directions"):format(count, unified_dim), seed, { dim = count })
      return like_unified(task, function(picked) return train_within(task, seed, name .. ", " .. task.name, picked, basis) end)
    end)
  end
end
variant("zero-shot", within("zero-shot", zero_shot_basis))
variant(chance, within(chance, random_basis(unified_dim)))
variant("unified, updates shuffled", within("unified, updates shuffled", shuffled_basis))
variant(mean, frozen(mean, function(_, seed) return solutions(seed) end))
variant(others_mean, frozen(others_mean, function(task, seed) return solutions(seed, task) end))
variant(held, projected(held, unified_basis))
variant(held_zero_shot, projected(held_zero_shot, zero_shot_basis))

-- Training in the basis of another task, at the rates that were picked for the own one.
local function inductive(task, seed, source)
  if source.name == task.name then return own(task, seed) end
  return like_own(task, function(picked)
    return train_within(task, seed, task.name .. " in the basis of " .. source.name, picked, own_basis(source, seed))
  end)
end

ts.sweep({ task = tasks, seed = seeds }, function(at) full(at.task, at.seed) end)

ts.sweep({ task = tasks, variant = variants, seed = seeds }, function(at) at.variant.run(at.task, at.seed) end)

-- The table of all tasks, and a page of each --------------------------------------------------------------------------------------------

local names = lib.map(tasks, function(task) return task.name end)
local report = ts.report("One basis for many tasks")

local function scores(task, run) return lib.map(seeds, function(seed) return run(task, seed).last.score end) end
report:table("Score on dev after the last update", {
  columns = lib.join({ "" }, names, { "mean" }), digits = 3,
  note = ("Unified, random and shuffled: %d directions a layer; zero-shot: %d; own basis: %d. A few directions of the unified basis are "
    .. "trained at the rates picked for all of them. full: %d epochs, which bases and means are from; other trainings: %d epochs."):format(
    unified_dim, directions_of(#tasks - 1), own_dim, arg.dim, epochs),
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

-- Zoo: one basis, and the coordinates of each task. -------------------------------------------------------------------------------------

if arg.zoo ~= "" then
  local basis = unified_basis(nil, seeds[1])
  local kept = ts.sweep({ task = tasks }, function(at)
    return like_unified(at.task, function(picked)
      return train_within(at.task, seeds[1], "for the zoo, " .. at.task.name, picked, basis, "last")
    end)
  end)
  local zoo = ts.zoo { basis = basis, solutions = kept, path = arg.zoo }
  local entries = {}
  for _, entry in ipairs(zoo.solutions) do entries[entry.name] = entry end
  local rows = { { "basis of all tasks", zoo.bytes_basis, "–", "–", "–", "–" } }
  for i, task in ipairs(tasks) do
    local entry = entries[task.name]
    if entry then  -- a plan has none
      local again = ts.from_zoo { name = task.name .. ", read back", path = arg.zoo, solution = task.name, model = model, task = task }
      rows[#rows + 1] = { task.name, "–", entry.bytes_coordinates, entry.bytes_beside, kept[i].last.score, again.last.score }
    end
  end
  report:table("Solutions shipped with one basis", {
    columns = { "", "bytes of basis", "bytes of coordinates", "bytes beside", "trained", "read back" }, rows = rows,
    digits = { 0, 0, 0, 0, 3, 3 },
    note = ("Trainings of seed %d within the unified basis, and their scores when %s is read. Beside the coordinates lies what was trained "
      .. "with them: pooler, head%s."):format(seeds[1], arg.zoo, arg.embeddings and " and embeddings" or ""),
  })
end

-- Figures -------------------------------------------------------------------------------------------------------------------------------

-- Points that a way of training loses to full fine-tuning of as many epochs, mean over the seeds.
local function drop(task, run)
  return 100 * lib.mean(lib.map(seeds, function(seed) return equal(task, seed).last.score - run(task, seed).last.score end))
end

if arg.inductive then
  ts.sweep({ task = tasks, source = tasks, seed = seeds }, function(at) inductive(at.task, at.seed, at.source) end)
  local values = lib.map(tasks, function(task)
    local row = lib.map(tasks, function(source)
      return drop(task, function(t, seed) return inductive(t, seed, source) end)
    end)
    return lib.join(row, { drop(task, runs[own_chance]), drop(task, runs.freeze) })
  end)
  report:heat_map("Points lost to full fine-tuning of as many epochs, within the basis of another task at the rates of the own one", {
    columns = lib.join(names, { own_chance, "freeze" }), rows = names, values = values,
    x_label = "task of the basis", y_label = "task that is trained",
  })
end
local shown = lib.join({ "own basis" }, own_chance ~= chance and { own_chance } or {}, { "unified" },
  lib.map(sweep, function(one) return one.name end),
  { "zero-shot", "unified, updates shuffled", chance, mean, others_mean, "freeze" })
report:heat_map("Points lost to full fine-tuning of as many epochs, by basis", {
  columns = names, rows = shown, y_label = "basis", x_label = "task that is trained",
  values = lib.map(shown, function(name)
    return lib.map(tasks, function(task) return drop(task, runs[name]) end)
  end),
})

-- The mean absolute cosine of two random directions in `dim` dimensions.
local function random_cosine(dim)
  return dim == 1 and 1 or dim == 2 and 2 / math.pi or random_cosine(dim - 2) * (dim - 2) / (dim - 1)
end
-- Means over the layers where both have moved: of the cosine of two lists of coordinates, of its absolute value, and of that by chance.
local function cosines(a, b, dims)
  local signed, absolute, random, at = {}, {}, {}, 0
  for _, dim in ipairs(dims) do
    local ab, aa, bb = 0, 0, 0
    for i = at + 1, at + dim do ab, aa, bb = ab + a[i] * b[i], aa + a[i] ^ 2, bb + b[i] ^ 2 end
    if aa > 0 and bb > 0 then
      local cosine = ab / math.sqrt(aa * bb)
      signed[#signed + 1], absolute[#absolute + 1], random[#random + 1] = cosine, math.abs(cosine), random_cosine(dim)
    end
    at = at + dim
  end
  return lib.mean(signed), lib.mean(absolute), lib.mean(random), #signed > 0
end
-- Calls take with those means, where there are any.
local function compare(first, second, seed, take)
  local a, b = unified(first, seed), unified(second, seed)
  if not a.coordinates then return end
  local signed, absolute, random, moved = cosines(a.coordinates.last, b.coordinates.last, a.binding.subspace.dims)
  if moved then take(signed, absolute, random) end
end
report:heat_map("Cosine of two tasks' coordinates in the unified basis, mean over layers", {
  columns = names, rows = names, digits = 2,
  values = lib.map(tasks, function(first)
    return lib.map(tasks, function(second)
      local list = {}
      for _, seed in ipairs(seeds) do
        compare(first, second, seed, function(signed) list[#list + 1] = signed end)
      end
      return lib.mean(list)
    end)
  end),
})

-- Claims, over tasks: each is a pair of means over its seeds. ---------------------------------------------------------------------------

local means = {}
for _, one in ipairs(variants) do
  means[one.name] = lib.map(tasks, function(task) return lib.mean(scores(task, one.run)) end)
end
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
local unlearned, moot = {}, ""
for i, task in ipairs(tasks) do
  local reason = lib.unlearned(task, { means[ceiling][i] }, arg.margin)
  if reason ~= "" then unlearned[#unlearned + 1], moot = task.name, reason end
end
if #unlearned < #tasks then moot = "" end
local function claim(text, source, row, kind, than)
  ts.claim {
    report = report, text = text, source = source, moot = moot, [kind] = row, than = than, by = kind == "not_worse" and arg.margin or nil,
    over = "tasks", row_scores = means[row], than_scores = means[than],
  }
end
local as_full = "One direction a task and layer is as good as full fine-tuning of as many epochs"
claim(as_full, "table 2", "unified", "not_worse", ceiling)
claim("It is as good as the task's own basis", "tables 1 and 2", "unified", "not_worse", "own basis")
claim("It is better than as many random directions", "table 2", "unified", "better", chance)
claim("Directions of other tasks are better than random ones", "table 2, zero-shot", "zero-shot", "better", chance)
claim("The task's own basis is better than as many random directions", "table 1", "own basis", "better", own_chance)
if arg.inductive then
  claim("The basis of another task is better than as many random directions", "figure 2, at the rates picked within the own basis",
    "basis of another task", "better", own_chance)
end
if #sweep > 0 then
  table.sort(sweep, function(a, b) return a.count < b.count end)
  claim("More directions of the unified basis are better", "control, at the rates picked for all", "unified", "better", sweep[1].name)
end
claim("Training in the unified basis finds more than the mean of the solutions", "control", "unified", "better", mean)
claim("Training in the zero-shot basis finds more than the mean of the others", "control", "zero-shot", "better", others_mean)
claim("The places of the entries of the updates matter", "control", "unified", "better", "unified, updates shuffled")
claim("The zero-shot basis holds the task's own update", "control", held_zero_shot, "not_worse", "full")

-- Claim over seeds, for pairs of tasks are not independent: each number is a mean over pairs and layers.
local alike, random_alike = {}, {}
for _, seed in ipairs(seeds) do
  local found, random = {}, {}
  for i, first in ipairs(tasks) do
    for j = i + 1, #tasks do
      compare(first, tasks[j], seed, function(_, absolute, by_chance) found[#found + 1], random[#random + 1] = absolute, by_chance end)
    end
  end
  if #found > 0 then alike[#alike + 1], random_alike[#random_alike + 1] = lib.mean(found), lib.mean(random) end
end
if #alike > 0 then
  ts.claim {
    report = report, text = "Coordinates of two tasks in the unified basis are no more alike than random directions", source = "figure 3",
    not_worse = "absolute cosine of random directions", than = "of two tasks' coordinates", by = 0.1, row_scores = random_alike,
    than_scores = alike,
  }
end
if #unlearned > 0 then
  report:note(("Full fine-tuning has not left the score of the commonest answer of %s: their pairs in the claims say little."):format(
    table.concat(unlearned, ", ")))
end
report:note(("A random direction among %d has a cosine of %.2f on average with another one, in absolute value."):format(
  unified_dim, random_cosine(unified_dim)))
report:save()
