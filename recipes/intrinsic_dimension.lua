-- What is the intrinsic dimension of a task for a model? The smallest dimension at which training within a subspace reaches 90 % of full
-- fine-tuning's score (Li et al., ICLR 2018; Aghajanyan et al., ACL 2021), for several kinds of subspace in one table, beside a frozen
-- encoder (d = 0). Learning rates of every method and dimension are picked on dev, those of the head first.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:sentiment", doc = "folder with a task.toml, or builtin:<name>" },
  methods = {
    default = { "random", "fastfood", "said", "trajectory_svd" },
    doc = "subspace methods; random: random_projection, a dense basis in memory",
  },
  share = { default = 0.9, min = 0.01, max = 1, doc = "of full fine-tuning's mean score" },
  above = {
    default = "zero",
    choices = { "zero", "majority" },
    doc = "the share of the score itself (as published), or of its part above one answer for all rows",
  },
  score = { default = "last", choices = { "last", "best" }, doc = "evaluation of each training" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 6, min = 0, doc = "of every training; 0: the model's default" },
  rows = { default = 0, min = 0, doc = "training rows; 0: all" },
  reaches = {
    default = { 1.0, 3.0 },
    doc = "of the search at every dimension of trajectory_svd: multiples of the reach of coordinates; 0: rates instead",
  },
  random_reaches = {
    default = { 10.0, 30.0 },
    doc = "the same of methods that know nothing of full fine-tuning's update, whose coordinates must go further; 0: rates instead",
  },
  rates = { default = { 0.1, 0.01 }, doc = "of the search: learning rates of said's coordinates, whose map is not linear" },
  full_rates = { default = { 1.0, 3.0 }, doc = "of the search of full fine-tuning: multiples of the model's learning rate" },
  head_rates = { default = { 1.0, 10.0 }, doc = "of every search: multiples of the model's learning rate of the head, picked first" },
  embeddings = { default = false, doc = "train the embeddings beside the coordinates" },
  d_max = { default = 512, min = 1, doc = "largest dimension of the methods with one vector for the whole model" },
  dense_max = { default = 128, min = 1, doc = "the same of random, whose basis takes 4 bytes times d times the parameters" },
  points = { default = 16, min = 1, doc = "of the trajectory, the largest dimension per layer" },
  precision = { default = 0.25, min = 0, doc = "the search ends when the bracket is narrower than this share of its upper end" },
  quick = { default = false, doc = "one seed, few steps and no search of rates, to see it run" },
}
if arg.quick then
  arg.seeds, arg.rows, arg.epochs, arg.d_max, arg.dense_max, arg.points, arg.precision = 1, 64, 1, 16, 16, 4, 1
  arg.reaches, arg.random_reaches, arg.rates, arg.full_rates, arg.head_rates = { 1.0 }, { 10.0 }, { 0.1 }, { 1.0 }, { 1.0 }
end

local model, task = ts.model(arg.model), ts.task(arg.task)

local scales = (model.layers or 2) + (({ gpt2 = 1, llama = 1, t5 = 2 })[model.family] or 0)  -- of layers and final norms
local function reaching(multiples)
  return multiples[1] > 0 and lib.map(multiples, function(multiple) return { reach = multiple } end) or arg.rates
end
local guides = {
  random = { name = "random_projection", d_max = math.min(arg.d_max, arg.dense_max) },
  said = { scales = "layer", d_min = math.min(arg.d_max, scales + 1), rates = arg.rates },  -- scales are taken out of d
  trajectory_svd = { points = arg.points, d_max = arg.points, variant = "delta", rates = reaching(arg.reaches) },
}
local methods = lib.map(arg.methods, function(name)
  return { label = name, method = lib.with({ name = name, d_max = arg.d_max }, guides[name]) }
end)

local function dimension(one)
  return ts.intrinsic_dimension {
    model = model, task = task, method = one.method, share = arg.share, above = arg.above, score = arg.score, seeds = arg.seeds,
    rates = reaching(arg.random_reaches), within = { embeddings = arg.embeddings }, precision = arg.precision,
    head_rates = lib.writes(model) and {} or lib.multiples(arg.head_rates, model.defaults.lr_head),
    train = { epochs = lib.given(arg.epochs, model.defaults.epochs), rows = arg.rows },
    full = { rates = lib.multiples(arg.full_rates, model.defaults.lr) },
    freeze = not lib.writes(model) or arg.embeddings,
  }
end

-- Methods are searched side by side, so that several processes share the work.
local found = ts.sweep({ method = methods }, function(at) return dimension(at.method) end)

local report = ts.report("Intrinsic dimension", { model = model, task = task })

local freeze, full = found[1].freeze, found[1].full
local rows, series = {}, {}
local function verdict(reaches) return reaches and "0: reaches the target" or "> 0" end
if freeze then
  rows[1] = {
    "freeze (d = 0)", verdict(freeze.reaches), 0, full.mean, found[1].target, freeze.mean, nil, nil, freeze.train_loss, 0, nil,
  }
end
for i, one in ipairs(methods) do
  local result = found[i]
  local top = result.curve[#result.curve]
  rows[#rows + 1] = {
    one.label, result.text, result.total or ("> %d"):format(top.total), result.full.mean, result.target, top.mean, result.trainings,
    result.trajectory_steps, result.train_loss, result.gap_order, #result.violations > 0 and "no" or "yes",
  }
  local line = { name = one.label, x = {}, y = {} }
  for j, point in ipairs(result.curve) do line.x[j], line.y[j] = math.max(1, point.total), point.mean end
  series[i] = line
end
local percent = ("%g %%"):format(100 * arg.share)
report:table("Intrinsic dimension", {
  columns = {
    "method", ("d%g"):format(100 * arg.share), "coordinates", "full", "target", "score at largest d", "trainings", "trajectory steps",
    "L_train", "sqrt(d/m)", "rises",
  },
  rows = rows, digits = { 0, 0, 0, 3, 3, 3, 0, 0, 3, 3, 0 },
})
if freeze and freeze.reaches then
  report:note(("A frozen encoder whose %s trained (d = 0) scores %.3f and reaches the target (%.3f): a small dimension here says nothing "
    .. "about the encoder."):format(arg.embeddings and "embeddings, pooler and head are" or "pooler and head are", freeze.mean,
    found[1].target))
end
if found[1].trivial then
  report:note(("One answer for all rows scores as much as the target (%.3f), so these dimensions say nothing: use above=majority, or a "
    .. "training that learns more."):format(found[1].target))
end
if freeze then
  local widest = 1
  for _, line in ipairs(series) do widest = math.max(widest, line.x[#line.x]) end
  series[#series + 1] = { name = "freeze", x = { 1, widest }, y = { freeze.mean, freeze.mean } }
end
report:figure {
  name = "score_over_dimension", caption = "Score over the number of coordinates; the line is " .. percent .. " of full fine-tuning's",
  kind = "lines", x_label = "coordinates of the encoder", y_label = task.metric, log_x = true, series = series,
  horizontal_lines = { found[1].target },
}
local lost = {}
local function add_lost(name, point)
  for _, text in ipairs(point and point.diverged or {}) do lost[#lost + 1] = name .. ", " .. text end
end
add_lost("full fine-tuning", full)
add_lost("freeze", freeze)
for i, one in ipairs(methods) do
  for _, point in ipairs(found[i].curve) do add_lost(("%s, d = %d"):format(one.label, point.d), point) end
end
if #lost > 0 then report:note("Trainings that diverged, whose rates lost: " .. table.concat(lost, "; ") .. ".") end
for i, one in ipairs(methods) do
  local curve = lib.map(lib.join({ freeze }, found[i].curve), function(point)
    return { point.d, point.total, point.picked, point.scores, point.low, point.high, point.train_loss }
  end)
  report:table("Curve of " .. one.label, {
    columns = { "d", "coordinates", "rates", task.metric, "low", "high", "L_train" }, rows = curve, digits = { 0, 0, 0, 3, 3, 3, 3 },
    note = "Mean over seeds with its deviation; low and high: its 95 % interval by a bootstrap over seeds and rows.",
  })
  for _, run in ipairs(found[i].curve) do
    for _, result in ipairs(run.runs) do report:row(("%s, d = %d"):format(one.label, run.d), result) end
  end
end
for _, result in ipairs(freeze and freeze.runs or {}) do report:row("freeze (d = 0)", result) end
for _, result in ipairs(full.runs) do report:row("full fine-tuning", result) end
report:note(("d is the smallest tested dimension whose mean %s over seeds reaches %s of full fine-tuning's%s; its 95 %% interval is a "
  .. "bootstrap over seeds and dev rows. d of trajectory_svd counts each layer's own; coordinates are all of the encoder's. Pooler and "
  .. "head are trained beside them%s."):format(task.metric, percent, arg.above == "zero" and "" or " (above one answer for all rows)",
  arg.embeddings and ", the embeddings too" or ", the embeddings are frozen"))
report:note(("Rates by the mean on dev over the seeds: for full fine-tuning %s%s; those of every dimension are in its curve."):format(
  full.picked, freeze and ", for freeze " .. freeze.picked or ""))
report:note("L_train and sqrt(d/m), with m training rows, are the two terms of Aghajanyan et al.'s compression bound, "
  .. "L <= L_train + O(sqrt(d/m)), at the dimension found; no bound by itself, for the constant is not known, and trained heads are not "
  .. "counted. L_train is the last epoch's mean training loss, with dropout and before each step.")
report:save()
