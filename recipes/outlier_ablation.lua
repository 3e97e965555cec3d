-- Outlier dimensions in the intrinsic subspace (Zhang, Liu, Shao: Fine-tuning Happens in Tiny Subspaces, ACL 2023), with the controls that
-- the claim needs. Reads top to bottom like the protocol: record a trajectory, find a basis, train inside it, find the outliers of that
-- update, zero the weights there, fine-tune again. Both readings of the basis stand side by side: `raw` (the paper's text) and `delta`.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:paraphrase", doc = "folder with a task.toml, or builtin:<name>" },
  dim = { default = 16, min = 1, doc = "dimensions per layer, and epochs of the trajectory: one checkpoint an epoch" },
  seeds = { default = 3, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training but the trajectory's; 0: the model's default" },
  rows = { default = 1000, min = 0, doc = "training rows that are used, the same for every variant; 0: all" },
  lr = { default = 0.0, min = 0, doc = "of encoder, embeddings and head; 0: the model's defaults" },
  lr_z = { default = 0.0, min = 0, doc = "of the subspace coordinates; 0: so that they can travel as far as the trajectory's update lies" },
  rates = { default = { 1.0, 3.0 }, doc = "of the search: multiples of the learning rate, and of the reach of coordinates" },
  head_rates = { default = { 1.0, 10.0 }, doc = "of the search: multiples of the learning rate of the head" },
  widen = { default = 0, min = 0, doc = "of the search: how often a list of rates grows at an end that was picked" },
  margin = { default = 0.02, min = 0.001, doc = "of the claims that two variants differ little" },
  sigmas = { default = 3.0, min = 0, doc = "an outlier lies so many standard deviations from its layer's mean" },
  hold = { default = true, doc = "zeroed weights stay zero while training; false: only at the start" },
  ensemble = { default = 1, min = 1, doc = "copies of the coordinates that are averaged (the paper: 16)" },
  init = { default = 0.0, min = 0, doc = "standard deviation of the coordinates' first values" },
  embeddings = { default = true, doc = "train the embeddings beside the coordinates (the paper does)" },
  quick = { default = false, doc = "no search: these learning rates for all" },
}
if arg.quick then arg.rates, arg.head_rates = { 1.0 }, { 1.0 } end

local model, task = ts.model(arg.model), ts.task(arg.task)
local seeds = ts.seeds(arg.seeds)
local epochs = lib.given(arg.epochs, model.defaults.epochs)
local lr, lr_head = lib.given(arg.lr, model.defaults.lr), lib.given(arg.lr, model.defaults.lr_head)
local train = lib.trainer { model = model, task = task, lr = lr, rows = arg.rows, epochs = epochs }

-- Learning rates are picked on dev, for all seeds alike: of full fine-tuning (also that of the trajectory, and with zeroed weights), of the
-- frozen encoder, of the frozen mean, and of coordinates within each kind of basis. Every row of a method takes what it picked.
local head_rates = lib.writes(model) and {} or lib.multiples(arg.head_rates, lr_head)
local search, rates_of, searched = lib.rate_search(seeds, head_rates, arg.widen)

-- Everything below is a function of the seed. A stage that was computed before is read, so calling one twice costs nothing. Names are what
-- the display says.

local function full(seed, rates, options) return train(seed, lib.with(options, rates)) end

local trajectory_name = ("full, %d epochs (trajectory)"):format(arg.dim)

local function trajectory_run(seed)
  return full(seed, rates_of "fine-tuning", { name = trajectory_name, epochs = arg.dim, record = ts.every "epoch", keep = "all" })
end

local function basis_of(trajectory, reading, name)
  return ts.discover("trajectory_svd", { name = "basis, " .. name, trajectory = trajectory, dim = arg.dim, variant = reading })
end
local function basis(seed, reading) return basis_of(trajectory_run(seed).trajectory, reading, reading) end

-- The null control: the same path with its entries in other places of their tensors, by one permutation for all points.
local function shuffled_basis(seed)
  local trajectory = ts.trajectory { name = "shuffled trajectory", of = trajectory_run(seed).trajectory, shuffled = seed }
  return basis_of(trajectory, "delta", "shuffled")
end

local function random_basis(seed)
  return ts.discover("random_projection", { name = "basis, random", model = model, dim = arg.dim, seed = seed })
end

local function within(seed, name, rates, subspace, reach_of)
  local tune = { reach = rates.reach, reach_of = reach_of, init = arg.init, ensemble = arg.ensemble, embeddings = arg.embeddings }
  tune.lr = rates.lr_coordinates or "reach"
  local parts = { name = name, keep = "last", tune = ts.within(subspace, tune) }
  return train(seed, lib.with(parts, { lr_head = rates.lr_head, lr_embeddings = rates.lr_embeddings }))
end
local function within_random(seed, name, rates)
  return within(seed, name, rates or rates_of "random", random_basis(seed), trajectory_run(seed).trajectory)
end

local function within_shuffled(seed, name, rates) return within(seed, name, rates or rates_of "shuffled", shuffled_basis(seed)) end

local function intrinsic(seed, reading)
  return within(seed, "intrinsic " .. reading, rates_of("intrinsic " .. reading), basis(seed, reading))
end

local function outliers(seed, reading)
  return ts.outliers { name = "outliers of " .. reading, solution = intrinsic(seed, reading), sigmas = arg.sigmas }
end

local function control(seed, reading, kind, name)
  return ts.mask(kind, { name = "mask for " .. name, like = outliers(seed, reading), seed = seed })
end

local function zeroed(seed, mask, name)
  return full(seed, rates_of "fine-tuning", { name = name, zero = mask, hold = arg.hold })
end

local function without_encoder(seed, name, rates, origin)
  local parts = arg.embeddings and { "embeddings", "pooler", "head" } or { "pooler", "head" }
  return train(seed, lib.with({ name = name, train = parts, origin = origin }, rates))
end
local function mean_frozen(seed, name, rates)
  return without_encoder(seed, name, rates, { solution = trajectory_run(seed), which = "mean" })
end

-- The basis of another seed tells what a basis knows beyond its own run. With one seed, one more trajectory is recorded for it.
local function other(seed)
  for i, s in ipairs(seeds) do
    if s == seed then return seeds[i % #seeds + 1] ~= seed and seeds[i % #seeds + 1] or seed + 1 end
  end
end

-- Searches, and the trajectories, for which nearly everything else waits.
local rates = lib.multiples(arg.rates, lr)
local embeddings = arg.embeddings and { lr_embeddings = rates } or nil
local reaches = arg.lr_z > 0 and { lr_coordinates = lib.multiples(arg.rates, arg.lr_z) } or { reach = arg.rates }
local coordinates = { reaches, embeddings }
search("fine-tuning", { lr = rates }, function(seed, name, picked) return full(seed, picked, { name = name }) end)
local first = { table.unpack(seeds) }
if #seeds == 1 then first[2] = other(seeds[1]) end
ts.sweep({ seed = first }, function(at) trajectory_run(at.seed) end)
search("freeze", embeddings, without_encoder)
search("mean of checkpoints", embeddings, mean_frozen)
for _, reading in ipairs { "raw", "delta" } do
  search("intrinsic " .. reading, coordinates, function(seed, name, picked) return within(seed, name, picked, basis(seed, reading)) end)
end
search("shuffled", coordinates, within_shuffled)
search("random", coordinates, within_random)

-- run(seed, name) makes the result of a row, at what the search of `method` picked.
local variants = {}
local section
local function variant(name, run, method)
  local function of(seed) return method and searched(method, run(seed, name)) or run(seed, name) end
  variants[#variants + 1] = { section = section, name = name, run = of }
end

section = "fine-tuning"
variant(trajectory_name, trajectory_run, "fine-tuning")
local full_name = ("full, %d epochs"):format(epochs)
variant(full_name, function(seed, name) return full(seed, rates_of "fine-tuning", { name = name }) end, "fine-tuning")
variant("freeze (z = 0)", function(seed, name) return without_encoder(seed, name, rates_of "freeze") end, "freeze")
for _, reading in ipairs { "raw", "delta" } do
  variant("intrinsic " .. reading, function(seed) return intrinsic(seed, reading) end, "intrinsic " .. reading)
end
variant("intrinsic delta, other seed's basis", function(seed, name)
  return within(seed, name, rates_of "intrinsic delta", basis(other(seed), "delta"))
end, "intrinsic delta")
variant("intrinsic delta, entries shuffled", within_shuffled, "shuffled")
variant("random", within_random, "random")
local frozen_mean = "mean of checkpoints as encoder, frozen"
variant(frozen_mean, function(seed, name)
  return mean_frozen(seed, name, rates_of "mean of checkpoints")
end, "mean of checkpoints")

for _, reading in ipairs { "raw", "delta" } do
  section = "weights zeroed at the outliers of " .. reading
  variant(reading .. ": outliers", function(seed, name) return zeroed(seed, outliers(seed, reading), name) end, "fine-tuning")
  for _, c in ipairs { "random", "random_per_tensor", "magnitude", "without_norms", "magnitude_without_norms", "top" } do
    variant(("%s: %s"):format(reading, c:gsub("_", " ")), function(seed, name)
      return zeroed(seed, control(seed, reading, c, name), name)
    end, "fine-tuning")
  end
  variant(reading .. ": update reset, weights kept", function(seed, name)
    return ts.evaluate { name = name, solution = intrinsic(seed, reading), reset = outliers(seed, reading) }
  end)
end

section = "no further training"
local function evaluated(seed, name, options)
  return ts.evaluate(lib.with(options, { name = name, solution = trajectory_run(seed) }))
end
variant("last checkpoint", function(seed, name) return evaluated(seed, name, {}) end)
variant("mean of checkpoints", function(seed, name) return evaluated(seed, name, { which = "mean" }) end)
for _, reading in ipairs { "raw", "delta" } do
  variant("last update projected, " .. reading, function(seed, name)
    return evaluated(seed, name, { project = basis(seed, reading) })
  end)
  variant("last update, top direction, " .. reading, function(seed, name)
    return evaluated(seed, name, { project = basis(seed, reading), directions = 1 })
  end)
end
variant("last update projected, random", function(seed, name) return evaluated(seed, name, { project = random_basis(seed) }) end)

local report = ts.report("Outlier dimensions in the intrinsic subspace", { model = model, task = task })
ts.sweep({ variant = variants, seed = seeds }, function(at)
  report:row(at.variant.name, at.variant.run(at.seed), at.variant.section)
end)

-- Scores of a model that gives every row the commonest answer, where the task has one.
local majority = lib.majority(task)
local collapsed = lib.map(seeds, function() return majority end)
local moot = lib.unlearned(task, lib.map(seeds, function(seed)
  return full(seed, rates_of "fine-tuning", { name = full_name }).last.score
end), arg.margin)

-- Claims: those of the paper, and those of its controls.
local function claim(text, source, options)
  ts.claim(lib.with({ report = report, section = section, moot = moot, text = text, source = source }, options))
end
for _, reading in ipairs { "raw", "delta" } do
  section = "a basis of " .. reading
  local tuned, held = "intrinsic " .. reading, "last update projected, " .. reading
  claim("A few dimensions a layer are as good as full fine-tuning of as many epochs", "table 1", {
    not_worse = tuned, than = full_name, by = arg.margin,
  })
  claim("They are better than as many random dimensions", "table 1", { better = tuned, than = "random" })
  claim("They are better than a frozen encoder", "table 1", { better = tuned, than = "freeze (z = 0)" })
  claim("The basis holds a solution before anything is trained in it", "control", {
    not_worse = held, than = trajectory_name, by = arg.margin,
  })
  claim("Its top direction alone holds one", "control", {
    not_worse = "last update, top direction, " .. reading, than = trajectory_name, by = arg.margin,
  })
  claim("Training inside finds more than the mean of checkpoints with a new head", "control", {
    better = tuned, than = frozen_mean,
  })
end
section = "other bases"
claim("Random dimensions are better than a frozen encoder", "table 1", { better = "random", than = "freeze (z = 0)" })
claim("Random dimensions hold no solution", "control", { better = "last update projected, delta", than = "last update projected, random" })
claim("delta: dimensions of the own run are better than those of another seed's", "control", {
  better = "intrinsic delta", than = "intrinsic delta, other seed's basis",
})
claim("delta: they are better than those of the same path with its entries in other places", "control", {
  better = "intrinsic delta", than = "intrinsic delta, entries shuffled",
})
for _, reading in ipairs { "raw", "delta" } do
  section = "weights zeroed at the outliers of " .. reading
  local function row(name) return reading .. ": " .. name end
  claim("Zeroing random weights costs little", "table 3", { not_worse = row "random", than = full_name, by = arg.margin })
  claim("Zeroing as many outliers hurts more", "table 3", { better = row "random", than = row "outliers" })
  if majority then
    claim("Zeroing outliers leaves no more than the majority's score", "table 3", {
      not_worse = "majority", than_scores = lib.map(seeds, function(seed) return zeroed(seed, outliers(seed, reading)).last.score end),
      than = row "outliers", row_scores = collapsed, by = arg.margin,
    })
  end
  claim("Zeroing outliers hurts more than zeroing as many of each tensor", "control", {
    better = row "random per tensor", than = row "outliers",
  })
  claim("Zeroing the largest outlier of each layer costs little", "the paper's first test", {
    not_worse = row "top", than = full_name, by = arg.margin,
  })
  claim("Zeroing as many of the largest pre-trained weights hurts as much", "control", {
    not_worse = row "outliers", than = row "magnitude", by = arg.margin,
  })
  claim("Outliers outside LayerNorms hurt less", "control", { better = row "without norms", than = row "outliers" })
  claim("Taking back the update at outliers hurts less than zeroing them", "control", {
    better = row "update reset, weights kept", than = row "outliers",
  })
end

-- Figures of the first seed.
local seed = seeds[1]
report:spectrum("Singular values of each layer's basis", { raw = basis(seed, "raw"), delta = basis(seed, "delta") })
local random = within_random(seed, "random")
local random_outliers = ts.outliers { name = "outliers of random", solution = random, sigmas = arg.sigmas }
report:positions("Update along the positions of each layer: intrinsic (raw)", outliers(seed, "raw"), { sigmas = arg.sigmas })
report:positions("Update along the positions of each layer: intrinsic (delta)", outliers(seed, "delta"), { sigmas = arg.sigmas })
report:positions("Update along the positions of each layer: random basis", random_outliers, { sigmas = arg.sigmas })
report:shares("Outliers by kind of tensor", { raw = outliers(seed, "raw"), delta = outliers(seed, "delta"), random = random_outliers })
for _, reading in ipairs { "raw", "delta" } do report:outliers(reading, outliers(seed, reading)) end
report:note(("Trajectories, and trainings with zeroed weights, take the rates that were picked for full fine-tuning of %d epochs."):format(
  epochs))
report:save()
