. "$(dirname "$0")/common.sh"
# Bases in fewer bytes, and a zoo of two tasks that is read again: the same logits, to the bit.
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/shipping.lua" --set quick=yes --set zoo=shipped --store store --quiet >table.txt 2>error.txt || fail "$(cat error.txt)"
for line in "factored, rows in bfloat16" "int8, a scale a direction" "a tenth of the rows" "whole trajectory"; do
  grep -q "$line" table.txt || fail "no '$line' in $(cat table.txt)"
done
grep -Eq '^variant .*shipped +basis +coordinates' table.txt || fail "no columns of bytes in $(cat table.txt)"
ls runs/shipping/*/cost_of_a_trajectory.svg >/dev/null 2>&1 || grep -q "no donor can recover" runs/shipping/*/report.html ||
  fail "neither a figure of the cost nor a reason why there is none"
bytes() { grep "^$1  " table.txt | tail -n 1 | sed "s/^$1 *//" | cut -d' ' -f1 | tr -d ,; }
(($(bytes bfloat16) * 2 == $(bytes float32))) || fail "a basis in bfloat16 takes $(bytes bfloat16) bytes, in float32 $(bytes float32)"

cat >zoo.lua <<'LUA'
local ts = require "ts"
local model = ts.model "builtin:bert-mini"
local basis = ts.quantize { basis = ts.discover("random_projection", { model = model, dim = 2 }), form = "int8" }
local solutions, list = {}, { first = ts.task "builtin:paraphrase", second = ts.task "builtin:acceptability" }
for name, task in pairs(list) do
  solutions[name] = ts.train { model = model, task = task, tune = ts.within(basis), rows = 64, epochs = 1, keep = "last" }
end
local zoo = ts.zoo { basis = basis, solutions = solutions, path = "zoo" }
ts.zoo { basis = basis, solutions = solutions, path = "zoo" }  -- there already
for name, task in pairs(list) do
  local again = ts.from_zoo { path = "zoo", solution = name, model = model, task = task }
  local wanted, found = ts.evaluate(solutions[name]).last, ts.evaluate(again).last
  assert(wanted.loss == found.loss and wanted.score == found.score, name .. ": another solution was read")
  assert(zoo.solutions[1].bytes_coordinates == 4 * basis.dim)
end
local ok, message = pcall(ts.zoo, { basis = ts.discover("random_projection", { model = model, dim = 3 }), solutions = solutions, path = "other" })
assert(not ok and tostring(message):find("was not trained within this basis"), tostring(message))
ok, message = pcall(ts.from_zoo, { path = "zoo", solution = "frist", model = model, task = list.first })
assert(not ok and tostring(message):find("did you mean 'first'"), tostring(message))
ok, message = pcall(ts.zoo, { basis = basis, solutions = { first = solutions.first }, path = "zoo" })
assert(not ok and tostring(message):find("holds something else"), tostring(message))

local donor = ts.train { model = model, task = list.first, rows = 64, epochs = 1, keep = "last", lr = 0.001 }
local function begun_at(parts)
  return ts.train {
    model = model, task = list.first, tune = ts.within(basis, { pooler = false }), rows = 64, epochs = 1, keep = "last",
    origin = { solution = donor, parts = parts },
  }
end
local beside = begun_at { "pooler", "head" }
ts.zoo { basis = basis, solutions = { beside = beside }, path = "beside" }
local again = ts.from_zoo { path = "beside", solution = "beside", model = model, task = list.first }
assert(ts.evaluate(beside).last.loss == ts.evaluate(again).last.loss, "the pooler that a training began with was not shipped")
ok, message = pcall(ts.zoo, { basis = basis, solutions = { elsewhere = begun_at { "encoder" } }, path = "elsewhere" })
assert(not ok and tostring(message):find("'elsewhere' began at other weights than the model's"), tostring(message))

ts.export { solution = donor, path = "tuned" }
ok, message = pcall(ts.from_zoo, { path = "zoo", solution = "first", model = ts.model "tuned", task = list.first })
assert(not ok and tostring(message):find("other weights than the model that the zoo is of"), tostring(message))

local delta = ts.adapt(model, { method = "lora", r = 2, target_modules = { "query" } })
local within_delta = ts.discover("random_projection", { model = delta, dim = 2, parameters = { parts = { "delta" }, groups = "whole" } })
local seeded = ts.train {
  model = delta, task = list.first, tune = ts.within(within_delta), rows = 64, epochs = 1, keep = "last", seed = 2,
}
ok, message = pcall(ts.zoo, { basis = within_delta, solutions = { seeded = seeded }, path = "seeded" })
assert(not ok and tostring(message):find("a delta without a seed of its own"), tostring(message))
ts.print("round trip", zoo.bytes_basis)
LUA
"$TSRUN" zoo.lua --store store --quiet >zoo.txt 2>error.txt || fail "$(cat error.txt)"
grep -q "round trip" zoo.txt || fail "$(cat zoo.txt)"
[[ $(ls zoo) == $'basis\nfirst.safetensors\nsecond.safetensors\nzoo.json' || $(ls zoo | grep -v manifest) == $'basis\nfirst.safetensors\nsecond.safetensors\nzoo.json' ]] || fail "the zoo holds $(ls zoo)"
