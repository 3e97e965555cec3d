-- What does a tiny subspace cost to ship, and to find? A basis in float32, factored, in bfloat16 and in int8, with the accuracy that each
-- form loses; and bases from less than a whole fine-tuning: first epochs, first steps, a tenth of the rows, a LoRA's training.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:sentiment", doc = "folder with a task.toml, or builtin:<name>" },
  dim = { default = 8, min = 1, doc = "dimensions per layer, and epochs of the trajectory" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of the trainings within a basis; 0: the model's default" },
  rows = { default = 0, min = 0, doc = "training rows; 0: all" },
  reach = { default = 1.0, min = 0.001, doc = "what coordinates can travel, as a multiple of the way to full fine-tuning's own update" },
  embeddings = { default = false, doc = "train the embeddings beside the coordinates" },
  zoo = { default = "", doc = "folder for the first seed's solution in bfloat16, with its basis; empty: none" },
  quick = { default = false, doc = "one seed and few steps, to see it run" },
}
if arg.quick then arg.dim, arg.seeds, arg.rows, arg.epochs = 4, 1, 64, 1 end

local model, task = ts.model(arg.model), ts.task(arg.task)
local epochs = lib.given(arg.epochs, model.defaults.epochs)
local all_rows = arg.rows > 0 and arg.rows or task.splits.train.rows
local train = lib.trainer { model = model, task = task, rows = arg.rows, epochs = epochs }

local function full(seed, options)
  return train(seed, lib.with({ name = "full", epochs = arg.dim, record = ts.every "epoch" }, options))
end
local function basis_from(trajectory, options)
  return ts.discover("trajectory_svd", lib.with({ trajectory = trajectory, dim = arg.dim, variant = "delta" }, options))
end
local function within(seed, name, basis, keep)
  local tune = { lr = "reach", reach = arg.reach, reach_of = full(seed).trajectory, embeddings = arg.embeddings }
  return train(seed, { name = name, keep = keep, tune = ts.within(basis, tune) })
end

-- Forms of one basis.
local function dense(seed) return basis_from(full(seed).trajectory, { name = "dense basis", form = "dense" }) end
local function rounded(form, block)
  return function(seed) return ts.quantize { name = "basis in " .. form, basis = dense(seed), form = form, block = block } end
end
local halves = { name = "full, rows in bfloat16", record = lib.with(ts.every "epoch", { precision = "bfloat16" }) }
local forms = {
  { name = "float32", basis = dense },
  {
    name = "factored",
    basis = function(seed) return basis_from(full(seed).trajectory, { name = "factored basis", form = "factored" }) end,
  },
  {
    name = "factored, rows in bfloat16",
    basis = function(seed) return basis_from(full(seed, halves).trajectory, { name = "factored basis", form = "factored" }) end,
  },
  { name = "bfloat16", basis = rounded "bf16" },
  { name = "int8, a scale for 256 entries", basis = rounded("int8", 256) },
  { name = "int8, a scale a direction", basis = rounded("int8", 0) },
}

local function trained(seed, form)
  return within(seed, "within " .. form.name, form.basis(seed), form == forms[1] and "last" or "none")
end
-- The vector that was trained in float32, decoded by another form of its basis.
local function decoded(seed, form)
  local solution = trained(seed, forms[1])
  return ts.decode {
    name = "decoded by " .. form.name, basis = form.basis(seed), model = model, task = task, z = solution,
    origin = { solution = solution, parts = { "embeddings", "pooler", "head" } }, bootstrap = 0,
  }
end

-- A LoRA's way as a donor: its update, merged into the weights, after 1, 2, 4, … epochs at a constant rate, where a shorter training is the
-- beginning of a longer one.
local adapted = ts.adapt(model, { method = "lora", r = 8 })
local lengths = { 1 }
while lengths[#lengths] * 2 <= arg.dim do lengths[#lengths + 1] = lengths[#lengths] * 2 end
local function lora_path(seed)
  local solutions = lib.map(lengths, function(length)
    return train(seed, {
      name = ("donor: LoRA, %d epochs"):format(length), model = adapted, epochs = length, keep = "last", lr_scheduler_type = "constant",
      lr = 10 * model.defaults.lr, lr_head = model.defaults.lr_head,
    })
  end)
  return ts.trajectory { name = "path of LoRA", solutions = solutions, model = model }
end

-- Trajectories that cost less than a whole one; `rows` counts the rows that they read.
local steps = math.max(2, math.min(arg.dim, 8))
local tenth = math.max(1, all_rows // 10)
local donors = {
  { name = "whole trajectory", rows = all_rows * arg.dim, options = {} },
  { name = "first step", options = { max_steps = 1, epochs = 1, record = ts.every(1) }, steps = 1 },
  { name = ("first %d steps"):format(steps), options = { max_steps = steps, epochs = 1, record = ts.every(1) }, steps = steps },
  { name = "first epoch", rows = all_rows, options = { epochs = 1, record = ts.every "epoch" } },
  {
    name = "first quarter of the epochs", rows = all_rows * math.max(1, arg.dim // 4),
    options = { epochs = math.max(1, arg.dim // 4), record = ts.every "epoch" },
  },
  { name = "a tenth of the rows", rows = tenth * arg.dim, options = { rows = tenth } },
  { name = "a LoRA's way", rows = all_rows * lengths[#lengths], path = lora_path, points = #lengths },
}

-- As many directions as the trajectory has points, at most `dim`.
local function donated(seed, donor)
  if donor.path then
    local basis = basis_from(donor.path(seed), { name = "basis of " .. donor.name, dim = math.min(arg.dim, donor.points) })
    return within(seed, donor.name, basis)
  end
  local run = full(seed, lib.with({ name = "donor: " .. donor.name }, donor.options))
  local points = run.steps or 1
  if donor.options.record == nil or donor.options.record.every == "epoch" then points = donor.options.epochs or arg.dim end
  local basis = basis_from(run.trajectory, { name = "basis of " .. donor.name, dim = math.min(arg.dim, points) })
  return within(seed, donor.name, basis), run
end

local seeds = ts.seeds(arg.seeds)
ts.sweep({ seed = seeds, form = forms }, function(at)
  trained(at.seed, at.form)
  decoded(at.seed, at.form)
end)
ts.sweep({ seed = seeds, donor = donors }, function(at) donated(at.seed, at.donor) end)

local report = ts.report("Shipping a subspace", { model = model, task = task })
local function frozen(seed) return train(seed, { name = "freeze", train = { "pooler", "head" } }) end
local function over_seeds(run) return lib.map(seeds, function(seed) return run(seed).last.score end) end

for _, seed in ipairs(seeds) do
  report:row("full", full(seed), "Ends")
  report:row("freeze", frozen(seed), "Ends")
end
local shipped = {}
for i, form in ipairs(forms) do
  for _, seed in ipairs(seeds) do report:row(form.name, trained(seed, form), "Trained within") end
  for _, seed in ipairs(seeds) do report:row(form.name, decoded(seed, form), "Trained in float32, decoded by") end
  local basis = form.basis(seeds[1])
  local orthonormal = rawget(basis, "orthonormal")
  if orthonormal == nil then orthonormal = true end
  shipped[i] = {
    form.name, basis.bytes, 4 * basis.dim, over_seeds(function(seed) return trained(seed, form) end),
    over_seeds(function(seed) return decoded(seed, form) end), orthonormal and "yes" or "no",
  }
end
report:table("Bytes of basis and coordinates", {
  columns = { "form", "bytes of basis", "bytes of coordinates", "trained within", "decoded", "orthonormal" }, rows = shipped,
  digits = { 0, 0, 0, 3, 3, 0 },
  note = task.metric .. " of a training within each form, and of the vector trained in float32 decoded by it. Head and pooler are sent "
    .. "beside.",
})

local floor, ceiling = lib.mean(over_seeds(frozen)), lib.mean(over_seeds(full))
local costs, series = {}, {}
for i, donor in ipairs(donors) do
  local scores = over_seeds(function(seed) return (donated(seed, donor)) end)
  local read = donor.rows
  if not read then
    local _, run = donated(seeds[1], donor)
    read = math.min(all_rows, all_rows // math.max(1, run.steps_per_epoch or 1) * donor.steps)
  end
  local recovered = ceiling > floor and 100 * (lib.mean(scores) - floor) / (ceiling - floor)
  costs[i] = { donor.name, read, scores, recovered or "–" }
  for _, seed in ipairs(seeds) do report:row(donor.name, (donated(seed, donor)), "Basis from less") end
  if recovered then series[#series + 1] = { name = donor.name, x = { math.max(1, read) }, y = { recovered } } end
end
report:table("Cost of a trajectory", {
  columns = { "basis from", "rows read", task.metric, "recovered" }, rows = costs, digits = { 0, 0, 3, 1 },
  note = "rows read: by the training that the basis is from. recovered: percent of the way from freezing to full fine-tuning's mean score. "
    .. "A basis has as many directions as its trajectory has points.",
})
if #series > 0 then
  report:figure {
    name = "cost_of_a_trajectory", caption = "Rows that the trajectory read against the accuracy that training within its basis recovers",
    kind = "scatter", x_label = "rows read", y_label = "recovered, %", log_x = true, frontier = true, series = series,
  }
else
  report:note("Full fine-tuning is not better than a frozen encoder here, so no donor can recover anything: train on more rows or epochs.")
end
if arg.zoo ~= "" then
  local basis = rounded "bf16"(seeds[1])
  local zoo = ts.zoo { basis = basis, solutions = { within(seeds[1], "within bfloat16", basis, "last") }, path = arg.zoo }
  report:note(("zoo: %d bytes of basis in %s."):format(zoo.bytes_basis, zoo.path))
end
report:save()
