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
  lr = { default = 0.0, min = 0, doc = "of encoder, embeddings and head; 0: the model's default" },
  lr_z = { default = 0.0, min = 0, doc = "of the subspace coordinates; 0: so that they can travel as far as the trajectory's update lies" },
  margin = { default = 0.02, min = 0.001, doc = "of the claims that two variants differ little" },
  sigmas = { default = 3.0, min = 0, doc = "an outlier lies so many standard deviations from its layer's mean" },
  hold = { default = true, doc = "zeroed weights stay zero while training; false: only at the start" },
  ensemble = { default = 1, min = 1, doc = "copies of the coordinates that are averaged (the paper: 16)" },
  init = { default = 0.0, min = 0, doc = "standard deviation of the coordinates' first values" },
  embeddings = { default = true, doc = "train the embeddings beside the coordinates (the paper does)" },
}

local model, task = ts.model(arg.model), ts.task(arg.task)
local seeds = ts.seeds(arg.seeds)
local epochs = lib.given(arg.epochs, model.defaults.epochs)
local train = lib.trainer { model = model, task = task, lr = lib.given(arg.lr, model.defaults.lr), rows = arg.rows, epochs = epochs }

-- Everything below is a function of the seed. A stage that was computed before is read, so calling one twice costs nothing. Names are what
-- the display says.

local trajectory_name = ("full, %d epochs (trajectory)"):format(arg.dim)

local function trajectory_run(seed)
  return train(seed, { name = trajectory_name, epochs = arg.dim, record = ts.every "epoch", keep = "all" })
end

local function basis(seed, reading)
  local trajectory = trajectory_run(seed).trajectory
  return ts.discover("trajectory_svd", { name = "basis, " .. reading, trajectory = trajectory, dim = arg.dim, variant = reading })
end

local function random_basis(seed)
  return ts.discover("random_projection", { name = "basis, random", model = model, dim = arg.dim, seed = seed })
end

local function within(seed, subspace, name, reach_of)
  local tune = { reach_of = reach_of, init = arg.init, ensemble = arg.ensemble, embeddings = arg.embeddings }
  tune.lr = arg.lr_z > 0 and arg.lr_z or "reach"
  return train(seed, { name = name, keep = "last", tune = ts.within(subspace, tune) })
end
local function within_random(seed, name) return within(seed, random_basis(seed), name, trajectory_run(seed).trajectory) end

local function intrinsic(seed, reading) return within(seed, basis(seed, reading), "intrinsic " .. reading) end

local function outliers(seed, reading)
  return ts.outliers { name = "outliers of " .. reading, solution = intrinsic(seed, reading), sigmas = arg.sigmas }
end

local function control(seed, reading, kind, name)
  return ts.mask(kind, { name = "mask for " .. name, like = outliers(seed, reading), seed = seed })
end

local function zeroed(seed, mask, name)
  return train(seed, { name = name, zero = mask, hold = arg.hold })
end

local function without_encoder(seed, options)
  return train(seed, lib.with(options, { train = arg.embeddings and { "embeddings", "pooler", "head" } or { "pooler", "head" } }))
end

-- The basis of another seed tells what a basis knows beyond its own run. With one seed, one more trajectory is recorded for it.
local function other(seed)
  for i, s in ipairs(seeds) do
    if s == seed then return seeds[i % #seeds + 1] ~= seed and seeds[i % #seeds + 1] or seed + 1 end
  end
end

-- run(seed, name) makes the result of a row.
local variants = {}
local section
local function variant(name, run) variants[#variants + 1] = { section = section, name = name, run = run } end

section = "fine-tuning"
variant(trajectory_name, trajectory_run)
local full_name = ("full, %d epochs"):format(epochs)
variant(full_name, function(seed, name) return train(seed, { name = name }) end)
variant("freeze (z = 0)", function(seed, name) return without_encoder(seed, { name = name }) end)
variant("intrinsic raw", function(seed) return intrinsic(seed, "raw") end)
variant("intrinsic delta", function(seed) return intrinsic(seed, "delta") end)
variant("intrinsic delta, other seed's basis", function(seed, name) return within(seed, basis(other(seed), "delta"), name) end)
variant("random", within_random)
variant("mean of checkpoints as encoder, frozen", function(seed, name)
  return without_encoder(seed, { name = name, origin = { solution = trajectory_run(seed), which = "mean" } })
end)

for _, reading in ipairs { "raw", "delta" } do
  section = "weights zeroed at the outliers of " .. reading
  variant(reading .. ": outliers", function(seed, name) return zeroed(seed, outliers(seed, reading), name) end)
  for _, c in ipairs { "random", "random_per_tensor", "magnitude", "without_norms", "magnitude_without_norms", "top" } do
    variant(("%s: %s"):format(reading, c:gsub("_", " ")), function(seed, name)
      return zeroed(seed, control(seed, reading, c, name), name)
    end)
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

-- Trajectories first: nearly everything else waits for them.
local first = { table.unpack(seeds) }
if #seeds == 1 then first[2] = other(seeds[1]) end
ts.sweep({ seed = first }, function(at) trajectory_run(at.seed) end)

local report = ts.report("Outlier dimensions in the intrinsic subspace", { model = model, task = task })
ts.sweep({ variant = variants, seed = seeds }, function(at)
  report:row(at.variant.name, at.variant.run(at.seed, at.variant.name), at.variant.section)
end)

-- Claims: those of the paper, and those of its controls.
local function claim(text, source, options) ts.claim(lib.with({ report = report, text = text, source = source }, options)) end
for _, reading in ipairs { "raw", "delta" } do
  local function row(name) return reading .. ": " .. name end
  claim(reading .. ": zeroing outliers hurts more than zeroing as many random weights", "table 3", {
    better = row "random", than = row "outliers",
  })
  claim(reading .. ": it hurts more than zeroing as many of each tensor", "control", {
    better = row "random per tensor", than = row "outliers",
  })
  claim(reading .. ": zeroing the largest outlier of each layer costs little", "the paper's first test", {
    not_worse = row "top", than = full_name, by = arg.margin,
  })
  claim(reading .. ": zeroing as many of the largest pre-trained weights hurts as much", "control", {
    not_worse = row "outliers", than = row "magnitude", by = arg.margin,
  })
  claim(reading .. ": outliers outside LayerNorms hurt less", "control", { better = row "without norms", than = row "outliers" })
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
report:save()
