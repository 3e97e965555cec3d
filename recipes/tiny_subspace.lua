-- How many dimensions does fine-tuning need? Full fine-tuning, a frozen encoder, the intrinsic subspace and a random one of the same
-- dimension, over a list of dimensions (Zhang, Liu, Shao, ACL 2023, tables 1 and 5), compared fairly: every method's learning rates are
-- picked on dev, coordinates can travel as far as the trajectory's update lies, steps are counted with those of the trajectory, and the
-- basis is asked what it holds before anything is trained in it. The page begins with the paper's claims and what becomes of them.
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
  rates = { default = { 0.3, 1.0, 3.0 }, doc = "of the search: multiples of the model's learning rate, and of the reach of coordinates" },
  head_rates = { default = { 1.0, 10.0, 100.0 }, doc = "of the search: multiples of the model's learning rate of the head" },
  widen = { default = 0, min = 0, doc = "of the search: how often a list of rates grows at an end that was picked" },
  margin = { default = 0.02, min = 0.001, doc = "of the claims that one method is as good as another" },
  quick = { default = false, doc = "no search: the model's learning rates, and coordinates that reach the update just so" },
}
if arg.quick then arg.rates, arg.head_rates = { 1.0 }, { 1.0 } end

local model, task = ts.model(arg.model), ts.task(arg.task)
local seeds = ts.seeds(arg.seeds)
local longest = math.max(table.unpack(arg.dims))
local epochs = lib.given(arg.epochs, model.defaults.epochs)
local train = lib.trainer { model = model, task = task, rows = arg.rows, epochs = epochs }

-- Methods: run(seed, name, rates) trains with `rates`, a candidate of the search.

local full_name, trajectory_name = ("full, %d epochs"):format(epochs), ("full, %d epochs (trajectory)"):format(longest)
local function full(seed, name, rates) return train(seed, lib.with({ name = name }, rates)) end
local function trajectory_run(seed, name, rates)
  return train(seed, lib.with({ name = name, epochs = longest, record = ts.every "epoch", keep = "all" }, rates))
end
local function frozen(seed, name, rates)
  local parts = arg.embeddings and { "embeddings", "pooler", "head" } or { "pooler", "head" }
  return train(seed, lib.with({ name = name, train = parts }, rates))
end
local function within(seed, name, rates, basis, options)
  local tune = lib.with({ lr = "reach", reach = rates.reach, embeddings = arg.embeddings }, options)
  return train(seed, { name = name, tune = ts.within(basis, tune), lr_head = rates.lr_head, lr_embeddings = rates.lr_embeddings })
end

-- The search, over all seeds, for every method and dimension. Rows of a method take what it picked; a trajectory takes what full
-- fine-tuning did, and the basis of a short trajectory what the long one's of as many dimensions did.

local head_rates = lib.writes(model) and {} or lib.multiples(arg.head_rates, model.defaults.lr_head)
local search, rates_of, searched = lib.rate_search(seeds, head_rates, arg.widen)

local function full_run(seed) return searched("full", trajectory_run(seed, trajectory_name, rates_of "full")) end
local function basis_of(seed, dim, run)
  local trajectory = (run or full_run(seed)).trajectory
  return ts.discover("trajectory_svd", {
    name = "basis of intrinsic d=" .. dim, trajectory = trajectory, dim = dim, variant = arg.variant,
  })
end
-- The null control: the same path with its entries in other places of their tensors, by one permutation for all points.
local function shuffled_basis(seed)
  local trajectory = ts.trajectory { name = "shuffled trajectory", of = full_run(seed).trajectory, shuffled = seed }
  return ts.discover("trajectory_svd", { name = "basis of shuffled", trajectory = trajectory, dim = longest, variant = arg.variant })
end
-- The other reading of table 5: not the top directions of the long trajectory, but a training of as many epochs.
local function short_run(seed, dim)
  local options = { name = ("full, %d epochs (short trajectory)"):format(dim), epochs = dim, record = ts.every "epoch" }
  return train(seed, lib.with(options, rates_of "full"))
end
local function random_basis(seed, dim)
  return ts.discover("random_projection", { name = "basis of random d=" .. dim, model = model, dim = dim, seed = seed })
end
local function intrinsic(seed, name, rates, dim) return within(seed, name, rates, basis_of(seed, dim)) end
local function shuffled(seed, name, rates) return within(seed, name, rates, shuffled_basis(seed)) end
local function random(seed, name, rates, dim)
  return within(seed, name, rates, random_basis(seed, dim), { reach_of = full_run(seed).trajectory })
end

local rates = lib.multiples(arg.rates, model.defaults.lr)
local embeddings = arg.embeddings and { lr_embeddings = rates } or nil
local coordinates = { { reach = arg.rates }, embeddings }
search("full", { lr = rates }, full)
ts.sweep({ seed = seeds }, function(at) full_run(at.seed) end)
search("freeze", embeddings, frozen)
search("shuffled", coordinates, shuffled)
for _, dim in ipairs(arg.dims) do
  search("intrinsic d=" .. dim, coordinates, function(seed, name, rates) return intrinsic(seed, name, rates, dim) end)
  search("random d=" .. dim, coordinates, function(seed, name, rates) return random(seed, name, rates, dim) end)
end

-- Rows.

local report = ts.report("Fine-tuning in tiny subspaces", { model = model, task = task })
local variants = {}
local function variant(section, name, run) variants[#variants + 1] = { section = section, name = name, run = run } end

variant("fine-tuning", full_name, function(seed, name) return searched("full", full(seed, name, rates_of "full")) end)
variant("fine-tuning", trajectory_name, full_run)
variant("fine-tuning", "freeze", function(seed, name) return searched("freeze", frozen(seed, name, rates_of "freeze")) end)
for _, dim in ipairs(arg.dims) do
  local own, random_name = "intrinsic d=" .. dim, "random d=" .. dim
  variant("fine-tuning", own, function(seed, name) return searched(own, intrinsic(seed, name, rates_of(own), dim)) end)
  if dim < longest then
    variant("fine-tuning", ("intrinsic d=%d, short trajectory"):format(dim), function(seed, name)
      return searched(own, within(seed, name, rates_of(own), basis_of(seed, dim, short_run(seed, dim))))
    end)
  end
  variant("fine-tuning", random_name, function(seed, name) return searched(random_name, random(seed, name, rates_of(random_name), dim)) end)
end
local null = ("intrinsic d=%d, entries shuffled"):format(longest)
variant("fine-tuning", null, function(seed, name) return searched("shuffled", shuffled(seed, name, rates_of "shuffled")) end)

local function evaluated(name, options)
  variant("no training inside", name, function(seed)
    return ts.evaluate(lib.with({ name = name, solution = full_run(seed) }, options(seed)))
  end)
end
local held, held_random = ("last update projected, d=%d"):format(longest), ("last update projected, random d=%d"):format(longest)
evaluated(held, function(seed) return { project = basis_of(seed, longest) } end)
evaluated("last update, top direction", function(seed) return { project = basis_of(seed, longest), directions = 1 } end)
evaluated(held_random, function(seed) return { project = random_basis(seed, longest) } end)
evaluated("mean of checkpoints", function() return { which = "mean" } end)

ts.sweep({ variant = variants, seed = seeds }, function(at)
  report:row(at.variant.name, at.variant.run(at.seed, at.variant.name), at.variant.section)
end)

-- Claims: those of the paper, and those of its controls.

local moot = lib.unlearned(task, lib.map(seeds, function(seed) return full(seed, full_name, rates_of "full").last.score end), arg.margin)
local function claim(text, source, options)
  ts.claim(lib.with({ report = report, text = text, source = source, moot = moot }, options))
end
local tuned, chance = "intrinsic d=" .. longest, "random d=" .. longest
claim("A few dimensions a layer are as good as full fine-tuning of as many epochs", "table 1", {
  not_worse = tuned, than = full_name, by = arg.margin,
})
claim("They are better than as many random dimensions", "table 1", { better = tuned, than = chance })
claim("They are better than those of the same path with its entries in other places", "control", { better = tuned, than = null })
claim("They are better than a frozen encoder", "table 1", { better = tuned, than = "freeze" })
claim("Random dimensions are better than a frozen encoder", "table 1", { better = chance, than = "freeze" })
if #arg.dims > 1 then
  claim("More dimensions are better", "table 5", { better = tuned, than = "intrinsic d=" .. math.min(table.unpack(arg.dims)) })
end
claim("A few dimensions a layer are as good as the training behind their basis", "control", {
  not_worse = tuned, than = trajectory_name, by = arg.margin,
})
claim("The basis holds a solution before anything is trained in it", "control", {
  not_worse = held, than = trajectory_name, by = arg.margin,
})
claim("Its top direction alone holds one", "control", { not_worse = "last update, top direction", than = trajectory_name, by = arg.margin })
claim("Random dimensions hold none", "control", { better = held, than = held_random })
claim("Training inside finds more than the basis holds", "control", { better = tuned, than = held })
report:note(("Trajectories take the rates that were picked for full fine-tuning of %d epochs."):format(epochs))
report:save()
