-- expect-exit: 2
-- expect-error: decompose: member 'lora' has no solution of task 'topic', which member 'adapter' has: every member needs the same tasks
local ts = require "ts"

local model = { artifact = "model", key = "none", spec = "none", deltas = {} }
local function solution(name) return { artifact = "train", key = name, seed = 1, model = model, task = { artifact = "task", key = name, name = name } } end
ts.decompose("joint_decomposition", { members = {
  { name = "adapter", solutions = { solution("sentiment"), solution("topic") } },
  { name = "lora", solutions = { solution("sentiment") } },
} })
