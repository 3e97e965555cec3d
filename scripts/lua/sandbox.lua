-- Closes the environment before a recipe sees it. Text chunks only, no files, no processes, no debug library; randomness comes from the
-- seed; a global that nobody declared is an error; and nothing may swallow an interrupt.
local native, ts = ...
local raw_load, raw_pcall, raw_xpcall, raw_resume, raw_setmetatable = load, pcall, xpcall, coroutine.resume, setmetatable

-- Errors of these kinds end the program, whatever a recipe does about them.
local function settle(ok, err, ...)
  if not ok and native.fatal(err) then error(err, 0) end
  return ok, err, ...
end

function pcall(f, ...) return settle(raw_pcall(f, ...)) end

function xpcall(f, handler, ...)
  local function guarded(err) return native.fatal(err) and err or handler(err) end
  return settle(raw_xpcall(f, guarded, ...))
end

function coroutine.resume(thread, ...) return settle(raw_resume(thread, ...)) end

-- Finalizers run where no interrupt reaches.
function setmetatable(value, meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then native.fail("setmetatable: '__gc' is not available in recipes") end
  return raw_setmetatable(value, meta)
end

error = native.error
function load(chunk, name, _, env) return raw_load(chunk, name, "t", env == nil and _G or env) end

-- require "ts", or a text file beside the recipe.
local loaded = { ts = ts }
function require(name)
  if type(name) ~= "string" or not name:match("^[%w_-]+$") and not name:match("^[%w_-]+[%w_.-]*[%w_-]$") or name:find("..", 1, true) then
    native.fail("require: expected \"ts\" or the name of a Lua file beside the recipe, such as \"helpers\" or \"shared.tables\"")
  end
  if loaded[name] == nil then
    local source, place = native.read_sibling(name)
    local chunk, err = raw_load(source, "@" .. place, "t", _G)
    if not chunk then error(err, 0) end
    loaded[name] = false
    local value = chunk(name)
    loaded[name] = value == nil and true or value
  elseif loaded[name] == false then
    native.fail("require: '" .. name .. "' requires itself")
  end
  return loaded[name]
end

local function names_of(library)
  local names = {}
  for name in pairs(library) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return names
end

-- A library whose unknown names are errors.
local function strict(library, place, hints)
  return raw_setmetatable(library, {
    __index = function(_, name)
      name = tostring(name)
      local hint = hints[name] or native.did_you_mean(name, names_of(library))
      native.fail(place .. " '" .. name .. "'" .. hint)
    end,
    __newindex = function(_, name) native.fail("'" .. tostring(name) .. "' is not declared; write 'local " .. tostring(name) .. "'") end,
    __metatable = "locked",
  })
end

local closed = " (not available in recipes, which touch no files and start no processes)"
local drawn = " (not available in recipes: draw from ts.random(\"name\"), which follows --seed)"
print = ts.print
string.dump, math.random, math.randomseed, dofile, loadfile = nil, nil, nil, nil, nil
os = strict({ clock = os.clock, date = os.date, difftime = os.difftime, time = os.time }, "unknown function os.",
  { execute = closed, exit = closed, getenv = closed, remove = closed, rename = closed, tmpname = closed, setlocale = closed })
strict(math, "unknown function math.", { random = drawn, randomseed = drawn })
strict(_G, "unknown global", { io = closed, debug = closed, package = closed, dofile = closed, loadfile = closed })
