-- One vector that decodes into an adapter, a LoRA or a prefix (Yi et al., Findings of EMNLP 2022). Stage 0 trains the three on the training
-- tasks; stage 1 learns a space of `dim` dimensions that they share; stage 2 trains one vector on a task that was not seen, with one
-- method's decoder; stage 3 decodes that vector by the other methods, without training. Scores are given absolutely, with what a constant
-- answer gets, and relative to each method's own score in its own full space. The controls are those that the paper lacks.
-- Models without answers in words get a head per task that is trained alone and then held, the same for every method.
local ts = require "ts"
local lib = require "lib"
local release = require "release"

local arg = ts.arguments {
  model = { default = "builtin:t5-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  train = {
    default = { "builtin:sentiment", "builtin:topic" },
    doc = "training tasks of stages 0 and 1: one for the paper's single-task setting",
  },
  test = {
    default = { "builtin:topic", "builtin:acceptability", "builtin:sentiment" },
    doc = "tasks of stages 2 and 3; those that are training tasks too are marked as seen",
  },
  dims = {
    default = { 4 }, min = 1,
    doc = "dimensions of the space (the paper: 4 for one training task, 100 for 60); further ones are compared with the first",
  },
  scale = {
    default = 1, min = 1,
    doc = "size of the methods: adapters of width 6, LoRA of rank 5 or 6, a prefix of as many parameters, times this",
  },
  epochs = { default = 0, min = 0, doc = "of stage 0 and of heads; 0: 16 for a built-in model, else 3" },
  lr = {
    default = { 0.0 }, min = 0,
    doc = "of stage 0 (Adafactor, constant); 0: 3e-3 for a built-in model, else the paper's 5e-4; of several the best on dev counts, for "
      .. "every method and task",
  },
  steps = { default = 1800, min = 1, doc = "of stage 1 (the paper: 100000)" },
  stage1_lr = { default = 1e-2, min = 0, doc = "of stage 1 (the paper: 1e-4 with 100000 steps; fewer steps need larger ones)" },
  gamma = { default = 0.1, min = 0, doc = "weight of the reconstruction (the release: 0.1 for one training task, 10 for 60)" },
  mixing = { default = "release", choices = { "release", "dirichlet" }, doc = "distribution of the mixtures of codes" },
  tuning_steps = { default = 200, min = 1, doc = "of stage 2 (the paper: 5000)" },
  looks = { default = 10, min = 1, doc = "evaluations during stage 2, of which the best counts" },
  rates = { default = { 1e-2, 5e-2 }, doc = "learning rates of stage 2; the better one on dev of the source method counts" },
  seeds = { default = 3, min = 1, doc = "seeds of stages 1 and 2; the solutions of stage 0 are shared" },
  controls = { default = true, doc = "random decoders, joint principal components, decoders without mixing, the mean code" },
  fine_tuning = {
    default = "none", choices = { "none", "low_rank", "shared_vector" },
    doc = "full tuning as a fourth method: none; by its low-rank code (ours, not the paper's); or as in the release, where one vector and "
      .. "the maps of all four are trained together in place of stages 0 and 1",
  },
  rows = { default = 1000, min = 0, doc = "training rows of each task; 0: all" },
  answer_length = { default = 0, min = 0, doc = "tokens of an answer at most; 0: 8 for a built-in model, else the release's 64" },
  quick = { default = false, doc = "everything smaller and one seed, to see it run" },
}

local model = ts.model(arg.model)
local builtin, writes = arg.model:sub(1, 8) == "builtin:", lib.writes(model)
local function pick(given, small, otherwise) return given ~= 0 and given or (builtin and small or otherwise) end
local epochs, answer_length = pick(arg.epochs, 16, 3), pick(arg.answer_length, 8, 64)
local lrs = lib.map(arg.lr, function(lr) return pick(lr, 3e-3, 5e-4) end)
local steps, tuning_steps, looks, rates, rows = arg.steps, arg.tuning_steps, arg.looks, arg.rates, arg.rows
if arg.quick then epochs, steps, tuning_steps, looks, rates, rows = 6, 150, 50, 2, { rates[#rates] }, 256 end

local train_tasks, test_tasks = lib.map(arg.train, ts.task), lib.map(arg.test, ts.task)

-- Methods of equal size, as in the paper (N = 1,105,920 on T5 base at scale 2), where query and value are as wide as the model.
local function sizes()
  local layers = model.layers or 4  -- a plan does not know yet
  local depth = writes and layers // 2 or layers
  local rank = (writes and 5 or 6) * arg.scale
  local each = (writes and 30 or 24) * arg.scale * depth  -- parameters over the width (over twice the width where there are two stacks)
  local hidden = math.max(1, 5 * each // (6 * (1 + 2 * depth)))  -- most of them in the network, as the paper has it
  return {
    bottleneck = 6 * arg.scale,
    rank = rank, alpha = 1.6 * rank, targets = writes and { "q", "v" } or nil,  -- of every attention, the cross-attention too
    tokens = math.max(1, each - hidden * (1 + 2 * depth)), hidden = hidden,
  }
end
local start, dim = 42, arg.dims[1]
local methods = release.methods(model, start, sizes())
local together = arg.fine_tuning == "shared_vector"
if together then
  methods[4] = { name = "full", whole = true, model = ts.adapt(model, { method = "full" }) }
elseif arg.fine_tuning == "low_rank" then
  methods[4] = { name = "full", whole = true, low_rank = true, model = methods[2].model }
end

local head_of = lib.heads { model = model, seed = start, epochs = epochs, lr_head = builtin and 1e-2 or 1e-3, rows = rows }

-- Stage 0, and every method in its own full space on the test tasks.
local function tuned(method, task)
  if method.whole then
    return ts.train {
      name = "full on " .. task.name,
      model = model, task = task, seed = start, train = { "embeddings", "encoder", "decoder", "pooler" }, origin = head_of(task),
      epochs = epochs, rows = rows, max_answer_length = answer_length,
    }
  end
  return lib.best_of(lrs, start, function(lr)
    return ts.train {
      name = ("%s on %s, lr %g"):format(method.name, task.name, lr),
      model = method.model, task = task, seed = start, train = { "delta" }, origin = head_of(task),
      optim = "adafactor", lr = lr, lr_scheduler_type = "constant", batch_size = 16, epochs = epochs, rows = rows,
      max_answer_length = answer_length,
    }
  end)
end

-- What stage 1 decomposes: of full tuning the code that is its nearest LoRA.
local function solve(method, task)
  if not method.low_rank then return tuned(method, task) end
  return ts.low_rank {
    name = "low-rank code of full on " .. task.name,
    solution = tuned(method, task), model = method.model, max_answer_length = answer_length,
  }
end

-- Stage 1.
local batch = #train_tasks > 1 and 16 or 8
local function train_together(seed, dim, name, options)
  return ts.decompose("shared_vector", lib.with(options, {
    name = name, dim = dim, seed = seed, tasks = train_tasks, bias = { "prefix" },
    members = lib.map(methods, function(method) return { name = method.name, model = method.model } end),
    heads = lib.map(train_tasks, function(task) return (head_of(task) or {}).solution end),
  }))
end
local function decompose(seed, dim, name, options)
  return ts.decompose("joint_decomposition", lib.with(options, {
    name = name, dim = dim, seed = seed,
    members = lib.map(methods, function(method)
      return { name = method.name, solutions = lib.map(train_tasks, function(task) return solve(method, task) end) }
    end),
  }))
end
local function learned(seed, dim, mixing)
  local name = ("shared space, %d dimensions%s"):format(dim, mixing == "none" and ", no mixing" or "")
  local common = {
    steps = steps, lr = arg.stage1_lr, batch_size = batch,
    eval_every = math.max(1, steps // 5), eval_rows = 200, max_answer_length = answer_length,
  }
  if together then return train_together(seed, dim, name, common) end
  common.preset, common.gamma, common.mixing = #train_tasks > 1 and "release-multi-task" or "release", arg.gamma, mixing
  return decompose(seed, dim, name, common)
end

-- Stage 2: one vector, the better of the rates on dev.
local function tune(joint, space, method, task, seed)
  return lib.best_of(rates, seed, function(rate)
    return ts.train(lib.with(release.one_vector(joint.members[method.name], rate, tuning_steps, looks), {
      name = ("%s in %s on %s, lr %g"):format(method.name, space, task.name, rate),
      model = method.model, task = task, seed = seed, origin = head_of(task), rows = rows, max_answer_length = answer_length,
    }))
  end, "lr_coordinates")
end

-- Stage 3; to the source itself it is the score of stage 2.
local function split_of(task) return task.splits.test and "test" or "dev" end
local function decode(joint, space, target, task, z)
  return ts.decode {
    name = ("%s decoded from %s on %s"):format(target.name, space, task.name),
    basis = joint.members[target.name], model = target.model, task = task, z = z, which = "best", origin = head_of(task),
    split = split_of(task), bootstrap = 1000, max_answer_length = answer_length,
  }
end

local spaces = { { name = "learned", make = function(seed) return learned(seed, dim, arg.mixing) end } }
if arg.controls and together then
  spaces[2] = { name = "maps as they are drawn", make = function(seed)
    return train_together(seed, dim, "maps as they are drawn", { fit = "random" })
  end }
elseif arg.controls then
  spaces[2] = { name = "no mixing", make = function(seed) return learned(seed, dim, "none") end }
  spaces[3] = { name = "random decoders", make = function(seed)
    -- Columns as long as those that learning starts from, N(0, 0.02²) in every number.
    local length = 0.02 * math.sqrt(methods[1].model.delta_parameters or 1)
    return decompose(seed, dim, "random decoders", { fit = "random", column_length = length })
  end }
  spaces[4] = { name = "joint principal components", make = function(seed)
    return decompose(seed, dim, "joint principal components", { fit = "pca" })
  end }
end
for i = 2, #arg.dims do
  local dim = arg.dims[i]
  spaces[#spaces + 1] = { name = "learned, d = " .. dim, make = function(seed) return learned(seed, dim, arg.mixing) end }
end

-- Everything is computed in a sweep, so that several processes share it; the tables below read what is there.
local seeds = ts.seeds(arg.quick and 1 or arg.seeds)
ts.sweep({ task = lib.join(train_tasks, test_tasks), method = methods }, function(at) solve(at.method, at.task) end)
ts.sweep({ seed = seeds, space = spaces }, function(at) at.space.make(at.seed) end)
ts.sweep({ seed = seeds, space = spaces, task = test_tasks, source = methods }, function(at)
  local joint = at.space.make(at.seed)
  local found = tune(joint, at.space.name, at.source, at.task, at.seed)
  for _, target in ipairs(methods) do decode(joint, at.space.name, target, at.task, found) end
end)

local report = ts.report "One subspace for adapter, LoRA and prefix"

-- Scores by space, source, target and task, over the seeds.
local function scores(space, source, target, task)
  return lib.map(seeds, function(seed)
    local joint = space.make(seed)
    return decode(joint, space.name, target, task, tune(joint, space.name, source, task, seed)).last.score
  end)
end
local function score_of(solution, task)
  return ts.evaluate {
    name = "full space on " .. task.name,
    solution = solution, which = "best", split = split_of(task), bootstrap = 1000, max_answer_length = answer_length,
  }
end
local function own(method, task) return score_of(tuned(method, task), task) end
local function relative(list, whole)
  return lib.map(list, function(score) return whole ~= 0 and 100 * score / whole or 0 end)
end

local seen = {}
for _, task in ipairs(train_tasks) do seen[task.key] = true end
local function named(task) return seen[task.key] and task.name .. " (seen)" or task.name end

-- A table shaped like the paper's: a row for each test task and their mean, columns of pairs source > target.
local function shaped(caption, space, pairs_of, value, note)
  local columns, rows_of, sums = { "test" }, {}, {}
  for _, pair in ipairs(pairs_of) do columns[#columns + 1] = pair.name end
  columns[#columns + 1] = "mean"
  for _, task in ipairs(test_tasks) do
    local row, all = { named(task) }, {}
    for i, pair in ipairs(pairs_of) do
      local list = value(scores(space, pair.source, pair.target, task), pair.target, task)
      row[#row + 1], all[#all + 1] = list, lib.mean(list)
      sums[i] = (sums[i] or 0) + lib.mean(list)
    end
    row[#row + 1] = lib.mean(all)
    rows_of[#rows_of + 1] = row
  end
  local last, total = { "mean" }, 0
  for i in ipairs(pairs_of) do last[#last + 1], total = sums[i] / #test_tasks, total + sums[i] / #test_tasks end
  last[#last + 1] = total / #pairs_of
  rows_of[#rows_of + 1] = last
  report:table(caption, { columns = columns, rows = rows_of, note = note })
end

local same, other = {}, {}
for _, source in ipairs(methods) do
  for _, target in ipairs(methods) do
    local list = source == target and same or other
    list[#list + 1] = { name = source == target and source.name or source.name .. " > " .. target.name, source = source, target = target }
  end
end
local function in_percent(list, target, task) return relative(list, own(target, task).last.score) end
local function as_it_is(list) return relative(list, 1) end
shaped("Subspace optimisation, relative", spaces[1], same, in_percent,
  "Percent of the same method's score in its own full space (the paper's tables 1 and 4).")
shaped("Transfer, relative", spaces[1], other, in_percent,
  "The source's vector decoded by the target, without training; percent of the target's score in its own full space (the paper's tables 2 "
    .. "and 3).")
shaped("Subspace optimisation, absolute", spaces[1], same, as_it_is, "Hundred times the task's metric.")
shaped("Transfer, absolute", spaces[1], other, as_it_is, "Hundred times the task's metric.")

-- What the relative numbers stand on.
local ground = {}
for _, task in ipairs(test_tasks) do
  local row = { named(task), 100 * task.splits[split_of(task)].majority_score }
  if not writes then
    local probe = { name = "head alone on " .. task.name, solution = head_of(task).solution, split = split_of(task) }
    row[#row + 1] = 100 * ts.evaluate(probe).last.score
  end
  local function add(score)
    row[#row + 1] = ("%.1f [%.1f, %.1f]"):format(100 * score.last.score, 100 * score.interval.low, 100 * score.interval.high)
  end
  for _, method in ipairs(methods) do
    add(own(method, task))
    if method.low_rank then add(score_of(solve(method, task), task)) end
  end
  ground[#ground + 1] = row
end
local ground_columns = { "test", "one answer for all" }
if not writes then ground_columns[3] = "head alone" end
for _, method in ipairs(methods) do
  ground_columns[#ground_columns + 1] = method.name
  if method.low_rank then ground_columns[#ground_columns + 1] = method.name .. ", its code" end
end
report:table("Full space, absolute", {
  columns = ground_columns, rows = ground,
  note = "Hundred times the metric, with the 95 % interval of a bootstrap over the rows; the denominators of the relative tables (of full "
    .. "tuning its own score, not that of its low-rank code).",
})

-- Learned space and controls: means over test tasks and pairs.
local summary = {}
for _, space in ipairs(spaces) do
  local tuned, moved = {}, {}
  for _, task in ipairs(test_tasks) do
    local function percent(pair) return lib.mean(in_percent(scores(space, pair.source, pair.target, task), pair.target, task)) end
    tuned, moved = lib.join(tuned, lib.map(same, percent)), lib.join(moved, lib.map(other, percent))
  end
  summary[#summary + 1] = { space.name, lib.mean(tuned), lib.mean(moved) }
end
local untrained = {}
for _, task in ipairs(test_tasks) do
  for _, method in ipairs(methods) do
    for _, seed in ipairs(seeds) do
      local joint = spaces[1].make(seed)
      local score = decode(joint, "the mean code", method, task, joint.mean_code).last.score
      untrained[#untrained + 1] = lib.mean(in_percent({ score }, method, task))
    end
  end
end
summary[#summary + 1] = { "learned, mean code (nothing trained)", lib.mean(untrained), lib.mean(untrained) }
local chance = {}
for _, task in ipairs(test_tasks) do
  for _, method in ipairs(methods) do
    chance[#chance + 1] = in_percent({ task.splits[split_of(task)].majority_score }, method, task)[1]
  end
end
summary[#summary + 1] = { "one answer for all rows", lib.mean(chance), lib.mean(chance) }
report:table("Spaces and controls", { columns = { "space", "optimisation", "transfer" }, rows = summary,
  note = "Percent of full space, means over test tasks, methods and seeds. A space earns its name only above its controls." })

for _, method in ipairs(methods) do
  report:note(("%s: %d parameters."):format(method.name, method.model.delta_parameters or 0))
  for _, task in ipairs(method.low_rank and test_tasks or {}) do
    local kept = 100 * solve(method, task).energy.best.of_update
    report:note(("%s, %s: the code keeps %.1f %% of the update's squared length."):format(method.name, task.name, kept))
  end
end
report:save()

-- Every training of the first seed's tables, task by task, with what must be shipped; on dev with both checkpoints, on test with the best.
for _, task in ipairs(test_tasks) do
  local split = split_of(task)
  local function on_split(found) return split == "dev" and found or score_of(found, task) end
  local detail = ts.report("One subspace: " .. task.name, { model = model, task = task, folder = "detail_" .. task.name, split = split })
  for _, method in ipairs(methods) do
    detail:row(method.name .. ", full space", on_split(solve(method, task)))
    for _, seed in ipairs(seeds) do
      local joint = spaces[1].make(seed)
      local found = tune(joint, spaces[1].name, method, task, seed)
      detail:row(method.name .. ", subspace", on_split(found))
      for _, target in ipairs(methods) do
        if target ~= method then
          detail:row(method.name .. " > " .. target.name, decode(joint, spaces[1].name, target, task, found))
        end
      end
    end
  end
  detail:save()
end
