-- ts.intrinsic_dimension: the smallest dimension at which training within a subspace reaches a share of full fine-tuning's score
-- (Li et al., ICLR 2018; Aghajanyan et al., ACL 2021). The search is here; the interval is the operation ts.crossing.
local native, ts, common, best_of, checks = ...
local with, names_of = common.with, common.sorted_names
local raw_xpcall = xpcall  -- the sandbox's own passes no thread on

-- Trainings -------------------------------------------------------------------------------------------------------------------------------

-- "rate 0.1", "reach 2, lr_head 0.01", "the default rate"
local function in_words(candidate)
  local words, rate = {}, candidate.rate
  local function add(name, value)
    words[#words + 1] = name .. " " .. (type(value) == "number" and ("%.4g"):format(value) or tostring(value))
  end
  if rate and type(rate) ~= "table" then add("rate", rate) end
  for _, name in ipairs(type(rate) == "table" and names_of(rate) or {}) do add(name, rate[name]) end
  if candidate.head then add("lr_head", candidate.head) end
  return #words > 0 and table.concat(words, ", ") or "the default rate"
end

-- { lr, lr_head, … } of a candidate.
local function rates_at(candidate)
  local rate = candidate.rate
  local own = type(rate) == "table" and with(rate) or { lr = rate or nil }
  if candidate.head then own.lr_head = candidate.head end
  return own
end

-- Mean over the seeds of the loss on training rows as a training told it last; absent where none did.
local function train_loss_of(runs)
  local sum = 0
  for _, run in ipairs(runs) do
    local told = rawget(run, "evaluations") or {}
    local loss = told[#told] and told[#told].train_loss
    if not loss then return nil end
    sum = sum + loss
  end
  return sum / #runs
end

-- The trials of `candidates` and the best of them; where all diverge, no best, and the error in the place of the trials.
local function unless_all_diverge(candidates, how)
  local thread = coroutine.running()
  local ok, best, trials = raw_xpcall(best_of, function(err) return native.failure(err, thread) end, candidates, how)
  if ok then return best, trials end
  if not best.diverged then error(best, 0) end
  return nil, best
end

-- All seeds at the rates with the highest mean score; run(rates, seed) trains. The head's rate is picked first, beside the first of `rates`
-- at which not everything diverges, then the other beside it. The choice is made on the split that the score is of, for full fine-tuning,
-- freeze and every dimension alike.
local function best_rate(options, rates, run)
  local heads, made, tried = options.head_rates, {}, {}
  local point = { trainings = 0, diverged = {} }
  local how = { name = "intrinsic_dimension", seeds = options.seeds, score = options.score, in_words = in_words }
  function how.run(candidate, seed) return run(rates_at(candidate), seed) end

  local function candidate(i, j)
    local place = (i - 1) * math.max(1, #heads) + j
    made[place] = made[place] or { rate = rates[i], head = heads[j], j = j }
    return made[place]
  end
  -- Counts a trial the first time it is met.
  local function count(candidates, trials)
    for i, one in ipairs(candidates) do
      if not tried[one] then
        tried[one] = true
        point.trainings = point.trainings + #options.seeds
        local texts = trials[i] and trials[i].diverged or {}
        table.move(texts, 1, #texts, #point.diverged + 1, point.diverged)
      end
    end
  end
  local function best_head()
    local err
    for i in ipairs(rates) do
      local candidates = {}
      for j in ipairs(heads) do candidates[j] = candidate(i, j) end
      local best, trials = unless_all_diverge(candidates, how)
      count(candidates, best and trials or {})
      if best then return best.candidate.j end
      err, point.diverged[#point.diverged + 1] = trials, trials.diverged
    end
    error(err, 0)
  end

  local head, candidates = #heads > 1 and best_head() or 1, {}
  for i in ipairs(rates) do candidates[i] = candidate(i, head) end
  local best, trials = best_of(candidates, how)
  count(candidates, trials)
  point.rate, point.lr_head, point.picked = best.candidate.rate, best.candidate.head, in_words(best.candidate)
  point.at, point.runs, point.mean, point.planned = rates_at(best.candidate), best.runs, best.mean, best.planned
  point.train_loss = train_loss_of(best.runs)
  return point
end

local function common(options, seed, name)
  return with(options.train, { name = name, model = options.model, task = options.task, seed = seed, keep = "none" })
end

local function full_run(options, rates, seed, more)
  local own = with(common(options, seed, "full fine-tuning"), options.full)
  own.rates = nil
  return ts.train(with(with(own, rates), more))
end

local function full_tuning(options)
  return best_rate(options, checks.rates_beside(options, "full"), function(rates, seed) return full_run(options, rates, seed) end)
end

-- d = 0: what is trained beside the coordinates, alone.
local function frozen(options)
  local parts = {}
  for _, part in ipairs { "embeddings", "pooler", "head" } do
    if options.within[part] ~= false then parts[#parts + 1] = part end
  end
  return best_rate(options, checks.rates_beside(options, "freeze"), function(rates, seed)
    local own = with(common(options, seed, "freeze (d = 0)"), { train = parts })
    own = with(own, type(options.freeze) == "table" and options.freeze or {})
    own.rates = nil
    return ts.train(with(own, rates))
  end)
end

-- What a method of trajectories decomposes: a full fine-tuning as above that keeps `points` of its way. It costs one more training a seed.
local function trajectory_of(options, full, seed)
  local method = options.method
  if type(method.trajectory) == "function" then return method.trajectory(seed) end
  local record = ts.every(math.max(1, (rawget(full.runs[1], "steps") or 1) // method.points))
  return full_run(options, full.at, seed, with({ name = "trajectory", record = record }, method.trajectory)).trajectory
end

-- What a basis spans: one vector for the whole model, or the method's own.
local function parameters_of(method)
  if method.parameters ~= nil then return method.parameters end
  return not method.per_layer and { parts = { "encoder", "decoder" }, groups = "whole" } or nil
end

-- The update of full fine-tuning, which lr = "reach" asks for where no trajectory is behind a basis. It costs one more training a seed, the
-- same for all methods over the same parameters.
local function update_of(options, full, seed)
  local last = ts.every(math.max(1, rawget(full.runs[1], "steps") or 1))
  options.updates[seed] = true
  local record = with(last, { parameters = parameters_of(options.method) })
  return full_run(options, full.at, seed, { name = "full fine-tuning, its update", record = record }).trajectory
end

local function basis_of(options, full, d, seed)
  local method = options.method
  local asked = {
    name = ("basis of %s, d = %d"):format(method.name, d), dim = d, seed = seed, model = options.model, parameters = parameters_of(method),
  }
  asked = with(asked, checks.of_discovery(method))
  if method.trajectory then asked.trajectory = trajectory_of(options, full, seed) end
  return ts.discover(method.name, asked)
end

-- Options of ts.within and of the training at `rates`.
local function split_rates(options, full, rates, seed)
  local tune, beside = with(options.within, rates), { lr_embeddings = rates.lr_embeddings, lr_head = rates.lr_head }
  tune.lr_embeddings, tune.lr_head = nil, nil
  if rates.reach and not rates.lr then tune.lr = "reach" end
  if tune.lr == "reach" and not tune.reach_of and not options.method.trajectory then tune.reach_of = update_of(options, full, seed) end
  return tune, beside
end

-- The point of the curve at `d`.
local function trained_at(options, full, d)
  local name = ("%s, d = %d"):format(options.method.name, d)
  local total
  local point = best_rate(options, checks.rates_at(options, d), function(rates, seed)
    local basis = basis_of(options, full, d, seed)
    total = rawget(basis, "dim")
    local tune, beside = split_rates(options, full, rates, seed)
    beside.tune = ts.within(basis, tune)
    return ts.train(with(common(options, seed, name), beside))
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
      d = point.d, total = point.total, rate = point.rate, lr_head = point.lr_head, picked = point.picked, mean = measured.mean,
      deviation = measured.deviation, low = measured.low, high = measured.high, scores = measured.scores, train_loss = point.train_loss,
      runs = point.runs, diverged = point.diverged,
    }
  end
  return curve
end

-- Where `curve` reaches the share of full fine-tuning's score.
local function crossing_of(options, full, name, curve)
  return ts.crossing {
    name = name, reference = full.runs, curve = curve, share = options.share, above = options.above, score = options.score,
    bootstrap = options.bootstrap,
  }
end

-- The point d = 0, and whether it reaches the target.
local function freeze_of(options, full)
  local point = frozen(options)
  point.d, point.total = 0, 0
  local crossing = crossing_of(options, full, "freeze", { { at = 0, runs = point.runs } })
  local freeze = curve_of({ point }, crossing)[1]
  freeze.reaches, freeze.share_reached = rawget(crossing, "at") ~= nil, crossing.share_reached
  return freeze, point.trainings
end

function ts.intrinsic_dimension(given)
  local options = checks.options_of(given)
  options.updates = {}  -- seeds whose full fine-tuning was recorded for its update
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
  local crossing = crossing_of(options, full, "d90 of " .. method.name, curve)
  local d90 = rawget(crossing, "at")
  local result = {
    method = method.name, d90 = d90, bracket = bracket, below = below, d_max = options.d_max, share = options.share,
    interval = options.bootstrap > 0 and { low = rawget(crossing, "low"), high = rawget(crossing, "high") } or nil,
    share_reached = crossing.share_reached, target = crossing.target, violations = crossing.violations, trainings = trainings,
    curve = curve_of(points, crossing),
    full = with(crossing.reference, {
      rate = full.rate or nil, lr_head = full.lr_head, picked = full.picked, train_loss = full.train_loss, runs = full.runs,
      diverged = full.diverged,
    }),
    rows = training_rows(options), trivial = not full.planned and majority_of(options) >= crossing.target,
  }
  for _, point in ipairs(points) do
    if point.d == d90 then result.total, result.train_loss = point.total, point.train_loss end
  end
  if result.total and result.rows > 0 then result.gap_order = math.sqrt(result.total / result.rows) end
  if type(method.trajectory) == "table" then
    result.trajectory_steps = steps
    result.trainings = result.trainings + #options.seeds
  end
  for _ in pairs(options.updates) do result.trainings = result.trainings + 1 end
  if options.freeze then
    local count
    result.freeze, count = freeze_of(options, full)
    result.trainings = result.trainings + count
  end
  result.text = label_of(result, options.d_max)
  return result
end
