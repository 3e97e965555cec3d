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

-- `result`, whose row tells what its rates were picked by, if anything.
function lib.searched(result, found)
  result.search = found
  return result
end

-- The rate with the best mean score on dev at the end over the seeds, and what ts.lr_search tells of it, nothing where there is one rate;
-- run(rate, seed) trains. A rate at which a training diverges loses. `axis`: what the rates are of, lr where it is absent.
function lib.best_rate(rates, seeds, run, axis)
  if #rates == 1 then return rates[1], nil end
  axis = axis or "lr"
  local found = ts.lr_search { [axis] = rates, seeds = seeds, run = function(candidate, seed) return run(candidate[axis], seed) end }
  return found.rates[axis], found
end

-- The training make(rate), of all rates in `list`, with the best score on dev at its best checkpoint, as above.
function lib.best_of(list, seed, make, axis)
  if #list == 1 then return make(list[1]) end
  axis = axis or "lr"
  local found = ts.lr_search {
    [axis] = list, seeds = { seed }, score = "best", run = function(candidate) return make(candidate[axis]) end,
  }
  return lib.searched(make(found.rates[axis]), found)
end

-- The training run(), or nothing where it diverges, and an error with `diverged`, why, and `steps`; every other error goes on.
function lib.unless_diverged(run)
  local ok, result = pcall(run)
  if ok then return result end
  if type(result) ~= "table" or not result.diverged then error(result, 0) end
  return nil, result
end

-- The search of learning rates for several methods, by their mean on dev over `seeds`: the head's first (`head_rates`), then the
-- method's own. search(method, own, run) searches the axes of `own`, if any, with run(seed, name, rates), and picks nothing where there
-- is nothing to choose from; `own` is a grid, or a list of grids that are searched one after the other. A list whose best rate is an end
-- grows there up to `widen` times. rates_of(method) is what it picked; searched(method, result) has the table tell so.
function lib.rate_search(seeds, head_rates, widen)
  local heads = #head_rates > 0 and { { lr_head = head_rates } } or {}
  local found = {}
  local function search(method, own, run)
    local function trial(rates, seed) return run(seed, "search: " .. method, rates) end
    local grids = lib.join(heads, own == nil and {} or own[1] and own or { own })
    if #grids > 0 then found[method] = ts.lr_search(lib.with({ seeds = seeds, run = trial, widen = widen }, grids)) end
  end
  local function rates_of(method) return found[method] and found[method].rates or {} end
  local function searched(method, result) return lib.searched(result, found[method]) end
  return search, rates_of, searched
end

-- The score on dev of the commonest answer for all rows; nothing for a task without one.
function lib.majority(task)
  local score = task.splits.dev and task.splits.dev.majority_score
  return score == score and score or nil  -- NaN: none
end

-- Why no claim about methods on `task` can be decided, where the mean of full fine-tuning's scores has not left that of the commonest
-- answer by `margin`; "" where it has. Made for ts.claim { moot = … }.
function lib.unlearned(task, scores, margin)
  local majority = lib.majority(task)
  if not majority or lib.mean(scores) > majority + margin then return "" end
  return ("full fine-tuning (%.3f) has not left the score of the commonest answer (%.3f)"):format(lib.mean(scores), majority)
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
