-- Learning rates picked on dev for any training: ts.lr_search { … }, and ts.train { …, lr_search = { … } }, the same over the options of
-- one training. Its trainings are stages as all others: what was computed is read.
local native, ts, common, best_of = ...
local with = common.with

local AXES = { "lr", "lr_coordinates", "lr_embeddings", "lr_head", "reach" }
local SETTINGS = { "run", "score", "seeds", "split", "widen" }

local function is_in(list, name)
  for _, known in ipairs(list) do
    if known == name then return true end
  end
  return false
end

-- Names of a grid's axes in order; each has a list of rates.
local function axes_of(grid)
  local names = {}
  for name, values in pairs(grid) do
    if not is_in(AXES, name) then
      local known = {}
      for _, other in ipairs(AXES) do known[#known + 1] = other end
      for _, other in ipairs(SETTINGS) do known[#known + 1] = other end
      native.fail("lr_search: unknown option '" .. tostring(name) .. "'" .. native.did_you_mean(tostring(name), known))
    end
    if type(values) ~= "table" or #values == 0 then native.fail("lr_search: '" .. name .. "': expected a list of rates") end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- { lr = {…}, lr_head = {…} } is one grid; { { lr_head = {…} }, { lr = {…} } } are two, searched one after the other.
local function grids_of(search)
  local grids = { {} }
  for name, value in pairs(search) do
    if math.type(name) == "integer" then
      grids[name + 1] = value
    elseif not is_in(SETTINGS, name) then
      grids[1][name] = value
    end
  end
  if next(grids[1]) == nil then table.remove(grids, 1) end
  if #grids == 0 then native.fail("lr_search: expected a list of rates for at least one of " .. table.concat(AXES, ", ")) end
  return grids
end

-- All combinations of a grid's rates, each with those of `fixed`; the last axis fastest.
local function candidates_of(grid, fixed)
  local list = { fixed }
  for _, name in ipairs(axes_of(grid)) do
    local longer = {}
    for _, rates in ipairs(list) do
      for _, value in ipairs(grid[name]) do longer[#longer + 1] = with(rates, { [name] = value }) end
    end
    list = longer
  end
  return list
end

-- The different numbers of a list, from the smallest on.
local function numbers_in(list)
  local numbers, seen = {}, {}
  for _, value in ipairs(list) do
    if type(value) == "number" and not seen[value] then
      numbers[#numbers + 1], seen[value] = value, true
    end
  end
  table.sort(numbers)
  return numbers
end

-- "highest", "lowest" or nothing: where `rate` stands among `numbers`.
local function end_of(numbers, rate)
  if #numbers < 2 then return nil end
  return rate == numbers[#numbers] and "highest" or rate == numbers[1] and "lowest" or nil
end

-- The next rate beyond an end, by the factor between the last two; nothing where a factor makes none.
local function beyond(numbers, which)
  local last, before = numbers[1], numbers[2]
  if which == "highest" then last, before = numbers[#numbers], numbers[#numbers - 1] end
  if numbers[1] <= 0 then return nil end
  return last * last / before
end

-- `grid` with one more rate in every list at whose end the rate of `rates` stands; nothing where none does.
local function wider(grid, rates)
  local out
  for _, name in ipairs(axes_of(grid)) do
    local numbers = numbers_in(grid[name])
    local which = end_of(numbers, rates[name])
    local value = which and beyond(numbers, which)
    if value then
      out = out or with(grid, {})
      out[name] = table.move(grid[name], 1, #grid[name], 1, {})
      table.insert(out[name], value)
    end
  end
  return out
end

-- Counts the trainings of a trial and their steps, each once.
local function count(trial, found)
  for _, run in ipairs(trial.runs) do
    if not found.keys[run.key] then
      found.keys[run.key] = true
      found.trainings, found.steps = found.trainings + 1, found.steps + (run.steps or 0)
    end
  end
  for _, text in ipairs(trial.diverged) do found.diverged[#found.diverged + 1] = text end
  found.trainings, found.steps = found.trainings + #trial.diverged, found.steps + trial.steps
end

-- "lr_head 0.01 is the highest of its list": what lies beyond was not tried.
local function edges_of(grids, rates)
  local edges = {}
  for _, grid in ipairs(grids) do
    for _, name in ipairs(axes_of(grid)) do
      local which = end_of(numbers_in(grid[name]), rates[name])
      if which then edges[#edges + 1] = ("%s %.4g is the %s of its list"):format(name, rates[name], which) end
    end
  end
  return edges
end

local function in_words(rates)
  local words = {}
  for _, name in ipairs(AXES) do
    local value = rates[name]
    if value ~= nil then words[#words + 1] = name .. " " .. (type(value) == "number" and ("%.4g"):format(value) or tostring(value)) end
  end
  return table.concat(words, ", ")
end

local function checked(given)
  if type(given) ~= "table" then native.fail("lr_search: expected a table, found a " .. type(given)) end
  local search = with({ score = "last", split = "dev", widen = 0 }, given)
  if type(search.run) ~= "function" then native.fail("lr_search: expected 'run', a function of rates and seed that trains") end
  if search.score ~= "last" and search.score ~= "best" then
    native.fail("lr_search: score is '" .. tostring(search.score) .. "', expected 'last' or 'best'")
  end
  if search.split == "test" then native.fail("lr_search: split is 'test', which must pick nothing; expected 'dev' or another split") end
  if math.type(search.widen) ~= "integer" or search.widen < 0 then
    native.fail("lr_search: widen is " .. tostring(search.widen) .. ", expected an integer from 0 on")
  end
  if type(search.seeds) ~= "table" or #search.seeds == 0 then native.fail("lr_search: seeds: expected a list of seeds") end
  return search
end

-- A text that equal rates share, and no others.
local function key_of(rates)
  local words = {}
  for i, name in ipairs(AXES) do words[i] = ("%q"):format(rates[name]) end  -- every digit
  return table.concat(words, " ")
end

-- The best rates of a grid beside the rates `fixed`, with the grid it ends with, whose lists grow up to `widen` times at an end that was
-- picked.
local function best_in(grid, fixed, widen, how, found)
  local best, tried = nil, {}
  local function try(candidates)
    local fresh = {}
    for _, candidate in ipairs(candidates) do
      local key = key_of(candidate)
      if not tried[key] then
        fresh[#fresh + 1], tried[key] = candidate, true
      end
    end
    local trials
    best, trials = best_of(fresh, with(how, { to_beat = best }))
    for _, trial in ipairs(trials) do count(trial, found) end
  end
  try(candidates_of(grid, fixed))
  for _ = 1, best.planned and 0 or widen do  -- a plan knows no best rate
    local next = wider(grid, best.candidate)
    if not next then break end
    grid = next
    try(candidates_of(grid, fixed))
  end
  return best.candidate, grid
end

-- ts.lr_search { lr = {…}, lr_head = {…}, seeds = {…}, widen = 0, run = function(rates, seed) … end }
--   -> { rates, picked, steps, trainings, edges, diverged, note }
function ts.lr_search(given)
  local search = checked(given)
  local grids = grids_of(search)
  local found = { steps = 0, trainings = 0, keys = {}, diverged = {} }
  local how = { name = "lr_search", run = search.run, seeds = search.seeds, score = search.score, in_words = in_words }
  local rates = {}
  for i, grid in ipairs(grids) do
    rates, grids[i] = best_in(grid, rates, search.widen, how, found)
  end
  local edges = edges_of(grids, rates)
  local note = ("learning rates by the mean %s score on %s over %d seed%s, of %d trainings: %s."):format(
    search.score, search.split, #search.seeds, #search.seeds == 1 and "" or "s", found.trainings, in_words(rates))
  if #edges > 0 then note = note .. " " .. table.concat(edges, "; ") .. ": a better one may lie beyond (widen looks there)." end
  if #found.diverged > 0 then note = note .. " Lost: " .. table.concat(found.diverged, "; ") .. "." end
  return {
    rates = rates, picked = in_words(rates), steps = found.steps, trainings = found.trainings, edges = edges, diverged = found.diverged,
    note = note,
  }
end

-- The options of a training at `rates`; those of coordinates belong to its subspace.
local function at_rates(options, rates)
  local out, tune = with(options, {}), nil
  for name, value in pairs(rates) do
    if name == "lr_coordinates" or name == "reach" then
      if type(options.tune) ~= "table" then
        native.fail("lr_search: '" .. name .. "' is of coordinates, but the training has no subspace (tune)")
      end
      tune = tune or with(options.tune, {})
      tune.lr = name == "reach" and "reach" or value
      if name == "reach" then tune.reach = value end
    else
      out[name] = value
    end
  end
  out.tune = tune or out.tune
  return out
end

local train = ts.train

-- ts.train { …, lr_search = { lr = {…}, … } }: the search's trainings keep no weights and record nothing.
function ts.train(options, ...)
  if type(options) ~= "table" or options.lr_search == nil then return train(options, ...) end
  local own = with(options, {})
  own.lr_search = nil
  local given = with({ seeds = { own.seed or 1 }, split = "dev" }, options.lr_search)
  if given.run ~= nil then native.fail("train: lr_search: 'run' belongs to ts.lr_search; here the training itself runs") end
  given.run = function(rates, seed)
    local trial = with(at_rates(own, rates), { seed = seed, keep = "none", eval_split = given.split })
    trial.record = nil
    if own.name then trial.name = own.name .. ": " .. in_words(rates) end
    return train(trial)
  end
  local found = ts.lr_search(given)
  local result = train(at_rates(own, found.rates))
  result.search = found
  return result
end
