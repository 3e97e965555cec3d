-- What the parts of the module share: arguments that are checked, names in order, tables that know their names, copies.
local native = ...
local common = {}

function common.expect(value, kind, what)
  if type(value) ~= kind then
    native.fail(what .. ": expected a " .. kind .. ", found " .. (value == nil and "nothing" or "a " .. type(value)))
  end
  return value
end

function common.sorted_names(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = tostring(name) end
  table.sort(list)
  return list
end

-- Refuses `name`, which is none of `known`: "report: unknown option 'splt' (did you mean 'split'?)".
function common.refuse_unknown(what, name, known)
  native.fail(what .. " '" .. tostring(name) .. "'" .. native.did_you_mean(tostring(name), common.sorted_names(known)))
end

-- A copy of `values` where a misspelt name is an error: "no argument 'dimm' (did you mean 'dim'?)".
function common.strict(values, what)
  return setmetatable(values, { __index = function(_, name) common.refuse_unknown("no " .. what, name, values) end })
end

-- `values`, where a name that is none of `names` is an error, and one of them may be absent: "train: no field 'lst' (did you mean 'last'?)".
function common.with_fields(values, names, what)
  if type(values) ~= "table" or names == nil then return values end
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  return setmetatable(values, {
    __index = function(_, name) if not known[name] then common.refuse_unknown(what .. ": no field", name, known) end end,
  })
end

-- A new table: `defaults`, and over them `options`.
function common.with(defaults, options)
  local out = {}
  for name, value in pairs(defaults) do out[name] = value end
  for name, value in pairs(options or {}) do out[name] = value end
  return out
end

return common
