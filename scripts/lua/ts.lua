-- The module `ts`. Operations come from the program, each with its own option table; what makes recipes short is in the parts loaded here
-- and in the small helpers below. Every function is documented in docs/recipes.md.
local native, parts = ...
local ts = {}

local common = parts.common(native)
local expect, strict, with = common.expect, common.strict, common.with
local sweep = parts.sweep(native, ts, common)
local finish_recipe = parts.report(native, ts, common, sweep, parts.figures)

-- Operations ------------------------------------------------------------------------------------------------------------------------------

-- ts.discover("trajectory_svd", { … }) and ts.outliers(run, { … }): a first argument other than an option table is the first declared
-- option.
local function operation(name, first, fields)
  return function(subject, options)
    local positional = type(subject) ~= "table" or rawget(subject, "artifact") ~= nil
    if not positional and options ~= nil then native.fail(name .. ": expected one table of options, found a second argument") end
    local given = options
    if not positional then given = subject end
    local arguments = with(expect(given == nil and {} or given, "table", name))
    if positional and subject ~= nil then
      if first == nil then native.fail(name .. ": takes no options") end
      if arguments[first] ~= nil then native.fail(name .. ": option '" .. first .. "' is given twice") end
      arguments[first] = subject
    end
    return common.with_fields(sweep.call(name, arguments), fields, name)
  end
end

-- Arguments and small helpers -------------------------------------------------------------------------------------------------------------

function ts.arguments(declared)
  return strict(native.arguments(expect(declared, "table", "arguments")), "argument")
end

function ts.seeds(count)
  if math.type(count) ~= "integer" or count < 1 then native.fail("seeds: expected a count of at least 1, found " .. tostring(count)) end
  local seeds = {}
  for i = 1, count do seeds[i] = native.seed() + i - 1 end
  return seeds
end

function ts.every(period)
  if period ~= "epoch" and (math.type(period) ~= "integer" or period < 1) then
    native.fail("every: expected \"epoch\" or a number of steps, found " .. tostring(period))
  end
  return { every = period }
end

function ts.within(basis, options)
  if type(basis) ~= "table" or rawget(basis, "artifact") == nil then
    native.fail("within: expected a subspace, as ts.discover returns it")
  end
  return with({ subspace = basis }, expect(options == nil and {} or options, "table", "within"))
end

-- A selector of a training (select = …), and a regulariser (regularize = { … }).
local function step_plugin(what)
  return function(name, options)
    return { plugin = expect(name, "string", what), options = expect(options == nil and {} or options, "table", what .. " " .. name) }
  end
end
ts.schedule = step_plugin("schedule")
ts.regularizer = step_plugin("regularizer")

function ts.log(text, ...) native.log(string.format(expect(text, "string", "log"), ...)) end

-- Random numbers, seeded by --seed and the generator's name alone.
local Random = {}
Random.__index = Random
function Random:uniform()
  self.drawn = self.drawn + 1
  return native.uniform(self.name, self.drawn)
end
function Random:integer(low, high)
  if math.type(low) ~= "integer" or math.type(high) ~= "integer" or low > high then
    native.fail("integer: expected two integers, the lower one first")
  end
  return low + math.floor(self:uniform() * (high - low + 1))
end
function Random:shuffle(list)
  for i = #list, 2, -1 do
    local j = self:integer(1, i)
    list[i], list[j] = list[j], list[i]
  end
  return list
end
function ts.random(name) return setmetatable({ name = expect(name, "string", "random"), drawn = 0 }, Random) end

-- The module as recipes see it ------------------------------------------------------------------------------------------------------------

-- An operation "tokenizer.train" is ts.tokenizer.train.
for _, known in ipairs(native.operations()) do
  local group, name = known.name:match("^(.-)%.(.+)$")
  local place = ts
  if group then
    ts[group] = ts[group] or strict({}, "operation of ts." .. group)
    place = ts[group]
  end
  name = name or known.name
  if rawget(place, name) == nil then rawset(place, name, operation(known.name, known.first, known.fields)) end
end
local best_of = parts.candidates(native, ts)
parts.search(native, ts, common, best_of)
parts.intrinsic_dimension(native, ts, common, best_of, parts.intrinsic_dimension_options(native, ts, common))

-- A read-only view for recipes, so that none replaces an operation by accident.
local view = setmetatable({}, {
  __index = function(_, name)
    local value = ts[name]
    if value == nil then common.refuse_unknown("ts: unknown name", name, ts) end
    return value
  end,
  __newindex = function() native.fail("ts: cannot be changed by a recipe") end,
  __pairs = function() return next, ts end,
})
return view, finish_recipe
