-- How many dimensions does fine-tuning need? Full fine-tuning, a frozen encoder, the intrinsic subspace and a random one of the same
-- dimension, over a list of dimensions (Zhang, Liu, Shao, ACL 2023, tables 1 and 5).
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:paraphrase", doc = "folder with a task.toml, or builtin:<name>" },
  dims = { default = { 2, 4, 8 }, doc = "dimensions per layer; the largest is also the number of epochs of the trajectory" },
  variant = {
    default = "delta",
    choices = { "raw", "raw+origin", "centred", "delta", "increment" },
    doc = "what the rows of the trajectory matrix are",
  },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training but the trajectory's; 0: the model's default" },
  rows = { default = 256, min = 0, doc = "training rows that are used, the same for every variant; 0: all" },
  embeddings = { default = true, doc = "train the embeddings beside the coordinates; false: the honest few-parameter case" },
}

local model, task = ts.model(arg.model), ts.task(arg.task)
local longest = math.max(table.unpack(arg.dims))

local train = lib.trainer { model = model, task = task, rows = arg.rows, epochs = lib.given(arg.epochs, model.defaults.epochs) }

local full_name = ("full, %d epochs"):format(longest)
local function full(seed) return train(seed, { name = full_name, epochs = longest, record = ts.every "epoch" }) end
local function frozen(seed, name)
  return train(seed, { name = name, train = arg.embeddings and { "embeddings", "pooler", "head" } or { "pooler", "head" } })
end
local function within(seed, name, basis)
  return train(seed, { name = name, tune = ts.within(basis, { embeddings = arg.embeddings }) })
end
local function intrinsic(seed, name, dim)
  local found = { name = "basis of " .. name, trajectory = full(seed).trajectory, dim = dim, variant = arg.variant }
  return within(seed, name, ts.discover("trajectory_svd", found))
end
local function random(seed, name, dim)
  return within(seed, name, ts.discover("random_projection", { name = "basis of " .. name, model = model, dim = dim, seed = seed }))
end

local variants = {
  { name = full_name, run = full },
  { name = "freeze", run = frozen },
}
for _, dim in ipairs(arg.dims) do
  variants[#variants + 1] = { name = "intrinsic d=" .. dim, run = function(seed, name) return intrinsic(seed, name, dim) end }
  variants[#variants + 1] = { name = "random d=" .. dim, run = function(seed, name) return random(seed, name, dim) end }
end

local report = ts.report("Fine-tuning in tiny subspaces", { model = model, task = task })
ts.sweep({ variant = variants, seed = ts.seeds(arg.seeds) }, function(at)
  report:row(at.variant.name, at.variant.run(at.seed, at.variant.name))
end)
report:save()
