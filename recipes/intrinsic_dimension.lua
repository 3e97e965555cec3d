-- What is the intrinsic dimension of a task for a model? The smallest dimension at which training within a subspace reaches 90 % of full
-- fine-tuning's score (Li et al., ICLR 2018; Aghajanyan et al., ACL 2021), for several kinds of subspace in one table.
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
  rates = { default = { 0.1, 0.01 }, doc = "learning rates of the coordinates, of which every dimension takes the best on dev" },
  full_rates = { default = { 1.0, 3.0 }, doc = "the same of full fine-tuning, as multiples of the model's default" },
  lr_head = { default = 0.0, min = 0, doc = "learning rate of pooler and head in every training; 0: the model's default" },
  embeddings = { default = false, doc = "train the embeddings beside the coordinates" },
  d_max = { default = 512, min = 1, doc = "largest dimension of the methods with one vector for the whole model" },
  dense_max = { default = 128, min = 1, doc = "the same of random, whose basis takes 4 bytes times d times the parameters" },
  points = { default = 16, min = 1, doc = "of the trajectory, the largest dimension per layer" },
  precision = { default = 0.25, min = 0, doc = "the search ends when the bracket is narrower than this share of its upper end" },
  quick = { default = false, doc = "one seed, one rate and few steps, to see it run" },
}
if arg.quick then
  arg.seeds, arg.rates, arg.rows, arg.epochs, arg.d_max, arg.dense_max, arg.points, arg.precision = 1, { 0.1 }, 64, 1, 16, 16, 4, 1
  arg.full_rates = { 1.0 }
end

local model, task = ts.model(arg.model), ts.task(arg.task)

local function given(value) return value ~= 0 and value or nil end
local scales = (model.layers or 2) + (({ gpt2 = 1, llama = 1, t5 = 2 })[model.family] or 0)  -- of layers and final norms
local guides = {
  random = { name = "random_projection", d_max = math.min(arg.d_max, arg.dense_max) },
  said = { scales = "layer", d_min = math.min(arg.d_max, scales + 1) },  -- scales are taken out of d
  trajectory_svd = { points = arg.points, d_max = arg.points, variant = "delta" },
}
local methods = lib.map(arg.methods, function(name)
  return { label = name, method = lib.with({ name = name, d_max = arg.d_max }, guides[name]) }
end)

local function dimension(one)
  return ts.intrinsic_dimension {
    model = model, task = task, method = one.method, share = arg.share, above = arg.above, score = arg.score, seeds = arg.seeds,
    rates = arg.rates, within = { embeddings = arg.embeddings }, precision = arg.precision,
    train = { epochs = lib.given(arg.epochs, model.defaults.epochs), rows = arg.rows, lr_head = given(arg.lr_head) },
    full = { rates = lib.map(arg.full_rates, function(multiple) return multiple * model.defaults.lr end) },
  }
end

-- Methods are searched side by side, so that several processes share the work.
local found = ts.sweep({ method = methods }, function(at) return dimension(at.method) end)

local report = ts.report("Intrinsic dimension", { model = model, task = task })

local rows, series = {}, {}
for i, one in ipairs(methods) do
  local result = found[i]
  local top = result.curve[#result.curve]
  rows[i] = {
    one.label, result.text, result.total or ("> %d"):format(top.total), result.full.mean, result.target, top.mean, result.trainings,
    result.trajectory_steps, result.gap_order, #result.violations > 0 and "no" or "yes",
  }
  local line = { name = one.label, x = {}, y = {} }
  for j, point in ipairs(result.curve) do line.x[j], line.y[j] = math.max(1, point.total), point.mean end
  series[i] = line
end
local percent = ("%g %%"):format(100 * arg.share)
report:table("Intrinsic dimension", {
  columns = {
    "method", ("d%g"):format(100 * arg.share), "coordinates", "full", "target", "score at largest d", "trainings", "trajectory steps",
    "sqrt(d/m)", "rises",
  },
  rows = rows, digits = { 0, 0, 0, 3, 3, 3, 0, 0, 3, 0 },
})
if found[1].trivial then
  report:note(("One answer for all rows scores as much as the target (%.3f), so these dimensions say nothing: use above=majority, or a "
    .. "training that learns more."):format(found[1].target))
end
report:figure {
  name = "score_over_dimension", caption = "Score over the number of coordinates; the line is " .. percent .. " of full fine-tuning's",
  kind = "lines", x_label = "coordinates of the encoder", y_label = task.metric, log_x = true, series = series,
  horizontal_lines = { found[1].target },
}
local lost = lib.map(found[1].full.diverged, function(text) return "full fine-tuning, " .. text end)
for i, one in ipairs(methods) do
  for _, point in ipairs(found[i].curve) do
    for _, text in ipairs(point.diverged) do lost[#lost + 1] = ("%s, d = %d, %s"):format(one.label, point.d, text) end
  end
end
if #lost > 0 then report:note("Trainings that diverged, whose rates lost: " .. table.concat(lost, "; ") .. ".") end
for i, one in ipairs(methods) do
  local curve = lib.map(found[i].curve, function(point)
    return { point.d, point.total, point.rate, point.scores, point.low, point.high }
  end)
  report:table("Curve of " .. one.label, {
    columns = { "d", "coordinates", "rate", task.metric, "low", "high" }, rows = curve, digits = { 0, 0, 3, 3, 3, 3 },
    note = "Mean over seeds with its deviation; low and high: its 95 % interval by a bootstrap over seeds and rows.",
  })
  for _, run in ipairs(found[i].curve) do
    for _, result in ipairs(run.runs) do report:row(("%s, d = %d"):format(one.label, run.d), result) end
  end
end
for _, result in ipairs(found[1].full.runs) do report:row("full fine-tuning", result) end
report:note(("d is the smallest tested dimension whose mean %s over seeds reaches %s of full fine-tuning's%s; its 95 %% interval is a "
  .. "bootstrap over seeds and dev rows. d of trajectory_svd counts each layer's own; coordinates are all of the encoder's. Pooler and "
  .. "head are trained beside them%s."):format(task.metric, percent, arg.above == "zero" and "" or " (above one answer for all rows)",
  arg.embeddings and ", the embeddings too" or ", the embeddings are frozen"))
report:note("sqrt(d/m), with m training rows, is the order of the generalisation gap in Aghajanyan et al.'s compression bound, "
  .. "L <= L_train + O(sqrt(d/m)); no bound by itself, for the constant is not known, and trained heads are not counted.")
report:save()
