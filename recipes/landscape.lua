-- Where in the shared space do different delta methods work? A plane through the codes of one training task's three solutions, cut into a
-- grid; every cell is decoded by each method and scored without training (the definition is ours: the paper shows such a picture without
-- saying how it was made). A second plane stands on random directions around a vector that was tuned.
local ts = require "ts"
local lib = require "lib"
local release = require "release"

local arg = ts.arguments {
  model = {
    default = "builtin:t5-mini",
    doc = "Hugging Face folder, hf:<repo id> in the local cache, or builtin:<name>; one that writes its answers",
  },
  task = { default = "builtin:sentiment", doc = "folder with a task.toml, or builtin:<name>" },
  dim = { default = 4, min = 2, doc = "dimensions of the space" },
  cells = { default = 11, min = 2, max = 101, doc = "of the grid along each side (a fine picture: 21)" },
  margin = { default = 0.5, min = 0, doc = "around the three codes, in parts of their spread" },
  threshold = { default = 0.9, min = 0, doc = "of a method's own full-space score: a cell counts from here on" },
  epochs = { default = 16, min = 1, doc = "of stage 0" },
  lr = { default = 3e-3, min = 0, doc = "of stage 0 (Adafactor)" },
  steps = { default = 600, min = 1, doc = "of stage 1" },
  stage1_lr = { default = 1e-2, min = 0, doc = "of stage 1" },
  tuning_steps = { default = 200, min = 1, doc = "of the vector that the second plane stands on" },
  rows = { default = 1000, min = 0, doc = "training rows; 0: all" },
  answer_length = { default = 8, min = 1, doc = "tokens of an answer at most" },
  scan_rows = { default = 100, min = 1, doc = "dev rows that score a cell" },
}

local model, task, start, seed = ts.model(arg.model), ts.task(arg.task), 42, 1
if not model.planned and not lib.writes(model) then
  error("landscape: needs a model that writes its answers, such as builtin:t5-mini", 0)
end
local methods =
  release.methods(model, start, { bottleneck = 6, rank = 5, alpha = 8, targets = { "q", "v" }, tokens = 20, hidden = 8 })

local function solve(method)
  return ts.train {
    name = method.name .. ", full space",
    model = method.model, task = task, seed = start, train = { "delta" },
    optim = "adafactor", lr = arg.lr, lr_scheduler_type = "constant", batch_size = 16, epochs = arg.epochs, rows = arg.rows,
    max_answer_length = arg.answer_length,
  }
end
ts.sweep({ method = methods }, function(at) solve(at.method) end)
-- What a cell is compared with: the solution that the space was learnt from, on the rows that score a cell.
local function whole_of(method)
  return ts.evaluate {
    name = method.name .. ", full space, the rows of a cell", solution = solve(method), which = "last", rows = arg.scan_rows,
    max_answer_length = arg.answer_length,
  }.last.score
end

local joint = ts.decompose("joint_decomposition", {
  name = "shared space",
  members = lib.map(methods, function(method) return { name = method.name, solutions = { solve(method) }, which = "last" } end),
  dim = arg.dim, seed = seed, steps = arg.steps, lr = arg.stage1_lr, batch_size = 8,
  eval_every = math.max(1, arg.steps // 5), eval_rows = 200, max_answer_length = arg.answer_length,
})

-- Small vectors.
local function combine(a, x, b, y)
  local out = {}
  for i = 1, #a do out[i] = x * a[i] + y * b[i] end
  return out
end
local function dot(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + a[i] * b[i] end
  return sum
end
local function unit(a)
  local length = math.sqrt(dot(a, a))
  return length > 0 and combine(a, 1 / length, a, 0) or nil, length
end

-- e1 and e2 span the plane; where the given directions are (nearly) on a line, a random one takes the second's place, and the report says
-- so.
local random = ts.random("directions of the plane")
local function random_direction(dim)
  local out = {}
  for i = 1, dim do out[i] = math.sqrt(-2 * math.log(1 - random:uniform())) * math.cos(2 * math.pi * random:uniform()) end
  return out
end
local function orthogonal(direction, e1)
  local whole = math.sqrt(dot(direction, direction))
  local rest, length = unit(combine(direction, 1, e1, -dot(direction, e1)))
  return length > 1e-3 * whole and rest or nil
end
local function plane(origin, first, second)
  local e1 = unit(first) or unit(random_direction(#first))
  local e2, fallback = orthogonal(second, e1), false
  while not e2 do e2, fallback = orthogonal(random_direction(#first), e1), true end
  return { origin = origin, e1 = e1, e2 = e2, fallback = fallback }
end
local function place(p, z)
  local from = combine(z, 1, p.origin, -1)
  return dot(from, p.e1), dot(from, p.e2)
end

local function axis(low, high)
  local list = {}
  for i = 1, arg.cells do list[i] = low + (high - low) * (i - 1) / (arg.cells - 1) end
  return list
end
local function around(list)
  local low, high = math.min(table.unpack(list)), math.max(table.unpack(list))
  local room = arg.margin * math.max(high - low, 1e-3)
  return low - room, high + room
end

local report = ts.report("Landscape of the shared subspace", { model = model, task = task })
local shares = {}

-- One picture: every method's score on every cell, over that of its own full space.
local function picture(caption, p, marks, x_range, y_range)
  local xs, ys, points = axis(x_range[1], x_range[2]), axis(y_range[1], y_range[2]), {}
  for _, y in ipairs(ys) do
    for _, x in ipairs(xs) do points[#points + 1] = combine(combine(p.origin, 1, p.e1, x), 1, p.e2, y) end
  end
  local panels, good = {}, {}
  for m, method in ipairs(methods) do
    local whole = whole_of(method)
    local found = ts.scan {
      name = caption .. ": " .. method.name,
      basis = joint.members[method.name], model = method.model, task = task, points = points, rows = arg.scan_rows,
      max_answer_length = arg.answer_length,
    }
    local values = {}
    for i = 1, #ys do
      values[i] = {}
      for j = 1, #xs do
        local score = found.planned and 0 or found.scores[(i - 1) * #xs + j]
        values[i][j] = whole ~= 0 and score / whole or 0
      end
    end
    panels[m], good[m] = { name = method.name, values = values }, {}
    for i = 1, #ys do for j = 1, #xs do good[m][(i - 1) * #xs + j] = values[i][j] >= arg.threshold end end
  end
  local cells, each, all, any = #points, {}, 0, 0
  for i = 1, cells do
    local count = 0
    for m in ipairs(methods) do
      if good[m][i] then each[m], count = (each[m] or 0) + 1, count + 1 end
    end
    if count == #methods then all = all + 1 end
    if count > 0 then any = any + 1 end
  end
  local row = { caption }
  for m in ipairs(methods) do row[#row + 1] = 100 * (each[m] or 0) / cells end
  row[#row + 1], row[#row + 2] = 100 * all / cells, any > 0 and 100 * all / any or 0
  shares[#shares + 1] = row
  report:landscape(caption, {
    panels = panels, x = x_range, y = y_range, points = marks, threshold = arg.threshold, label = "score over full space",
  })
  if p.fallback then report:note(caption .. ": the directions lie (nearly) on a line, so the second axis is a random one.") end
end

-- The plane of the three codes.
local codes, xs, ys, marks = joint.planned and {} or joint.codes[task.name], {}, {}, {}
local zero = {}
for i = 1, arg.dim do zero[i] = 0 end
local function code(i) return codes[methods[i].name] or zero end
local triangle = plane(code(1), combine(code(2), 1, code(1), -1), combine(code(3), 1, code(1), -1))
for i, method in ipairs(methods) do
  xs[i], ys[i] = place(triangle, code(i))
  marks[i] = { name = method.name, x = xs[i], y = ys[i] }
end
picture("Plane through the codes of the solutions", triangle, marks, { around(xs) }, { around(ys) })

-- A plane of random directions around a tuned vector, as wide as the codes lie apart.
local tuned = ts.train(lib.with(release.one_vector(joint.members.lora, 5e-2, arg.tuning_steps, 10), {
  name = "lora, subspace",
  model = methods[2].model, task = task, seed = seed, rows = arg.rows, max_answer_length = arg.answer_length,
}))
local vector = tuned.planned and zero or tuned.coordinates.last
local reach = math.max(1e-2, math.sqrt(dot(vector, vector)))
picture("Random plane around a vector tuned with lora", plane(vector, random_direction(arg.dim), random_direction(arg.dim)),
  { { name = "tuned", x = 0, y = 0 } }, { -reach, reach }, { -reach, reach })

report:table("Cells that work", {
  columns = lib.join({ "plane" }, lib.map(methods, function(method) return method.name end), { "all three", "overlap" }),
  rows = shares,
  note = ("Percent of the cells with at least %g of the method's own full-space score after the last step, on the same %d rows of dev; "
    .. "overlap: cells where all three work over cells where any does (Jaccard)."):format(
    arg.threshold, math.min(arg.scan_rows, task.splits.dev.rows)),
})
local constant = task.splits.dev.majority_score
for _, method in ipairs(methods) do
  report:row(method.name .. ", full space", solve(method))
  local whole = math.max(1e-9, solve(method).last.score)
  report:note(("%s: one answer for all rows scores %.2f of its full space."):format(method.name, constant / whole))
end
report:row("lora, subspace", tuned)
report:save()
