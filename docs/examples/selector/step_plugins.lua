-- Selectors and regularisers of one's own beside the built-in ones, on the embedded default.
local ts = require "ts"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:sentiment", doc = "folder with a task.toml, or builtin:<name>" },
  seeds = { default = 1, min = 1, doc = "number of seeds" },
  epochs = { default = 1, min = 1, doc = "of every training" },
  rows = { default = 256, min = 0, doc = "training rows that are used; 0: all" },
  selectors = { default = "last_layers,one_layer", doc = "names, separated by commas" },
  regularizers = { default = "r_drop", doc = "names, separated by commas" },
}

local model, task = ts.model(arg.model), ts.task(arg.task)
local report = ts.report("What is trained, and what is added to the loss", { model = model, task = task })
local options = { last_layers = { layers = 1 } }

ts.sweep({ seed = ts.seeds(arg.seeds) }, function(at)
  local function train(variant, more)
    local given = { model = model, task = task, seed = at.seed, epochs = arg.epochs, rows = arg.rows, keep = "none" }
    for name, value in pairs(more) do given[name] = value end
    report:row(variant, ts.train(given))
  end
  train("full", {})
  for name in arg.selectors:gmatch "[^,]+" do train(name, { select = ts.schedule(name, options[name]) }) end
  for name in arg.regularizers:gmatch "[^,]+" do train(name, { regularize = { ts.regularizer(name) } }) end
end)
