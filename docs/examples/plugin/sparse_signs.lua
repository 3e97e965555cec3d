-- A subspace of one's own beside the built-in random one, on the embedded default.
local ts = require "ts"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:sentiment", doc = "folder with a task.toml, or builtin:<name>" },
  dim = { default = 8, min = 1, doc = "coordinates per layer" },
  seeds = { default = 1, min = 1, doc = "number of seeds" },
  epochs = { default = 1, min = 1, doc = "of every training" },
  rows = { default = 256, min = 0, doc = "training rows that are used; 0: all" },
}

local model, task = ts.model(arg.model), ts.task(arg.task)
local report = ts.report("Two random subspaces", { model = model, task = task })

ts.sweep({ method = { "random_projection", "sparse_signs" }, seed = ts.seeds(arg.seeds) }, function(at)
  local basis = ts.discover(at.method, { model = model, dim = arg.dim, seed = at.seed })
  report:row(at.method, ts.train {
    model = model, task = task, seed = at.seed, epochs = arg.epochs, rows = arg.rows, keep = "none", tune = ts.within(basis),
  })
end)
