-- Options of ts.intrinsic_dimension: defaults, what a method and a rate may name, and the checks of all that is given.
local native, ts, common = ...
local with, names_of = common.with, common.sorted_names

local defaults = {
  share = 0.9, above = "zero", score = "last", bootstrap = 1000,
  d_min = 1, d_max = 1024, growth = 4, precision = 0.05, past = 1,
  rates = { 0.1, 0.03, 0.01 }, head_rates = {}, seeds = 3, within = {}, train = {}, full = {}, freeze = false,
  model = false, task = false, method = false,
}

-- What an element of `rates` may name: rates of a training, and options of ts.within. `lr` within a subspace is that of the coordinates.
local rates_of_training = { lr = true, lr_embeddings = true, lr_head = true }
local rates_within = with(rates_of_training, {
  embeddings = true, ensemble = true, head = true, init = true, pooler = true, reach = true, reach_of = true,
})

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

local function check_rate(rate, options, what, known)
  if type(rate) == "number" or rate == (known == rates_within and "reach") then return end
  if type(rate) ~= "table" then fail("option '%s' has a %s, expected numbers, or tables { lr = …, lr_head = … }", what, type(rate)) end
  for name in pairs(rate) do
    if not known[name] then
      fail("option '%s': unknown option '%s'%s", what, tostring(name), native.did_you_mean(tostring(name), names_of(known)))
    end
  end
  if rate.lr_head and #options.head_rates > 0 then fail("option '%s' names lr_head beside 'head_rates', expected one of them", what) end
  if rate.lr_embeddings and known == rates_within and not with(options.within, rate).embeddings then
    fail("option '%s' names lr_embeddings, but the embeddings are frozen; expected within = { embeddings = true }", what)
  end
end

-- The list of rates that `given` means, each checked.
local function rates_of(given, options, what, known, d)
  if type(given) == "function" then given = given(d) end
  if type(given) ~= "table" then given = { given } end
  if #given == 0 then fail("option '%s' is empty, expected a rate at least", what) end
  for _, rate in ipairs(given) do check_rate(rate, options, what, known) end
  return given
end

local function check_head_rates(options)
  if type(options.head_rates) ~= "table" then options.head_rates = { options.head_rates } end
  for _, rate in ipairs(options.head_rates) do
    if type(rate) ~= "number" or rate < 0 then fail("option 'head_rates' has %s, expected numbers from 0 on", tostring(rate)) end
  end
  for _, name in ipairs { "train", "full", "freeze" } do
    if #options.head_rates > 0 and type(options[name]) == "table" and options[name].lr_head then
      fail("option '%s' names lr_head beside 'head_rates', expected one of them", name)
    end
  end
end

-- The rates of a training of everything, or of freeze: its own list, or the default alone.
local function rates_beside(options, name)
  local own = type(options[name]) == "table" and options[name].rates
  return own and rates_of(own, options, name .. ".rates", rates_of_training) or { false }
end

-- The rates of the search at dimension `d`, which matters where they are a function of it.
local function rates_at(options, d) return rates_of(options.rates, options, "rates", rates_within, d) end

-- The options of ts.discover among those of a method.
local function of_discovery(method)
  local own = {}
  for name, value in pairs(method) do
    if not guides[name] then own[name] = value end
  end
  return own
end

-- A share of a score has no meaning where less is better, and the interval needs answers row by row: both before anything is trained.
local function check_task(options)
  local task, split = options.task, options.train.eval_split or "dev"
  if not native.higher_is_better(task.metric) then
    fail("task '%s' is scored by %s; a share of it has no meaning, expected a metric that is better when it is higher", task.name,
      task.metric)
  end
  local scored = task.splits[split]
  if not scored or scored.rows == 0 then fail("task '%s' has no rows of split '%s', expected some to score", task.name, split) end
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
  if type(options.freeze) ~= "boolean" and type(options.freeze) ~= "table" then
    fail("option 'freeze' is a %s, expected true, or a table of options of its training", type(options.freeze))
  end
  check_head_rates(options)
  if type(options.rates) ~= "function" then rates_at(options) end
  for _, name in ipairs { "full", "freeze" } do rates_beside(options, name) end
  check_task(options)
  if math.type(options.seeds) == "integer" then options.seeds = ts.seeds(options.seeds) end
  return options
end

return { options_of = options_of, rates_at = rates_at, rates_beside = rates_beside, of_discovery = of_discovery }
