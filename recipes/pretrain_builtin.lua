-- How the embedded model is made and how good it is: pre-trains it (once), then compares, on each of the eight generated tasks, the
-- most frequent class, a frozen encoder (only pooler and head are trained), the same with trained embeddings, full fine-tuning, and full
-- fine-tuning from random weights.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "built-in model" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
}

local model = ts.model(arg.model)
local quality = model.quality
print(("%s: held-out masked-token accuracy %.3f, loss %.3f"):format(arg.model, quality.held_out_accuracy, quality.held_out_loss))

for _, name in ipairs(ts.builtin_tasks()) do
  local task = ts.task("builtin:" .. name)
  local train = lib.trainer { model = model, task = task }
  local report = ts.report("The embedded default: " .. name, { model = model, task = task, folder = name })
  local variants = {
    { name = "frozen encoder", options = { train = { "pooler", "head" } } },
    { name = "frozen encoder, embeddings trained", options = { train = { "embeddings", "pooler", "head" } } },
    { name = "full fine-tuning", options = {} },
    { name = "full fine-tuning, random weights", options = { fresh = true } },
  }
  ts.sweep({ variant = variants, seed = ts.seeds(arg.seeds) }, function(at)
    report:row(at.variant.name, train(at.seed, lib.with({ name = name .. ": " .. at.variant.name }, at.variant.options)))
  end)
  report:save()
end
