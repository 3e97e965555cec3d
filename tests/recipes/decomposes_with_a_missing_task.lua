-- expect-exit: 2
-- expect-error: decompose: member 'lora' has no solution of task 'topic', which member 'adapter' has: every member needs the same tasks
local ts = require "ts"

local model = {
  artifact = "model", key = "none", spec = "none", path = "none", defaults = { lr = 0.1, lr_head = 0.1, epochs = 1 },
  deltas = { { method = "lora", version = 1, options = {} } },
}
local function task(name) return { artifact = "task", key = name, name = name, spec = name, as = "itself", metric = "accuracy", splits = {} } end
local function solution(name)
  return {
    artifact = "train", key = name, seed = 1, keep = "all", model = model, task = task(name),
    best = { score = 0.5 }, last = { score = 0.5 },
  }
end
ts.decompose("joint_decomposition", { members = {
  { name = "adapter", solutions = { solution("sentiment"), solution("topic") } },
  { name = "lora", solutions = { solution("sentiment") } },
} })
