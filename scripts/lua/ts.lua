-- The module `ts`. Operations come from the program, each with its own option table; the rest, which makes recipes short, is here: arguments, sweeps,
-- reports. Every function is documented in docs/recipes.md.
local native, parts = ...
local ts = {}

local raw_resume = coroutine.resume
local BUSY = {}                                  -- what a point of a sweep yields while another process computes its stage
local points = setmetatable({}, { __mode = "k" })  -- coroutine -> point of the sweep that runs it
local root = { entries = {} }                    -- where rows go outside sweeps
local completed = 0                              -- operations done; shows whether a round of a sweep made progress

local function current() return points[coroutine.running()] end

local function expect(value, kind, what)
  if type(value) ~= kind then native.fail(what .. ": expected a " .. kind .. ", found " .. (value == nil and "nothing" or "a " .. type(value))) end
  return value
end

local function sorted_names(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = tostring(name) end
  table.sort(list)
  return list
end

-- A copy of `values` where a misspelt name is an error: "no argument 'dimm' (did you mean 'dim'?)".
local function strict(values, what)
  return setmetatable(values, {
    __index = function(_, name) native.fail("no " .. what .. " '" .. tostring(name) .. "'" .. native.did_you_mean(tostring(name), sorted_names(values))) end,
  })
end

-- Operations ---------------------------------------------------------------------------------------------------------------------------------

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

-- ts.discover("trajectory_svd", { … }) and ts.outliers(run, { … }): a first argument other than an option table is the first declared option.
local function operation(name, first)
  return function(subject, options)
    local arguments = {}
    local positional = type(subject) ~= "table" or rawget(subject, "artifact") ~= nil
    if not positional and options ~= nil then native.fail(name .. ": expected one table of options, found a second argument") end
    local given = options
    if not positional then given = subject end
    for key, value in pairs(expect(given == nil and {} or given, "table", name)) do arguments[key] = value end
    if positional and subject ~= nil then
      if first == nil then native.fail(name .. ": takes no options") end
      if arguments[first] ~= nil then native.fail(name .. ": option '" .. first .. "' is given twice") end
      arguments[first] = subject
    end
    return call(name, arguments)
  end
end

-- Arguments and small helpers ----------------------------------------------------------------------------------------------------------------

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
  if type(basis) ~= "table" or rawget(basis, "artifact") == nil then native.fail("within: expected a subspace, as ts.discover returns it") end
  local tune = { subspace = basis }
  for name, value in pairs(expect(options == nil and {} or options, "table", "within")) do tune[name] = value end
  return tune
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
  if math.type(low) ~= "integer" or math.type(high) ~= "integer" or low > high then native.fail("integer: expected two integers, the lower one first") end
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

-- Output in grid order -----------------------------------------------------------------------------------------------------------------------

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

-- Sweeps -------------------------------------------------------------------------------------------------------------------------------------

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
  local point = { at = strict(at, "axis"), entries = {}, text = {}, thread = coroutine.create(body) }
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

-- One pass over the points that are not done. Returns how many are left.
local function round(list, parent)
  local left = 0
  for _, point in ipairs(list) do
    if not point.done then
      local err = step(point)
      if err then
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
  return finish(list, parent)
end

-- Reports ------------------------------------------------------------------------------------------------------------------------------------

local Report, reports = {}, {}
local report_meta = {
  __index = function(_, name)
    return Report[name] or native.fail("report: unknown method '" .. tostring(name) .. "'" .. native.did_you_mean(tostring(name), sorted_names(Report)))
  end,
}

local function add(report, list, value)
  local sink = current() or root
  rawset(report, "saved", false)
  sink.entries[#sink.entries + 1] = { report = report, list = list, value = value }
end

function Report:row(variant, result, section)
  expect(variant, "string", "report: row")
  if type(result) ~= "table" then native.fail("report: row '" .. variant .. "': expected a result, such as ts.train returns, found " .. type(result)) end
  add(self, "rows", { variant = variant, result = result, section = section })
end

function Report:figure(options) add(self, "figures", expect(options, "table", "report: figure")) end
function Report:note(text) add(self, "notes", expect(text, "string", "report: note")) end

-- A file name for a caption: "Update along …: random basis" -> "update_along_random_basis".
local function file_name(caption)
  return (expect(caption, "string", "report: a figure's caption"):lower():gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", ""))
end

local function drawn(report, kind, caption, options)
  options.name, options.caption, options.kind = file_name(caption), caption, kind
  report:figure(options)
end

-- Singular values of bases: { name = basis }.
function Report:spectrum(caption, bases) drawn(self, "spectrum", caption, { bases = expect(bases, "table", "report: spectrum") }) end

-- Numbers by layer that selectors chose by: { name = scope of ts.select }.
function Report:layers(caption, scopes) drawn(self, "layers", caption, { scopes = expect(scopes, "table", "report: layers") }) end

-- |update| along the positions of each layer, from ts.outliers.
function Report:positions(caption, outliers, options)
  local figure = { outliers = expect(outliers, "table", "report: positions") }
  for name, value in pairs(options or {}) do figure[name] = value end
  drawn(self, "update", caption, figure)
end

-- Share of outliers by kind of tensor: { name = outliers }.
function Report:shares(caption, masks) drawn(self, "shares", caption, { outliers = expect(masks, "table", "report: shares") }) end

-- A row with its holes filled, for a Lua table cannot hold nil: `false` is an empty cell.
local function cells_of(row, columns, where)
  local cells = {}
  for i = 1, columns do
    if row[i] == nil then cells[i] = false else cells[i] = row[i] end
  end
  for key in pairs(row) do
    if math.type(key) ~= "integer" or key < 1 or key > columns then
      native.fail(("%s: found a cell '%s', but the table has %d columns"):format(where, tostring(key), columns))
    end
  end
  return cells
end

-- A table of one's own shape: { columns, rows, digits, note }. Cells: text, number, list of numbers (mean ± std), { mean, std, n }, or nothing.
function Report:table(caption, options)
  local own = { name = file_name(caption), caption = caption, columns = {}, rows = {} }
  for name, value in pairs(expect(options, "table", "report: table")) do
    if name ~= "columns" and name ~= "rows" then own[name] = value end
  end
  for i, name in ipairs(expect(options.columns, "table", "report: table: columns")) do own.columns[i] = tostring(name) end
  for i, row in ipairs(options.rows or {}) do
    local where = ("report: table '%s': row %d"):format(caption, i)
    own.rows[i] = cells_of(expect(row, "table", where), #own.columns, where)
  end
  if type(own.digits) == "number" then own.digits = { own.digits } end
  add(self, "tables", own)
end

-- Heat maps over one plane: { panels = { { name, values = rows from the lowest y } }, x = {min, max}, y = {min, max}, points, threshold, label }.
function Report:landscape(caption, options)
  local figure = {}
  for name, value in pairs(expect(options, "table", "report: landscape")) do figure[name] = value end
  figure.panels = {}
  for i, panel in ipairs(options.panels or {}) do
    local copy = { name = panel.name, values = {} }
    local where = ("report: landscape '%s': panel %d"):format(caption, i)
    local columns = #(expect(expect(panel.values, "table", where)[1], "table", where))
    for j, row in ipairs(panel.values) do copy.values[j] = cells_of(row, columns, ("%s, row %d"):format(where, j)) end
    figure.panels[i] = copy
  end
  drawn(self, "landscape", caption, figure)
end

-- A number for every pair of a row and a column: { columns = names, rows = names, values = a list for every row, digits, x_label, y_label }.
function Report:heat_map(caption, options)
  local figure = { values = {}, columns = {}, rows = {} }
  for name, value in pairs(expect(options, "table", "report: heat_map")) do
    if not figure[name] then figure[name] = value end
  end
  for _, side in ipairs { "columns", "rows" } do
    for i, name in ipairs(expect(options[side], "table", "report: heat_map: " .. side)) do figure[side][i] = tostring(name) end
  end
  for i, row in ipairs(options.values or {}) do
    local where = ("report: heat_map '%s': row %d"):format(caption, i)
    figure.values[i] = cells_of(expect(row, "table", where), #figure.columns, where)
  end
  drawn(self, "heat_map", caption, figure)
end

-- Prints the page's table of time and memory, of rows in these sections (none: in all).
function Report:resources(sections)
  rawset(self, "told", sections or {})
  rawset(self, "saved", false)
end

-- A figure of score against the measured time of a step, of rows in these sections (none: in all).
function Report:cost(caption, sections)
  rawset(self, "cost_caption", expect(caption, "string", "report: cost"))
  rawset(self, "cost_sections", sections or {})
  rawset(self, "saved", false)
end

local function deviation(entry) return ("%s[%s] %.4g"):format(entry.tensor, table.concat(entry.index, ", "), entry.value) end

-- Notes about a mask of ts.outliers: counts, the largest of each layer, and the rank correlation of |u| with |weights|.
function Report:outliers(name, outliers)
  expect(outliers, "table", "report: outliers")
  if rawget(outliers, "planned") then return end
  self:note(("%s: %d outliers beyond %g standard deviations, %.3f %% of the weights."):format(
    name, outliers.count, outliers.sigmas, 100 * outliers.share))
  for _, group in ipairs(outliers.groups) do
    local top = {}
    for i = 1, math.min(3, #group.top) do top[i] = deviation(group.top[i]) end
    self:note(("%s, %s: %d outliers; rank correlation of |u| with |weight| %.3f; largest: %s."):format(
      name, group.name, group.count, group.rank_correlation, #top > 0 and table.concat(top, "; ") or "none"))
  end
end

-- A note for every row whose learning rates were picked among several, once a variant.
local function note_searches(page)
  local told = {}
  for _, row in ipairs(page.rows) do
    local search = rawget(row.result, "search")
    local note = search and search.trainings > 1 and row.variant .. ": " .. search.note
    if note and not told[note] then
      told[note] = true
      page.notes[#page.notes + 1] = note
    end
  end
end

function Report:save()
  if current() then native.fail("report: save() belongs after the sweep, when all its rows are there") end
  local page = { title = rawget(self, "title"), split = rawget(self, "split"), folder = rawget(self, "folder"), rows = {}, figures = {}, tables = {}, claims = {}, notes = {},
    resources = rawget(self, "told"), show_resources = rawget(self, "told") ~= nil, cost = rawget(self, "cost_caption"), cost_sections = rawget(self, "cost_sections") }
  for _, entry in ipairs(root.entries) do
    if entry.report == self then
      local list = page[entry.list]
      list[#list + 1] = entry.value
    end
  end
  note_searches(page)
  rawset(self, "saved", true)
  return call("report", page)
end

local report_options = { model = true, task = true, split = true, folder = true }

function ts.report(title, options)
  local report = setmetatable({ title = expect(title, "string", "report"), saved = true }, report_meta)
  for name, value in pairs(expect(options == nil and {} or options, "table", "report")) do
    if not report_options[name] then
      native.fail("report: unknown option '" .. tostring(name) .. "'" .. native.did_you_mean(tostring(name), sorted_names(report_options)))
    end
    rawset(report, name, value)
  end
  reports[#reports + 1] = report
  return report
end

-- ts.claim { text, source, better | not_worse | no_different = row, than = row, by, score, level }: judged by the rows when the report is saved.
function ts.claim(options)
  local claim = {}
  for name, value in pairs(expect(options, "table", "claim")) do
    if name ~= "report" then claim[name] = value end
  end
  local report = options.report or reports[#reports]
  if getmetatable(report) ~= report_meta then
    native.fail("claim: expected a report, as ts.report returns it, found " .. (report == nil and "none" or "a " .. type(report)))
  end
  add(report, "claims", claim)
end

-- The program calls this when the recipe has ended.
local function finish_recipe()
  for _, report in ipairs(reports) do
    if not report.saved then report:save() end
  end
end

-- An operation "tokenizer.train" is ts.tokenizer.train.
for _, known in ipairs(native.operations()) do
  local group, name = known.name:match("^(.-)%.(.+)$")
  local place = ts
  if group then
    ts[group] = ts[group] or strict({}, "operation of ts." .. group)
    place = ts[group]
  end
  name = name or known.name
  if rawget(place, name) == nil then rawset(place, name, operation(known.name, known.first)) end
end
local best_of = parts.candidates(native, ts)
parts.search(native, ts, best_of)
parts.intrinsic_dimension(native, ts, best_of)
-- A read-only view for recipes, so that none replaces an operation by accident.
local view = setmetatable({}, {
  __index = function(_, name)
    local value = ts[name]
    if value == nil then native.fail("ts: unknown name '" .. tostring(name) .. "'" .. native.did_you_mean(tostring(name), sorted_names(ts))) end
    return value
  end,
  __newindex = function() native.fail("ts: cannot be changed by a recipe") end,
  __pairs = function() return next, ts end,
})
return view, finish_recipe
