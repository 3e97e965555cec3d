-- Few unknowns deserve better optimisers. The coordinates of one basis, found on the trajectory of a training of the layers, are trained by
-- every optimiser at the same number of forward passes, a backward pass counted as two. Pooler and head are trained first, and then held,
-- so that the coordinates are all that moves. Optimisers with a length of their own get the best of `scales` by the loss on dev.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:topic", doc = "folder with a task.toml, or builtin:<name>; not one that is answered in words" },
  dim = { default = 4, min = 1, max = 512, doc = "dimensions per layer, and epochs of the trajectory" },
  passes = { default = 600, min = 30, doc = "forward passes of every training" },
  batch = { default = 64, min = 1, doc = "rows of a step" },
  rows = { default = 256, min = 0, doc = "training rows; 0: all" },
  scales = {
    default = { 0.3, 1.0, 3.0 }, min = 0,
    doc = "factors of the lengths: learning rates 0.1 (adamw) and 1 (sgd), deviation 0.3 (cma_es), gain 0.3 and distance 0.1 (spsa)",
  },
  optimisers = {
    default = { "adamw", "sgd", "lbfgs", "levenberg_marquardt", "p_bfgs", "cma_es", "spsa" },
    doc = "which of them; one alone for its memory",
  },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  quick = { default = false, doc = "fewer passes, one scale and one seed, to see it run" },
}
local passes, scales = arg.quick and 60 or arg.passes, arg.quick and { 1.0 } or arg.scales
local seeds = ts.seeds(arg.quick and 1 or arg.seeds)

local model, task = ts.model(arg.model), ts.task(arg.task)
local train = lib.trainer { model = model, task = task, rows = arg.rows }
local unknowns = arg.dim * (model.layers or 1)  -- a plan does not know the layers yet

-- `cost`: forward passes of a step, about, for the number of its evaluations; `lengths(scale)`: options that a scale decides.
local known = {
  { name = "adamw", cost = 3, lengths = function(scale) return { lr = 0.1 * scale } end },
  { name = "sgd", cost = 3, lengths = function(scale) return { lr = scale } end },
  { name = "lbfgs", cost = 7 },
  { name = "levenberg_marquardt", cost = 7 + unknowns, options = { lm_jacobian = "differences", lm_difference = 0.01 } },
  { name = "p_bfgs", cost = 5 },
  { name = "cma_es", cost = 4 + 3 * math.log(unknowns), lengths = function(scale) return { sigma = 0.3 * scale } end },
  { name = "spsa", cost = 2, lengths = function(scale) return { spsa_a = 0.3 * scale, spsa_c = 0.1 * scale } end },
}
local by_name = {}
for _, method in ipairs(known) do by_name[method.name] = method end
local methods = lib.map(arg.optimisers, function(name)
  local names = table.concat(lib.map(known, function(method) return method.name end), ", ")
  return by_name[name] or error(("few_unknowns: optimisers: no optimiser '%s' here; expected some of: %s"):format(name, names), 0)
end)

local head = train(seeds[1], {  -- and the pooler, which some checkpoints lack: it must be the same for every seed
  name = "head", train = { "pooler", "head" }, keep = "last", lr_head = arg.model:sub(1, 8) == "builtin:" and 1e-2 or 1e-3,
})
local origin = { solution = head, parts = { "pooler", "head" } }
local full = train(seeds[1], {
  name = "the layers, for the basis", train = { "encoder", "decoder" }, origin = origin, epochs = arg.dim, record = ts.every "epoch",
})
local basis = ts.discover("trajectory_svd", { name = "basis", trajectory = full.trajectory, dim = arg.dim, variant = "delta" })
local function run(method, scale, seed)
  local lengths = method.lengths and method.lengths(scale) or {}
  local rate = lengths.lr
  lengths.lr = nil
  return train(seed, lib.with(lib.with(method.options or {}, lengths), {
    name = method.lengths and ("%s, scale %g"):format(method.name, scale) or method.name,
    tune = ts.within(basis, { lr = rate, embeddings = false, pooler = false, head = false }), origin = origin,
    optim = method.name, batch_size = arg.batch, max_forward_passes = passes,
    max_steps = rate and passes // method.cost or passes,  -- where a schedule of rates has to end in time
    eval_every = math.max(1, passes // math.floor(10 * method.cost)),
  }))
end
local function scales_of(method) return method.lengths and scales or { 1.0 } end
local points = {}
for _, method in ipairs(methods) do
  for _, scale in ipairs(scales_of(method)) do points[#points + 1] = { method = method, scale = scale } end
end
local function try(method, scale, seed) return lib.unless_diverged(function() return run(method, scale, seed) end) end
ts.sweep({ point = points, seed = seeds }, function(at) try(at.point.method, at.point.scale, at.seed) end)

-- The scale with the least mean loss on dev over the seeds, nothing where every one diverged; what the table tells of the search; and what
-- diverged, for a scale at which a training does loses.
local function best_scale(method)
  local best, least, steps, lost, all = nil, nil, 0, {}, scales_of(method)
  for _, scale in ipairs(all) do
    local losses = {}
    for _, seed in ipairs(seeds) do
      local result, err = try(method, scale, seed)
      steps = steps + ((result or err).steps or 0)
      if result then
        losses[#losses + 1] = result.last.loss
      else
        lost[#lost + 1] = ("scale %g: %s (seed %d)"):format(scale, err.diverged, seed)
      end
    end
    if #losses == #seeds and (not least or lib.mean(losses) < least) then best, least = scale, lib.mean(losses) end
  end
  if not best or #all == 1 then return best, nil, lost end
  local note = ("scale by the mean loss on dev over %d seed%s, of %d trainings: %g."):format(
    #seeds, #seeds == 1 and "" or "s", #all * #seeds, best)
  if #lost > 0 then note = note .. " Lost: " .. table.concat(lost, "; ") .. "." end
  return best, { steps = steps, trainings = #all * #seeds, picked = ("scale %g"):format(best), note = note }, lost
end

local report = ts.report("Optimisers for few unknowns", { model = model, task = task })
local metric = full.metric or "score"
local table_rows, losses, scores = {}, {}, {}
local function curve(result, name, value)
  local series = { name = name, x = {}, y = {} }
  for i, line in ipairs(result.evaluations or {}) do
    series.x[i], series.y[i] = line.forward_passes + 2 * line.backward_passes, value(line)
  end
  return series
end
local function add(method, scale, found)
  local results = lib.map(seeds, function(seed) return lib.searched(run(method, scale, seed), found) end)
  for _, result in ipairs(results) do report:row(method.name, result) end
  local function over(value) return lib.map(results, value) end
  table_rows[#table_rows + 1] = {
    method.name, method.lengths and ("%g"):format(scale) or "none",
    over(function(r) return r.steps or 0 end), over(function(r) return r.forward_passes or 0 end),
    over(function(r) return r.backward_passes or 0 end), over(function(r) return r.last.loss end),
    over(function(r) return 100 * r.last.score end), over(function(r) return (r.gradient_bytes or 0) / 1e6 end),
  }
  losses[#losses + 1] = curve(results[1], method.name, function(line) return line.loss end)
  scores[#scores + 1] = curve(results[1], method.name, function(line) return line.metrics[metric] end)
end
for _, method in ipairs(methods) do
  local scale, found, lost = best_scale(method)
  if scale then
    add(method, scale, found)
  else
    report:note(("%s: every training diverged: %s."):format(method.name, table.concat(lost, "; ")))
  end
end
-- Optimisers that find their own step length have nothing to choose from, but a try less is a try less.
local single = {}
for _, method in ipairs(methods) do
  if not method.lengths then single[#single + 1] = method.name end
end
local unsearched = #scales > 1 and #single > 0 and #single < #methods
  and (" %s: one try, since they find the lengths of their steps themselves; all others: the best of %d scales by the loss on dev."):format(
    table.concat(single, ", "), #scales) or ""
report:table("Equal forward passes", {
  columns = { "optimiser", "scale", "steps", "forward", "backward", "loss on dev", "score (%)", "gradients (MB)" },
  digits = { 0, 0, 0, 0, 0, 4, 1, 2 }, rows = table_rows,
  note = ("%d coordinates; every training stops behind the step that reaches %d forward passes, a backward pass counted as two. Mean and "
    .. "deviation over seeds.%s"):format(unknowns, passes, unsearched),
})
if not model.planned and #losses > 0 then
  report:figure {
    name = "loss", kind = "lines", x_label = "forward passes (backward: two)", y_label = "loss on dev", series = losses,
    caption = "Loss against forward passes, first seed.",
  }
  report:figure {
    name = "score", kind = "lines", x_label = "forward passes (backward: two)", y_label = metric, series = scores,
    caption = "Score against forward passes, first seed.",
  }
end
report:resources()
report:save()
