-- What does a tiny subspace cost to ship, and to find? A basis in float32, factored, in bfloat16 and in int8, with the accuracy that each
-- form loses; and bases from less than a whole fine-tuning: the beginning of the trajectory, a tenth of the rows, a LoRA's training. Every
-- method's learning rates are picked on dev; the forms of one basis share those of float32. The page begins with the claims and what
-- becomes of them.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:sentiment", doc = "folder with a task.toml, or builtin:<name>" },
  dim = { default = 8, min = 1, doc = "dimensions per layer, and epochs of the trajectory" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training but the donors'; 0: the model's default" },
  rows = { default = 0, min = 0, doc = "training rows; 0: all" },
  embeddings = { default = false, doc = "train the embeddings beside the coordinates" },
  rates = { default = { 1.0, 3.0 }, doc = "of the search: multiples of the model's learning rate, and of the reach of coordinates" },
  head_rates = { default = { 1.0, 10.0 }, doc = "of the search: multiples of the model's learning rate of the head" },
  widen = { default = 0, min = 0, doc = "of the search: how often a list of rates grows at an end that was picked" },
  margin = { default = 0.02, min = 0.001, doc = "of the claims that one form or donor is as good as another" },
  zoo = { default = "", doc = "folder for the first seed's solution in bfloat16, with its basis; empty: none" },
  quick = { default = false, doc = "one seed, few steps and no search, to see it run" },
}
if arg.quick then
  arg.dim, arg.seeds, arg.rows, arg.epochs = 4, 1, 64, 1
  arg.rates, arg.head_rates = { 1.0 }, { 1.0 }
end

local model, task = ts.model(arg.model), ts.task(arg.task)
local seeds = ts.seeds(arg.seeds)
local epochs = lib.given(arg.epochs, model.defaults.epochs)
local all_rows, batch = arg.rows > 0 and arg.rows or task.splits.train.rows, 32
local epoch_steps = math.ceil(all_rows / batch)
local train = lib.trainer { model = model, task = task, rows = arg.rows, epochs = epochs, batch_size = batch }

-- Methods: run(seed, name, rates) trains with `rates`, a candidate of the search.

local lr_rates = lib.multiples(arg.rates, model.defaults.lr)
local head_rates = lib.writes(model) and {} or lib.multiples(arg.head_rates, model.defaults.lr_head)
local search, rates_of, searched = lib.rate_search(seeds, head_rates, arg.widen)
local own = { { reach = arg.rates } }
if arg.embeddings then own[2] = { lr_embeddings = lr_rates } end

local full_name, trajectory_name = ("full, %d epochs"):format(epochs), ("full, %d epochs (trajectory)"):format(arg.dim)
local function full(seed, name, rates) return train(seed, lib.with({ name = name }, rates)) end
local function frozen(seed, name, rates)
  local parts = arg.embeddings and { "embeddings", "pooler", "head" } or { "pooler", "head" }
  return train(seed, lib.with({ name = name, train = parts }, rates))
end
-- A training of as many epochs as the basis has dimensions, at the rates of full fine-tuning.
local function long(seed, options)
  local shared = { name = trajectory_name, epochs = arg.dim, record = ts.every "epoch" }
  return searched("full", train(seed, lib.with(lib.with(shared, rates_of "full"), options)))
end
local function basis_from(trajectory, options)
  return ts.discover("trajectory_svd", lib.with({ trajectory = trajectory, dim = arg.dim, variant = "delta" }, options))
end
-- Coordinates of every basis travel as far as the whole trajectory's update is long, or a multiple of it.
local function within(seed, name, rates, basis, keep)
  local tune = { lr = "reach", reach = rates.reach, reach_of = long(seed).trajectory, embeddings = arg.embeddings }
  return train(seed, {
    name = name, keep = keep, tune = ts.within(basis, tune), lr_head = rates.lr_head, lr_embeddings = rates.lr_embeddings,
  })
end

-- Forms of one basis.

local function dense(seed) return basis_from(long(seed).trajectory, { name = "dense basis", form = "dense" }) end
local function factored(seed, options)
  return basis_from(long(seed, options).trajectory, { name = "factored basis", form = "factored" })
end
local function rounded(form, block)
  return function(seed) return ts.quantize { name = "basis in " .. form, basis = dense(seed), form = form, block = block } end
end
local halves = { name = "full, rows in bfloat16", record = lib.with(ts.every "epoch", { precision = "bfloat16" }) }
local small, coarse = "int8, a scale for 256 entries", "int8, a scale a direction"
local forms = {
  { name = "float32", basis = dense },
  { name = "factored", basis = factored },
  { name = "factored, rows in bfloat16", basis = function(seed) return factored(seed, halves) end },
  { name = "bfloat16", basis = rounded "bf16" },
  { name = small, basis = rounded("int8", 256) },
  { name = coarse, basis = rounded("int8", 0) },
}

-- All forms take the rates of float32, so that rounding is the only difference.
local function trained(seed, form)
  local keep = form == forms[1] and "last" or "none"
  return searched("float32", within(seed, "within " .. form.name, rates_of "float32", form.basis(seed), keep))
end
-- The vector that was trained in float32, decoded by another form of its basis.
local function decoded(seed, form)
  local solution = trained(seed, forms[1])
  return ts.decode {
    name = "decoded by " .. form.name, basis = form.basis(seed), model = model, task = task, z = solution, which = "last",
    origin = { solution = solution, parts = { "embeddings", "pooler", "head" } }, bootstrap = 0,
  }
end

-- Donors: trainings that a basis is from. `rows` counts the rows that one reads, `points` those of its trajectory.

-- The options of a training that ends after `steps` steps, with the schedule of the whole: a step is a forward and a backward pass, which
-- counts twice.
local function beginning(steps) return { max_forward_passes = 3 * steps } end
local function rows_in(steps) return steps // epoch_steps * all_rows + steps % epoch_steps * batch end
local function first(what, steps, every)
  local name = "trajectory's first " .. what
  local function trajectory(seed)
    return long(seed, lib.with(beginning(steps), { name = "donor: " .. name, record = ts.every(every) })).trajectory
  end
  return { name = name, rows = rows_in(steps), points = steps // every, trajectory = trajectory }
end

-- The path of a LoRA: its update, merged into the weights, after 1, 2, 4, … epochs of one training.
local adapted = ts.adapt(model, { method = "lora", r = 8 })
local lengths = { 1 }
while lengths[#lengths] * 2 <= arg.dim do lengths[#lengths + 1] = lengths[#lengths] * 2 end
local longest = lengths[#lengths]
local function lora(seed, name, rates, options)
  local shared = { name = name, model = adapted, epochs = longest, lr = 10 * model.defaults.lr }
  return train(seed, lib.with(lib.with(shared, rates), options))
end
local function lora_path(seed)
  local solutions = lib.map(lengths, function(length)
    local options = lib.with(beginning(length * epoch_steps), { keep = "last" })
    return lora(seed, ("donor: LoRA, %d of %d epochs"):format(length, longest), rates_of "LoRA", options)
  end)
  return ts.trajectory { name = "path of LoRA", solutions = solutions, model = model }
end

local tenth, steps = math.max(1, all_rows // 10), math.max(2, arg.dim)
local every = math.max(1, epoch_steps // arg.dim)
local whole = { name = "whole trajectory", rows = all_rows * arg.dim, points = arg.dim }
local fine = first(("epoch, a point every %s"):format(every == 1 and "step" or every .. " steps"), epoch_steps, every)
local short = first("epoch", epoch_steps, epoch_steps)
local fewer = {
  name = "a tenth of the rows", rows = tenth * arg.dim, points = arg.dim,
  trajectory = function(seed) return long(seed, { name = "donor: a tenth of the rows", rows = tenth }).trajectory end,
}
local adapter = { name = "a LoRA's training", rows = all_rows * longest, points = #lengths, trajectory = lora_path }
local donors = { first("step", 1, 1), first(steps .. " steps", steps, 1), short, fine }
if arg.dim >= 8 then
  donors[#donors + 1] = first(("%d epochs"):format(arg.dim // 4), arg.dim // 4 * epoch_steps, epoch_steps)
end
donors = lib.join(donors, { fewer, adapter })

-- As many directions as the trajectory has points, at most `dim`.
local function directions(donor) return math.min(arg.dim, donor.points) end
local function within_donor(seed, name, rates, donor)
  local basis = basis_from(donor.trajectory(seed), { name = "basis of " .. donor.name, dim = directions(donor) })
  return within(seed, name, rates, basis)
end
local function donated(seed, donor)
  if donor == whole then return trained(seed, forms[1]) end
  return searched(donor.name, within_donor(seed, donor.name, rates_of(donor.name), donor))
end

-- The search, over all seeds. Every row of a method takes what it picked.

search("full", { lr = lr_rates }, full)
ts.sweep({ seed = seeds }, function(at) long(at.seed) end)
search("freeze", arg.embeddings and { lr_embeddings = lr_rates } or nil, frozen)
search("float32", own, function(seed, name, rates) return within(seed, name, rates, dense(seed)) end)
search("LoRA", { lr = lib.multiples(arg.rates, 10 * model.defaults.lr) }, lora)
for _, donor in ipairs(donors) do
  search(donor.name, own, function(seed, name, rates) return within_donor(seed, name, rates, donor) end)
end
donors = lib.join({ whole }, donors)

-- Rows.

local report = ts.report("Shipping a subspace", { model = model, task = task })
local variants = {}
local function variant(section, name, run) variants[#variants + 1] = { section = section, name = name, run = run } end
local function ceiling_run(seed) return searched("full", full(seed, full_name, rates_of "full")) end
local function floor_run(seed) return searched("freeze", frozen(seed, "freeze", rates_of "freeze")) end

variant("Ends", full_name, ceiling_run)
variant("Ends", trajectory_name, function(seed) return long(seed) end)
variant("Ends", "freeze", floor_run)
for _, form in ipairs(forms) do
  variant("Trained within", form.name, function(seed) return trained(seed, form) end)
end
for _, form in ipairs(forms) do
  variant("Trained in float32", "decoded by " .. form.name, function(seed) return decoded(seed, form) end)
end
for _, donor in ipairs(donors) do
  variant("Basis from", donor.name, function(seed) return donated(seed, donor) end)
end
ts.sweep({ variant = variants, seed = seeds }, function(at)
  report:row(at.variant.name, at.variant.run(at.seed), at.variant.section)
end)

-- Claims.

local moot = lib.unlearned(task, lib.map(seeds, function(seed) return ceiling_run(seed).last.score end), arg.margin)
local function claim(text, source, options)
  ts.claim(lib.with({ report = report, text = text, source = source, moot = moot }, options))
end
local function as_good(text, source, name, than) claim(text, source, { not_worse = name, than = than, by = arg.margin }) end
as_good("Training within a basis in bfloat16 loses nothing beside float32", "form", "bfloat16", "float32")
as_good("Training within a basis in int8 loses nothing beside float32", "form", small, "float32")
as_good("A vector trained in float32 loses nothing when bfloat16 decodes it", "form", "decoded by bfloat16", "decoded by float32")
as_good("A vector trained in float32 loses nothing when int8 decodes it", "form", "decoded by " .. small, "decoded by float32")
claim("In int8 a scale for 256 entries decodes better than a scale a direction", "form", {
  better = "decoded by " .. small, than = "decoded by " .. coarse,
})
as_good("The one direction of the first epoch recovers as much as the whole trajectory's", "donor", short.name, whole.name)
if directions(fine) > 1 then
  as_good("More points of the first epoch recover as much as the whole trajectory", "donor", fine.name, whole.name)
end
as_good("A tenth of the rows is as good a donor as all", "donor", fewer.name, whole.name)
as_good("A LoRA's training is as good a donor as full fine-tuning", "donor", adapter.name, whole.name)
as_good("The whole trajectory's basis is as good as full fine-tuning of as many epochs", "control", whole.name, full_name)
claim("The whole trajectory's basis is better than a frozen encoder", "control", { better = whole.name, than = "freeze" })

-- Tables and figure.

local function over_seeds(run) return lib.map(seeds, function(seed) return run(seed).last.score end) end
local shipped = {}
for i, form in ipairs(forms) do
  local basis = form.basis(seeds[1])
  shipped[i] = {
    form.name, basis.bytes, 4 * basis.dim, over_seeds(function(seed) return trained(seed, form) end),
    over_seeds(function(seed) return decoded(seed, form) end), rawget(basis, "orthonormal") == false and "no" or "yes",
  }
end
report:table("Bytes of basis and coordinates", {
  columns = { "form", "bytes of basis", "bytes of coordinates", "trained within", "decoded", "orthonormal" }, rows = shipped,
  digits = { 0, 0, 0, 3, 3, 0 },
  note = task.metric .. " of a training within each form, at the learning rates picked for float32, and of the vector trained in float32 "
    .. "decoded by it. Head and pooler are sent beside.",
})

local floor, ceiling = lib.mean(over_seeds(floor_run)), lib.mean(over_seeds(ceiling_run))
local costs, series = {}, {}
for i, donor in ipairs(donors) do
  local scores = over_seeds(function(seed) return donated(seed, donor) end)
  local recovered = ceiling - floor > arg.margin and 100 * (lib.mean(scores) - floor) / (ceiling - floor)
  costs[i] = { donor.name, donor.rows, directions(donor), scores, recovered or "–" }
  if recovered then series[#series + 1] = { name = donor.name, x = { donor.rows }, y = { recovered } } end
end
local ends = ("'freeze' to '%s', trainings of as many epochs as those within a basis"):format(full_name)
report:table("Cost of a trajectory", {
  columns = { "basis from", "rows read", "directions a layer", task.metric, "recovered" }, rows = costs, digits = { 0, 0, 0, 3, 1 },
  note = "rows read: by the training that the basis is from, without the search of its learning rates. recovered: percent of the way in "
    .. "mean score from " .. ends .. ". A first step or epoch is the beginning of the trajectory's own training, at the rates of its long "
    .. "schedule. A basis has at most as many directions as its trajectory has points. Coordinates of every basis can travel a multiple, "
    .. "picked on dev, of the whole trajectory's update, so 'steps before' counts that trajectory for all.",
})
if #series > 0 then
  report:figure {
    name = "cost_of_a_trajectory", kind = "scatter", x_label = "rows read", y_label = "recovered, %", log_x = true, frontier = true,
    caption = "Rows that the trajectory read against what training within its basis recovers: percent of the way from " .. ends,
    series = series,
  }
else
  local reason = "'%s' is not better than 'freeze' by more than %g, so no donor can recover anything: train on more rows or epochs."
  report:note(reason:format(full_name, arg.margin))
end
if arg.zoo ~= "" then
  local basis = rounded "bf16"(seeds[1])
  local solution = within(seeds[1], "within bfloat16", rates_of "float32", basis, "last")
  local zoo = ts.zoo { basis = basis, solutions = { solution }, path = arg.zoo }
  report:note(("zoo: %d bytes of basis in %s."):format(zoo.bytes_basis, zoo.path))
end
report:save()
