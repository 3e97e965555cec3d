-- ts.intrinsic_dimension: the smallest dimension at which training within a subspace reaches a share of full fine-tuning's score
-- (Li et al., ICLR 2018; Aghajanyan et al., ACL 2021). The search is here; the interval is the operation ts.crossing.
local native, ts, common, best_of = ...
local with, names_of = common.with, common.sorted_names

local defaults = {
  share = 0.9, above = "zero", score = "last", bootstrap = 1000,
  d_min = 1, d_max = 1024, growth = 4, precision = 0.05, past = 1,
  rates = { 0.1, 0.03, 0.01 }, seeds = 3, within = {}, train = {}, full = {}, model = false, task = false, method = false,
}

-- Of a method's table, what guides the search; all else are options of ts.discover.
local guides = { name = true, d_min = true, d_max = true, rates = true, per_layer = true, trajectory = true, within = true, points = true }
-- A trajectory's basis is one a layer, as in Zhang et al. (ACL 2023); all others have one vector for the whole model.
local known = { trajectory_svd = { per_layer = true, trajectory = {}, points = 16 } }

local function fail(text, ...) native.fail("intrinsic_dimension: " .. text:format(...)) end

local function require_number(options, name, low, whole)
  local value = options[name]
  if type(value) ~= "number" or value < low or (whole and math.type(value) ~= "integer") then
    fail("option '%s' is %s, expected %s from %g on", name, tostring(value), whole and "an integer" or "a number", low)
  end
end

local function require_choice(options, name, choices)
  for _, choice in ipairs(choices) do
    if options[name] == choice then return end
  end
  local near = native.did_you_mean(tostring(options[name]), choices)
  fail("option '%s' is '%s', expected one of %s%s", name, tostring(options[name]), table.concat(choices, ", "), near)
end

local function method_of(given)
  if type(given) == "string" then given = { name = given } end
  if type(given) ~= "table" or type(given.name) ~= "string" then
    local found = given == false and "missing" or "a " .. type(given)
    fail("option 'method' is %s, expected the name of a subspace method, or a table { name, … }", found)
  end
  return with(known[given.name] or {}, given)
end

local function rates_of(given, d)
  if type(given) == "function" then given = given(d) end
  if type(given) ~= "table" then given = { given } end  -- an element may be a table, of options of ts.within
  if #given == 0 then fail("option 'rates' is empty, expected a rate at least") end
  return given
end

local function options_of(given)
  if type(given) ~= "table" then fail("expected a table of options, found a %s", type(given)) end
  for name in pairs(given) do
    if defaults[name] == nil then
      fail("unknown option '%s'%s", tostring(name), native.did_you_mean(tostring(name), names_of(defaults)))
    end
  end
  local options = with(defaults, given)
  for _, name in ipairs { "model", "task" } do
    if type(options[name]) ~= "table" then fail("option '%s' is missing", name) end
  end
  options.method = method_of(options.method)
  if options.method.trajectory and not given.d_max then options.d_max = options.method.points end
  for _, name in ipairs { "d_min", "d_max", "rates" } do
    if options.method[name] ~= nil then options[name] = options.method[name] end
  end
  options.within = with(with({ embeddings = false }, options.within), options.method.within)
  require_number(options, "d_min", 1, true)
  require_number(options, "d_max", options.d_min, true)
  require_number(options, "growth", 2, true)
  require_number(options, "past", 0, true)
  require_number(options, "precision", 0)
  require_number(options, "bootstrap", 0, true)
  require_number(options, "share", 0.01)
  if options.share > 1 then fail("option 'share' is %s, expected at most 1", tostring(options.share)) end
  require_choice(options, "above", { "zero", "majority" })
  require_choice(options, "score", { "last", "best" })
  if math.type(options.seeds) == "integer" then options.seeds = ts.seeds(options.seeds) end
  return options
end

-- Trainings -------------------------------------------------------------------------------------------------------------------------------

-- "rate 0.1", "lr reach, reach 2" of options of ts.within, "the default rate"
local function in_words(rate)
  if rate == false then return "the default rate" end
  if type(rate) ~= "table" then return "rate " .. tostring(rate) end
  local words = {}
  for _, name in ipairs(names_of(rate)) do words[#words + 1] = name .. " " .. tostring(rate[name]) end
  return table.concat(words, ", ")
end

-- All seeds at the rate with the highest mean score; run(rate, seed) trains. The rate is chosen on the split that the score is of, for full
-- fine-tuning and for every dimension alike.
local function best_rate(options, rates, run)
  local name = "intrinsic_dimension"
  local best, trials = best_of(rates, { name = name, run = run, seeds = options.seeds, score = options.score, in_words = in_words })
  local point = { rate = best.candidate, runs = best.runs, mean = best.mean, planned = best.planned, diverged = {} }
  point.trainings = #rates * #options.seeds
  for _, trial in ipairs(trials) do table.move(trial.diverged, 1, #trial.diverged, #point.diverged + 1, point.diverged) end
  return point
end

local function common(options, seed, name)
  return with(options.train, { name = name, model = options.model, task = options.task, seed = seed, keep = "none" })
end

local function full_run(options, rate, seed, more)
  local own = with(common(options, seed, "full fine-tuning"), options.full)
  own.rates = nil
  if rate then own.lr = rate end
  return ts.train(with(own, more))
end

local function full_tuning(options)
  local rates = options.full.rates and rates_of(options.full.rates) or { false }
  return best_rate(options, rates, function(rate, seed) return full_run(options, rate, seed) end)
end

-- What a method of trajectories decomposes: a full fine-tuning as above that keeps `points` of its way. It costs one more training a seed.
local function trajectory_of(options, full, seed)
  local method = options.method
  if type(method.trajectory) == "function" then return method.trajectory(seed) end
  local record = ts.every(math.max(1, (rawget(full.runs[1], "steps") or 1) // method.points))
  return full_run(options, full.rate, seed, with({ name = "trajectory", record = record }, method.trajectory)).trajectory
end

local function basis_of(options, full, d, seed)
  local method = options.method
  local asked = { name = ("basis of %s, d = %d"):format(method.name, d), dim = d, seed = seed, model = options.model }
  if not method.per_layer then asked.parameters = { parts = { "encoder", "decoder" }, groups = "whole" } end
  for name, value in pairs(method) do
    if not guides[name] then asked[name] = value end
  end
  if method.trajectory then asked.trajectory = trajectory_of(options, full, seed) end
  return ts.discover(method.name, asked)
end

-- The point of the curve at `d`.
local function trained_at(options, full, d)
  local name = ("%s, d = %d"):format(options.method.name, d)
  local total
  local point = best_rate(options, rates_of(options.rates, d), function(rate, seed)
    local basis = basis_of(options, full, d, seed)
    total = rawget(basis, "dim")
    local own = type(rate) == "table" and rate or { lr = rate }
    return ts.train(with(common(options, seed, name), { tune = ts.within(basis, with(options.within, own)) }))
  end)
  point.d, point.total = d, total or d
  return point
end

-- Search ----------------------------------------------------------------------------------------------------------------------------------

-- The score of one answer for all rows.
local function majority_of(options)
  return rawget(options.task.splits[options.train.eval_split or "dev"] or {}, "majority_score") or 0
end

-- Whether a dimension holds; in a plan, which knows no score, those from the middle of the range on.
local function target_of(options, full)
  if full.planned then return function(point) return point.d * point.d >= options.d_min * options.d_max end end
  local floor = options.above == "majority" and majority_of(options) or 0
  local target = floor + options.share * (full.mean - floor)
  return function(point) return point.mean >= target end
end

local function between(low, high)
  local middle = math.floor(math.sqrt(low * high) + 0.5)
  return math.max(low + 1, math.min(high - 1, middle))
end

-- Geometric growth up to the first dimension that holds, bisection of the last step, and points beyond it.
local function search(options, test)
  local low, high = nil, options.d_min
  local holds = test(high)
  while not holds and high < options.d_max do
    low, high = high, math.min(high * options.growth, options.d_max)
    holds = test(high)
  end
  if not holds then return "top", high end
  while low and high - low > math.max(1, options.precision * high) do
    local middle = between(low, high)
    if test(middle) then high = middle else low = middle end
  end
  local beyond = high
  for _ = 1, options.past do
    beyond = math.min(beyond * options.growth, options.d_max)
    test(beyond)
  end
  return low and "inside" or "bottom", low
end

local function sorted_points(tested)
  local points = {}
  for _, point in pairs(tested) do points[#points + 1] = point end
  table.sort(points, function(a, b) return a.d < b.d end)
  return points
end

local function shown(value, beyond) return value and ("%d"):format(value) or ("> %d"):format(beyond) end

-- "37 [29, 64]", "<= 4 [4, 9]", "> 1024 [800, > 1024]"
local function label_of(result, d_max)
  local text = shown(result.d90, d_max)
  if result.bracket == "bottom" then text = "<= " .. text end
  if not result.interval then return text end
  return ("%s [%s, %s]"):format(text, shown(result.interval.low, d_max), shown(result.interval.high, d_max))
end

local function training_rows(options)
  local split = options.task.splits.train
  local all, asked = split and split.rows or 0, options.train.rows or 0
  return asked > 0 and math.min(asked, all) or all
end

local function curve_of(points, crossing)
  local curve = {}
  for i, point in ipairs(points) do
    local measured = crossing.curve[i]
    curve[i] = {
      d = point.d, total = point.total, rate = point.rate, mean = measured.mean, deviation = measured.deviation, low = measured.low,
      high = measured.high, scores = measured.scores, runs = point.runs, diverged = point.diverged,
    }
  end
  return curve
end

function ts.intrinsic_dimension(given)
  local options = options_of(given)
  local full = full_tuning(options)
  local steps, method = rawget(full.runs[1], "steps"), options.method
  if steps and type(method.trajectory) == "table" then options.d_max = math.min(options.d_max, method.points, steps) end
  options.d_min = math.min(options.d_min, options.d_max)
  local holds, tested, trainings = target_of(options, full), {}, full.trainings
  local bracket, below = search(options, function(d)
    if not tested[d] then
      tested[d] = trained_at(options, full, d)
      trainings = trainings + tested[d].trainings
    end
    return holds(tested[d])
  end)
  local points, curve = sorted_points(tested), {}
  for i, point in ipairs(points) do curve[i] = { at = point.d, runs = point.runs } end
  local crossing = ts.crossing {
    name = "d90 of " .. method.name, reference = full.runs, curve = curve,
    share = options.share, above = options.above, score = options.score, bootstrap = options.bootstrap,
  }
  local d90 = rawget(crossing, "at")
  local result = {
    method = method.name, d90 = d90, bracket = bracket, below = below, d_max = options.d_max, share = options.share,
    interval = options.bootstrap > 0 and { low = rawget(crossing, "low"), high = rawget(crossing, "high") } or nil,
    share_reached = crossing.share_reached, target = crossing.target, violations = crossing.violations, trainings = trainings,
    curve = curve_of(points, crossing),
    full = with(crossing.reference, { rate = full.rate or nil, runs = full.runs, diverged = full.diverged }),
    rows = training_rows(options), trivial = not full.planned and majority_of(options) >= crossing.target,
  }
  for _, point in ipairs(points) do
    if point.d == d90 then result.total = point.total end
  end
  if result.total and result.rows > 0 then result.gap_order = math.sqrt(result.total / result.rows) end
  if type(method.trajectory) == "table" then
    result.trajectory_steps = steps
    result.trainings = trainings + #options.seeds
  end
  result.text = label_of(result, options.d_max)
  return result
end
