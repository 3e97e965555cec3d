-- Dynamic Parameter Selection (Zhang et al., NeurIPS 2022), Dense and Mix, with the methods it is compared with, later challengers, and the
-- controls that the comparison needs: dropout off for everybody where DPS turns it off, random masks of the same size, and masks that
-- stay. All methods make the same number of updates, each at its best learning rate on dev. Then low resource, and tasks never trained on.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  model = { default = "builtin:bert-mini", doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>" },
  task = { default = "builtin:paraphrase", doc = "folder with a task.toml, or builtin:<name>" },
  methods = { default = { "all" }, doc = "methods of the first section by their names in the table" },
  few = {
    default = { "vanilla", "vanilla without dropout", "DPS dense", "DPS mix", "random mask redrawn" },
    doc = "methods of the sections behind the first",
  },
  freeze_ratio = { default = 0.3, min = 0, max = 0.99, doc = "share of the weights that DPS and its controls do not train" },
  update_ratio = { default = 0.05, min = 0, max = 1, doc = "length of a stage of DPS, as a share of all steps" },
  rates = { default = { 0.5, 1.0 }, doc = "learning rates, as multiples of the model's default; the best on dev of each method counts" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  epochs = { default = 0, min = 0, doc = "of every training; 0: the model's default" },
  batch = { default = 16, min = 1, doc = "rows of a step" },
  precision = { default = "float32", choices = { "float32", "bf16" }, doc = "of products with weights; bf16 pays on some processors" },
  rows = { default = 320, min = 0, doc = "training rows of the first section; 0: all" },
  sizes = {
    default = { 300, 500, 1000 }, min = 0,
    doc = "training rows of the low-resource section, with the task's shares of the classes; 0, or more than there are: all",
  },
  source = { default = "builtin:entailment", doc = "task that is trained on in the last section; empty: no such section" },
  source_rows = { default = 320, min = 0, doc = "training rows of it, with its shares of the classes; 0: all" },
  others = { default = { "builtin:entailment2" }, doc = "tasks that are only evaluated on" },
  split = { default = "dev", doc = "split of the other tasks that is evaluated" },
  eval_split = { default = "dev", doc = "split of the source that its column is of; rates are picked on dev" },
  labels = {
    default = { "neutral=not_entailment", "contradiction=not_entailment" },
    doc = "labels of another task that predictions stand for there, where it lacks a label of the same name: from=to",
  },
  quick = { default = false, doc = "one seed, one learning rate, few rows and methods" },
}
if arg.quick then
  arg.seeds, arg.rates, arg.rows, arg.sizes, arg.source_rows = 1, { 1.0 }, 160, { arg.sizes[1] }, 160
  if arg.methods[1] == "all" then arg.methods = lib.join(arg.few, { "mixout", "R-Drop", "gradient mask static" }) end
end

local model = ts.model(arg.model)
local seeds, epochs = ts.seeds(arg.seeds), lib.given(arg.epochs, model.defaults.epochs)
local masked = { "encoder", "decoder", "pooler", "head" }

-- Where a training happens: a task, and how many of its rows.
local function place(task, rows, stratify)
  local all = task.splits.train.rows
  local used = rows > 0 and math.min(rows, all) or all
  local steps = epochs * ((used + arg.batch - 1) // arg.batch)
  return { task = task, used = used, rows = used < all and used or 0, stratify = stratify and used < all, steps = steps }
end

-- The rows of a training at a place, which a choice before it must keep to; subsets by seed, as the paper's code draws them.
local function rows_of(at, seed) return { rows = at.rows, stratify = at.stratify, rows_seed = at.stratify and seed or 0 } end

-- Methods: sections of { name, options(place, seed, rate) of ts.train }.
local function once(method, options)
  return function(at, seed)
    local common = { model = model, task = at.task, seed = seed, name = "scope of " .. method, training_rows = rows_of(at, seed) }
    return { scope = ts.select(method, lib.with(common, options)) }
  end
end
local function during(method, options)
  return function() return { select = ts.schedule(method, options) } end
end
local function beside(method, options)
  return function() return { regularize = { ts.regularizer(method, options or {}) } } end
end
local function without_dropout(options)
  return function(...) return lib.with({ dropout = false }, options(...)) end
end
local function compactly(options)
  return function(...) return lib.with({ compact = true }, options(...)) end
end
-- Weights do not decay to zero where the method has another decay in its place, or its authors none.
local function without_decay(options)
  return function(...) return lib.with({ weight_decay = 0 }, options(...)) end
end
local function plain() return {} end

local p, kept, rank = arg.freeze_ratio, 1 - arg.freeze_ratio, math.max(1, model.hidden_size // 16)
local function dps(variant, scores)
  return during("dps", { variant = variant, freeze_ratio = p, update_ratio = arg.update_ratio, scores = scores })
end
local function cycle(at) return 2 * math.max(1, math.floor(at.steps * arg.update_ratio)) end

local sections = {
  { "reference", {
    { "vanilla", plain },
    { "vanilla without dropout", without_dropout(plain) },
  } },
  { "dynamic parameter selection", {
    { "DPS dense", dps "dense" },
    { "DPS mix", dps "mix" },
  } },
  { "controls of the same size, no dropout", {
    { "DPS dense, random subnetworks", dps("dense", "random") },
    { "random mask redrawn", without_dropout(function(at)
      return { select = ts.schedule("random_mask", { share = kept, parts = masked, every = cycle(at) }) }
    end) },
    { "random mask static", without_dropout(once("random_mask", { share = kept, parts = masked })) },
    { "gradient mask static", without_dropout(once("gradient_mask", { share = kept, parts = masked })) },
  } },
  { "rivals", {
    { "decay to the origin", without_decay(beside("weight_decay_to_origin", { strength = 1.0 })) },
    { "top half of the layers", function(at, seed)
      return once("last_layers", { layers = math.max(1, model.layers // 2) })(at, seed)
    end },
    { "mixout", beside("mixout", { p = 0.3 }) },
    { "RecAdam", function(at, _, rate)
      return { regularize = { ts.regularizer("recadam", { gamma = 0.1 / rate, t0 = at.steps / 2, k = 20 / at.steps }) } }
    end },
    { "R3F", beside "r3f" },
    { "Child-Tuning F", beside("child_tuning", { variant = "f", p = 0.3 }) },
    { "Child-Tuning D", beside("child_tuning", { variant = "d", p = 0.3 }) },
    { "top layer re-initialised", function() return { reinit_layers = 1 } end },
    { "layer-wise decay of rates", once("layer_rates", {}) },
    { "R-Drop", beside "r_drop" },
    { "Bi-Drop", beside "bi_drop" },
  } },
  { "challengers", {
    { "SIFT", compactly(once("sift", {})) },
    { "LIFT", without_decay(compactly(once("lift", { filter_rank = rank, lora_rank = math.max(1, rank // 2) }))) },
    { "half fine-tuning", during("half_fine_tuning", {}) },
    { "gradient mask tuning", during("gradient_mask_tuning", { share = kept }) },
    { "LoSiA", function(at) return { select = ts.schedule("losia", { period = math.max(1, at.steps // 10) }) } end },
    { "Super-Tuning", compactly(once("super_tuning", { share = 0.05 })) },
  } },
}

local by_name, names = {}, {}
for _, section in ipairs(sections) do
  for _, method in ipairs(section[2]) do
    names[#names + 1], by_name[method[1]] = method[1], { name = method[1], section = section[1], options = method[2] }
  end
end
local function chosen(list, what)
  return lib.map(list, function(name)
    return by_name[name] or error(("dps: %s: no method '%s'; expected one of: %s"):format(what, name, table.concat(names, "; ")), 0)
  end)
end
local methods, few = chosen(arg.methods[1] == "all" and names or arg.methods, "methods"), chosen(arg.few, "few")

local function train(at, method, seed, rate, more)
  return ts.train(lib.with(lib.with(lib.with(rows_of(at, seed), {
    name = ("%s, %s, %d rows, lr %g"):format(method.name, at.task.name, at.used, rate),
    model = model, task = at.task, seed = seed, lr = rate, epochs = epochs, batch_size = arg.batch,
    warmup_ratio = 0.1, weight_decay = 0.01, precision = arg.precision, keep = "none",
  }), method.options(at, seed, rate)), more))
end

-- run(place, method, seed), the training of a method at its best rate there, and picked(place, method), that rate: all that is trained for
-- them is trained here, in sweeps that several processes may share.
local rates = lib.multiples(arg.rates, model.defaults.lr)
local function at_best(places, list, more)
  local found = {}
  for _, at in ipairs(places) do found[at] = {} end
  if #places == 0 then return nil end
  ts.sweep({ place = places, method = list }, function(point)
    local at, method = point.place, point.method
    local rate, search = lib.best_rate(rates, seeds, function(rate, seed) return train(at, method, seed, rate, more) end)
    found[at][method] = { rate = rate, search = search }
  end)
  local function picked(at, method) return found[at][method].rate end
  local function run(at, method, seed)
    return lib.searched(train(at, method, seed, picked(at, method), more), found[at][method].search)
  end
  ts.sweep({ place = places, method = list, seed = seeds }, function(point) run(point.place, point.method, point.seed) end)
  return run, picked
end

local main = place(ts.task(arg.task), arg.rows, false)
local low, sizes = {}, {}
for _, rows in ipairs(arg.sizes) do
  local at = place(main.task, rows, true)
  if not sizes[at.used] then low[#low + 1], sizes[at.used] = at, true end
end

-- What the last section needs, checked before anything is trained. Entries of `labels` are for every task that has them, and those alone.
local source, others, map = nil, {}, {}
for _, entry in ipairs(arg.labels) do
  local from, to = entry:match("^([^=]+)=(.+)$")
  if not from then error(("dps: labels: '%s', expected from=to"):format(entry), 0) end
  map[from] = to
end
local function require_split(task, split, name)
  if not task.splits[split] then
    error(("dps: %s: task '%s' has no split '%s'"):format(name, task.name, split), 0)
  end
end
local function has_label(task, label)
  for _, own in ipairs(task.labels) do
    if own:lower() == label:lower() then return true end
  end
  return false
end
-- Entries whose label the other task has; it may have labels of the source's names as well.
local function label_map(other)
  local own = {}
  for _, task in ipairs { source.task, other } do
    if task.kind ~= "classification" then
      error(("dps: task '%s' is a %s; expected a classification, whose labels can stand for another's"):format(task.name, task.kind), 0)
    end
  end
  for from, to in pairs(map) do
    if has_label(source.task, from) and has_label(other, to) then own[from] = to end
  end
  for _, label in ipairs(source.task.labels) do
    if not own[label] and not has_label(other, label) then
      error(("dps: labels: '%s' of task '%s' stands for no label of task '%s', which has: %s"):format(
        label, source.task.name, other.name, table.concat(other.labels, ", ")), 0)
    end
  end
  return own
end
if arg.source ~= "" then
  source, others = place(ts.task(arg.source), arg.source_rows, true), lib.map(arg.others, ts.task)
  require_split(source.task, arg.eval_split, "eval_split")
  for _, other in ipairs(others) do
    require_split(other, arg.split, "split")
    label_map(other)
  end
end

-- The tables read what is there.
local run, picked = at_best({ main }, methods)
local run_low = at_best(low, few)

local report = ts.report("Which weights to train, and when", { model = model, task = main.task })
for _, method in ipairs(methods) do
  for _, seed in ipairs(seeds) do
    report:row(("%s, lr %g"):format(method.name, picked(main, method)), run(main, method, seed), method.section)
  end
end

-- What the dynamic selectors did, which tells a method from a silent no-op.
local function over_seeds(read) return lib.map(seeds, read) end
local function planned(runs)
  for _, run in ipairs(runs) do
    if run.planned then return true end
  end
  return false
end
local acted = {}
for _, method in ipairs(methods) do
  if method.name:match("^DPS") then
    local runs = over_seeds(function(seed) return run(main, method, seed) end)
    local function told(read) return lib.map(runs, function(run) return read(run.plugins[1]) end) end
    if not planned(runs) then
      acted[#acted + 1] = {
        method.name,
        told(function(own) return 100 * own.kept_share end),
        told(function(own) return 100 * lib.mean(own.mask_changes) end),
        told(function(own) return own.last_update.inside end),
        told(function(own) return own.last_update.outside end),
      }
    end
  end
end
if #acted > 0 then
  report:table("What the selection did", {
    columns = { "method", "kept (%)", "mask changed (%)", "update inside", "update outside" },
    rows = acted, digits = { 0, 1, 1, 5, 5 },
    note = "Kept: share of the masked weights in the last mask. Changed: of their masks from one cycle to the next. Updates: length of the "
      .. "last one of the last stage II, within its mask and outside, where moments and decay go on.",
  })
end

-- Low resource.
local function last_and_best(result) return 100 * result.last.score, 100 * result.best.score end
local function cells(results)
  local last, top = {}, {}
  for i, result in ipairs(results) do last[i], top[i] = last_and_best(result) end
  return { last, top }
end
if #low > 0 then
  local all, drawn = main.task.splits.train.rows, false
  for _, at in ipairs(low) do drawn = drawn or at.used < all end
  local columns = { "method" }
  for _, at in ipairs(low) do columns = lib.join(columns, { ("%d rows, last"):format(at.used), ("%d rows, best"):format(at.used) }) end
  report:table("Low resource", {
    columns = columns,
    rows = lib.map(few, function(method)
      local row = { method.name }
      for _, at in ipairs(low) do
        row = lib.join(row, cells(over_seeds(function(seed) return run_low(at, method, seed) end)))
      end
      return row
    end),
    note = ("Hundred times %s on dev; %d epochs.%s%s"):format(main.task.metric, epochs,
      drawn and " Every seed has its own rows, with the classes' shares" or "",
      drawn and (sizes[all] and (", but for all %d."):format(all) or ".") or ""),
  })
end

-- Out of domain: the rate is the best on the source's dev.
if source then
  local run_source = at_best({ source }, few, { keep = "last" })
  report:table(("Trained on %s, evaluated elsewhere"):format(source.task.name), {
    columns = lib.join({ "method", source.task.name }, lib.map(others, function(other) return other.name end)),
    rows = lib.map(few, function(method)
      local function own(seed) return run_source(source, method, seed) end
      local function elsewhere(other, seed)
        return ts.evaluate { solution = own(seed), task = other, split = arg.split, labels = label_map(other) }
      end
      local function at_home(seed)
        return arg.eval_split == "dev" and own(seed) or ts.evaluate { solution = own(seed), split = arg.eval_split }
      end
      local here = over_seeds(function(seed) return 100 * at_home(seed).last.score end)
      return lib.join({ method.name, here }, lib.map(others, function(other)
        return over_seeds(function(seed) return 100 * elsewhere(other, seed).last.score end)
      end))
    end),
    note = ("Hundred times the first metric of each task, after the last epoch, on %s of %s and %s of the others; rates by dev of %s.")
      :format(arg.eval_split, source.task.name, arg.split, source.task.name),
  })
end
report:resources()
report:save()
