-- What several recipes share: `local lib = require "lib"`. No recipe of its own.
local ts = require "ts"
local lib = {}

-- Lists.
function lib.map(list, make)
  local out = {}
  for i, value in ipairs(list) do out[i] = make(value) end
  return out
end
function lib.numbers(count)
  local out = {}
  for i = 1, count do out[i] = i end
  return out
end
function lib.mean(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return #list > 0 and sum / #list or 0
end
function lib.join(...)
  local out = {}
  for _, list in ipairs { ... } do
    for _, value in ipairs(list) do out[#out + 1] = value end
  end
  return out
end

-- A new table: `options`, and those of `defaults` that it leaves open.
function lib.with(defaults, options)
  local out = {}
  for name, value in pairs(defaults) do out[name] = value end
  for name, value in pairs(options or {}) do out[name] = value end
  return out
end

-- An argument whose 0 stands for a default.
function lib.given(value, default) return value > 0 and value or default end

-- Whether a model answers in words, which leaves it no head of its own.
function lib.writes(model) return model.family == "t5" end

-- train(seed, options): a training with `defaults`, which keeps no weights unless told to.
function lib.trainer(defaults)
  return function(seed, options) return ts.train(lib.with(lib.with({ keep = "none", seed = seed }, defaults), options)) end
end

-- head_of(task): the head of a task, trained alone, as the origin of every method that is to read answers off in the same way; nothing for
-- a model that answers in words.
function lib.heads(defaults)
  return function(task)
    if lib.writes(defaults.model) then return nil end
    local options = { name = "head for " .. task.name, task = task, train = { "head" }, keep = "last" }
    return { solution = ts.train(lib.with(defaults, options)), parts = { "head" } }
  end
end

-- The training make(value), of all values in `list`, with the highest score on dev; the first of equals.
function lib.best_of(list, make)
  local best
  for _, value in ipairs(list) do
    local run = make(value)
    if not best or run.best.score > best.best.score then best = run end
  end
  return best
end

-- The rate with the highest mean score at the end over the seeds, the earliest of equals; run(rate, seed) trains.
function lib.best_rate(rates, seeds, run)
  local best, score
  for _, rate in ipairs(rates) do
    local own = lib.mean(lib.map(seeds, function(seed) return run(rate, seed).last.score end))
    if not score or own > score then best, score = rate, own end
  end
  return best
end

-- The search of learning rates for several methods, by their mean on dev over `seeds`: the head's first (`head_rates`), then the
-- method's own. search(method, own, run) searches the axes of `own`, if any, with run(seed, name, rates), and picks nothing where there
-- is nothing to choose from; `own` is a grid, or a list of grids that are searched one after the other. rates_of(method) is what it picked;
-- searched(method, result) has the table tell so.
function lib.rate_search(seeds, head_rates)
  local heads = #head_rates > 0 and { { lr_head = head_rates } } or {}
  local found = {}
  local function search(method, own, run)
    local function trial(rates, seed) return run(seed, "search: " .. method, rates) end
    local grids = lib.join(heads, own == nil and {} or own[1] and own or { own })
    if #grids > 0 then found[method] = ts.lr_search(lib.with({ seeds = seeds, run = trial }, grids)) end
  end
  local function rates_of(method) return found[method] and found[method].rates or {} end
  local function searched(method, result)
    result.search = found[method]
    return result
  end
  return search, rates_of, searched
end

-- Multiples of a rate.
function lib.multiples(list, rate)
  return lib.map(list, function(multiple) return multiple * rate end)
end

-- add(section, name, label, run): rows of run(seed) in `report`, and a series of score against trainable parameters for a figure; series
-- collects them.
function lib.scatter(report, seeds)
  local series = {}
  local function add(section, name, label, run)
    local one = { name = label, x = {}, y = {} }
    for i, seed in ipairs(seeds) do
      local result = run(seed)
      report:row(name, result, section)
      one.x[i], one.y[i] = math.max(1, result.trainable), result.last.score
    end
    series[#series + 1] = one
  end
  return add, series
end

return lib
