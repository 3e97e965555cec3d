-- ts.report and ts.claim: rows, notes, figures and claims of the run's page, in grid order. Returns what the program calls when the recipe
-- has ended: it saves the reports that the recipe did not.
local native, ts, common, sweep, figures = ...
local expect, refuse_unknown = common.expect, common.refuse_unknown

local Report, reports = {}, {}
local report_meta = {
  __index = function(_, name) return Report[name] or refuse_unknown("report: unknown method", name, Report) end,
}

local function add(report, list, value)
  local entries = sweep.entries()
  rawset(report, "saved", false)
  entries[#entries + 1] = { report = report, list = list, value = value }
end

function Report:row(variant, result, section)
  expect(variant, "string", "report: row")
  if type(result) ~= "table" then
    native.fail("report: row '" .. variant .. "': expected a result, such as ts.train returns, found " .. type(result))
  end
  add(self, "rows", { variant = variant, result = result, section = section })
end

function Report:figure(options) add(self, "figures", expect(options, "table", "report: figure")) end
function Report:note(text) add(self, "notes", expect(text, "string", "report: note")) end

figures(native, Report, add, common)

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

-- What a row's learning rates were picked by, where there were several.
local function note_of_search(result)
  local search = rawget(result, "search")
  return search and search.trainings > 1 and search.note
end

-- Names the selectors that gave no scope in the row's training.
local function note_of_undecided(result)
  local names = {}
  for _, plugin in ipairs(rawget(result, "plugins") or {}) do
    if plugin.undecided then names[#names + 1] = plugin.name end
  end
  return #names > 0 and ("%s gave no scope in %d steps: nothing was frozen or masked."):format(table.concat(names, ", "), result.steps)
end

-- Adds a note of each row that `note_of` has one for, once a variant.
local function add_notes(page, note_of)
  local told = {}
  for _, row in ipairs(page.rows) do
    local text = note_of(row.result)
    local note = text and row.variant .. ": " .. text
    if note and not told[note] then
      told[note] = true
      page.notes[#page.notes + 1] = note
    end
  end
end

function Report:save()
  if sweep.in_point() then native.fail("report: save() belongs after the sweep, when all its rows are there") end
  local page = {
    title = rawget(self, "title"), split = rawget(self, "split"), folder = rawget(self, "folder"),
    rows = {}, figures = {}, tables = {}, claims = {}, notes = {},
    resources = rawget(self, "told"), show_resources = rawget(self, "told") ~= nil,
    cost = rawget(self, "cost_caption"), cost_sections = rawget(self, "cost_sections"),
  }
  for _, entry in ipairs(sweep.entries()) do
    if entry.report == self then
      local list = page[entry.list]
      list[#list + 1] = entry.value
    end
  end
  add_notes(page, note_of_search)
  add_notes(page, note_of_undecided)
  rawset(self, "saved", true)
  return sweep.call("report", page)
end

local report_options = { model = true, task = true, split = true, folder = true }

function ts.report(title, options)
  local report = setmetatable({ title = expect(title, "string", "report"), saved = true }, report_meta)
  for name, value in pairs(expect(options == nil and {} or options, "table", "report")) do
    if not report_options[name] then refuse_unknown("report: unknown option", name, report_options) end
    rawset(report, name, value)
  end
  reports[#reports + 1] = report
  return report
end

-- ts.claim { text, source, better | not_worse | no_different = row, than = row, by, score, level, section, moot }: judged by the rows when
-- the report is saved.
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

return function()
  for _, report in ipairs(reports) do
    if not report.saved then report:save() end
  end
end
