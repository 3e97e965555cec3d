-- Figures and tables of a report, as methods of its class.
local native, Report, add, common = ...
local expect, with = common.expect, common.with

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
  drawn(self, "update", caption, with({ outliers = expect(outliers, "table", "report: positions") }, options))
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

-- A table of one's own shape: { columns, rows, digits, note }. Cells: text, number, list of numbers (mean ± std), { mean, std, n }, or
-- nothing.
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

-- Heat maps over one plane: { panels = { { name, values = rows from the lowest y } }, x = {min, max}, y = {min, max}, points, threshold,
-- label }.
function Report:landscape(caption, options)
  local figure = with(expect(options, "table", "report: landscape"), { panels = {} })
  for i, panel in ipairs(options.panels or {}) do
    local copy = { name = panel.name, values = {} }
    local where = ("report: landscape '%s': panel %d"):format(caption, i)
    local columns = #(expect(expect(panel.values, "table", where)[1], "table", where))
    for j, row in ipairs(panel.values) do copy.values[j] = cells_of(row, columns, ("%s, row %d"):format(where, j)) end
    figure.panels[i] = copy
  end
  drawn(self, "landscape", caption, figure)
end

-- A number for every pair of a row and a column: { columns = names, rows = names, values = a list for every row, digits, x_label,
-- y_label }.
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
