-- When cosine regularisation must fail, in vectors made up for it. First: a share of the words at +u and the rest at -u. The cosine term is
-- at its minimum where the halves are equal, though the vectors have rank one throughout; the second moment is not moved. Second: a cloud
-- with a growing common offset, where the mean squared distance of unit vectors is a falling straight line of the cosine term: a Laplacian
-- that pushes on the complete graph is cosine regularisation.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  words = { default = 60, min = 4, doc = "vectors" },
  width = { default = 8, min = 2, doc = "entries of each" },
}
local n, d = arg.words, arg.width

local function dot(a, b)
  local sum = 0
  for k = 1, d do sum = sum + a[k] * b[k] end
  return sum
end
local function unit(list)
  return lib.map(list, function(x)
    local norm = math.sqrt(dot(x, x))
    return lib.map(x, function(value) return value / norm end)
  end)
end
-- (1/N²) of the sum over pairs, of different ones for cosines.
local function over_pairs(list, value)
  local sum = 0
  for i = 1, n do
    for j = 1, n do sum = sum + (i == j and 0 or value(list[i], list[j])) end
  end
  return sum / n ^ 2
end
local function squared_distance(a, b) return dot(a, a) + dot(b, b) - 2 * dot(a, b) end
-- ‖XᵀX/N − I/d‖²
local function second_moment(list)
  local sum = 0
  for k = 1, d do
    for l = 1, d do
      local entry = 0
      for i = 1, n do entry = entry + list[i][k] * list[i][l] end
      sum = sum + (entry / n - (k == l and 1 / d or 0)) ^ 2
    end
  end
  return sum
end

local direction = unit({ lib.map(lib.numbers(d), function(k) return math.sin(k) end) })[1]
local shares, cosine, moment = {}, {}, {}
for count = n // 2, n, 2 do
  local list = lib.map(lib.numbers(n), function(i)
    return lib.map(direction, function(value) return i <= count and value or -value end)
  end)
  shares[#shares + 1], cosine[#cosine + 1], moment[#moment + 1] = count / n, over_pairs(list, dot), second_moment(list)
end

local draw = ts.random "cloud"
local cloud = lib.map(lib.numbers(n), function()
  return lib.map(lib.numbers(d), function() return draw:uniform() - 0.5 end)
end)
local terms, distances = {}, {}
for step = 0, 12 do
  local offset = step / 8
  local list = unit(lib.map(cloud, function(x)
    return lib.map(lib.numbers(d), function(k) return x[k] + offset * direction[k] end)
  end))
  terms[#terms + 1], distances[#distances + 1] = over_pairs(list, dot), over_pairs(list, squared_distance)
end

local report = ts.report "When cosine regularisation must fail"
report:table("Half of the words at +u, half at -u", {
  columns = { "at +u (%)", "cosine term", "second moment" },
  rows = lib.map(lib.numbers(#shares), function(i) return { ("%.0f"):format(100 * shares[i]), cosine[i], moment[i] } end),
  digits = { 0, 4, 4 },
  note = ("%d vectors of rank one. The least that the cosine term can be is %.4f; the most that the second moment can be is %.4f."):format(
    n, -1 / n, 1 - 1 / d),
})
report:figure {
  name = "counterexample", kind = "lines", x_label = "share of the words at +u", y_label = "term",
  series = { { name = "cosine", x = shares, y = cosine }, { name = "second moment", x = shares, y = moment } },
  caption = "The cosine term falls to its minimum while the vectors keep rank one.",
}
report:figure {
  name = "identity", kind = "lines", x_label = "cosine term", y_label = "mean squared distance",
  series = { { name = "cloud", x = terms, y = distances } },
  caption = ("A cloud with a growing common offset: mean squared distance = 2 (1 - 1/%d) - 2 times the cosine term."):format(n),
}
report:save()
