-- What the recipes of the unified subspace share beside lib.lua: `local release = require "release"`. No recipe of its own.
local ts = require "ts"
local lib = require "lib"
local release = {}

-- Adapter, LoRA and prefix as the authors release them (Yi et al., Findings of EMNLP 2022), attached to `model` with one
-- stored start for all solutions of a method: a list of { name, model }. `size`: bottleneck, rank, alpha, targets, tokens, hidden.
function release.methods(model, seed, size)
  local options = {
    adapter = { bottleneck = size.bottleneck, activation = "silu", biases = false, init = "normal" },
    lora = { r = size.rank, lora_alpha = size.alpha, init_lora_weights = "release", target_modules = size.targets },
    prefix = {
      num_virtual_tokens = size.tokens, prefix_projection = true, encoder_hidden_size = size.hidden, projection_bias = false,
      layout = "release", init_std = 0.02,
    },
  }
  return lib.map({ "adapter", "lora", "prefix" }, function(name)
    return { name = name, model = ts.adapt(model, lib.with(options[name], { method = name, seed = seed })) }
  end)
end

-- Options of a training of one vector alone in `space`, a member of a shared space: at a constant `rate`, with `looks` evaluations.
function release.one_vector(space, rate, steps, looks)
  return {
    train = {},
    tune = ts.within(space, { lr = rate, init = 0.02, embeddings = false, pooler = false, head = false }),
    optim = "adafactor", lr_scheduler_type = "constant", batch_size = 8,
    max_steps = steps, eval_every = math.max(1, steps // looks),
  }
end

return release
