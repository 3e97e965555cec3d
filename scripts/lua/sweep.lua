-- ts.sweep and ts.print. Each point of a sweep is a coroutine: where another process computes its stage, the next point runs. What points
-- print and what they give to reports comes out in grid order. A point whose training diverges ends alone: the others run, and their stages
-- are stored, before its error is raised; every other error ends the sweep at once.
local native, ts, common = ...
local expect, sorted_names = common.expect, common.sorted_names

local raw_resume = coroutine.resume
local BUSY = {}                                    -- what a point yields while another process computes its stage
local points = setmetatable({}, { __mode = "k" })  -- coroutine -> point of the sweep that runs it
local root = { entries = {} }                      -- where entries of reports go outside sweeps
local completed = 0                                -- operations done; shows whether a round of a sweep made progress

local function current() return points[coroutine.running()] end

-- Calls an operation.
local function call(name, arguments)
  while true do
    local done, result = native.call(name, arguments, current() == nil)
    if done then
      completed = completed + 1
      return result
    end
    coroutine.yield(BUSY)
  end
end

local function emit(point, text)
  if point then point.text[#point.text + 1] = text else native.print(text) end
end

function ts.print(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  emit(current(), table.concat(words, "\t") .. "\n")
end

local function flush(point, parent)
  for _, text in ipairs(point.text) do emit(parent, text) end
  point.text = {}
end

-- The cartesian product, axes by name, the last axis fastest.
local function expand(grid)
  local list = { {} }
  for _, axis in ipairs(sorted_names(grid)) do
    local values = expect(grid[axis], "table", "sweep: axis '" .. axis .. "'")
    if #values == 0 then native.fail("sweep: axis '" .. axis .. "' is empty; expected a list of values") end
    local longer = {}
    for _, at in ipairs(list) do
      for _, value in ipairs(values) do
        local copy = { [axis] = value }
        for name, other in pairs(at) do copy[name] = other end
        longer[#longer + 1] = copy
      end
    end
    list = longer
  end
  return list
end

local function start(at, body)
  local point = { at = common.strict(at, "axis"), entries = {}, text = {}, thread = coroutine.create(body) }
  points[point.thread] = point
  return point
end

-- Runs `point` until it ends or meets a stage that another process computes.
local function step(point)
  local ok, value = raw_resume(point.thread, not point.started and point.at or nil)
  point.started = true
  if not ok then return native.failure(value, point.thread) end
  if coroutine.status(point.thread) == "dead" then
    point.done, point.result = true, value
  elseif value ~= BUSY then
    native.fail("sweep: its body must not yield")
  end
end

local function finish(list, parent)
  local results, sink = {}, parent or root
  for i, point in ipairs(list) do
    results[i] = point.result
    for _, entry in ipairs(point.entries) do sink.entries[#sink.entries + 1] = entry end
  end
  return results
end

-- Raises the error of the first point whose training diverged, if any.
local function raise_divergence(list)
  for _, point in ipairs(list) do
    if point.diverged then error(point.diverged, 0) end
  end
end

-- One pass over the points that are not done. Returns how many are left.
local function round(list, parent)
  local left = 0
  for _, point in ipairs(list) do
    if not point.done then
      local err = step(point)
      if err and err.diverged then
        point.done, point.diverged = true, err
      elseif err then
        for _, other in ipairs(list) do flush(other, parent) end
        error(err, 0)
      end
    end
    if not point.done then left = left + 1 end
    if left == 0 then flush(point, parent) end
  end
  return left
end

function ts.sweep(grid, body)
  local list, parent = {}, current()
  expect(body, "function", "sweep")
  for i, at in ipairs(expand(expect(grid, "table", "sweep"))) do list[i] = start(at, body) end
  if not parent then native.sweep(#list) end
  local pause = 0.02
  while true do
    local before = completed
    if round(list, parent) == 0 then break end
    pause = completed > before and 0.02 or math.min(pause * 2, 0.5)
    if parent then coroutine.yield(BUSY) elseif completed == before then native.pause(pause) end
  end
  if not parent then native.sweep(0) end
  raise_divergence(list)
  return finish(list, parent)
end

return { call = call, in_point = function() return current() ~= nil end, entries = function() return (current() or root).entries end }
