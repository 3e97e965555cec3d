. "$(dirname "$0")/common.sh"
# Bases in fewer bytes and from less training, and a zoo of two tasks that is read again: the same logits, to the bit.
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/shipping.lua" --set quick=yes --set embeddings=yes --set zoo=shipped --store store >table.txt 2>error.txt || fail "$(cat error.txt)"
for line in "factored, rows in bfloat16" "int8, a scale a direction" "a tenth of the rows" "whole trajectory" "full, 1 epochs" "full, 4 epochs (trajectory)"; do
  grep -q "^$line  " table.txt || fail "no '$line' in $(cat table.txt)"
done
grep -Eq '^variant .*shipped +basis +coordinates' table.txt || fail "no columns of bytes in $(cat table.txt)"
grep -q "no donor can recover" runs/shipping/*/report.html || fail "no reason why there is no figure of the cost"
bytes() { grep "^$1  " table.txt | tail -n 1 | sed "s/^$1 *//" | cut -d' ' -f1 | tr -d ,; }
(($(bytes bfloat16) * 2 == $(bytes float32))) || fail "a basis in bfloat16 takes $(bytes bfloat16) bytes, in float32 $(bytes float32)"
for claim in "Training within a basis in int8" "The one direction of the first epoch" "A LoRA's training is as good a donor"; do
  grep -q "^open: $claim" table.txt || fail "no claim '$claim' in $(cat table.txt)"
done
# Donors that end early, with the schedule of all epochs.
for line in "trajectory's first step, seed 1: done, 1/8 steps" "trajectory's first epoch, seed 1: done, 2/8 steps  epoch 1/4" "LoRA, 2 of 4 epochs, seed 1: done, 4/8 steps"; do
  grep -qF "donor: $line" error.txt || fail "no 'donor: $line' in $(cat error.txt)"
done
rates() { grep -E "^$2,\"?$3\"?,builtin:" "$1"/shipping/*/table.csv | sed -E 's/.*,([0-9]+),[0-9.]*,"?([^"]*)"?$/\1 \2/'; }  # steps of the search, and what it picked
[[ $(rates runs "Trained within" bfloat16) == "2 lr_embeddings 0.001, lr_head 0.001, reach 1" ]] || fail "$(cat runs/shipping/*/table.csv)"
[[ $(rates runs Ends freeze) == "2 lr_embeddings 0.001, lr_head 0.001" ]] || fail "$(cat runs/shipping/*/table.csv)"

# Learning rates that are searched, those of float32 for all forms. Two words of the built-in model tell the labels.
small_task made kabo lapo
new_store searched_store
search() {
  "$TSRUN" "$TSRUN_SOURCE/recipes/shipping.lua" --set task=made --set dim=3 --set seeds=1 --set epochs=4 --set rates=0.1,3 --set head_rates=0.03,0.1 \
    --store searched_store --runs searched --quiet >searched.txt 2>error.txt || fail "$(cat error.txt)"
}
search
picked=$(rates searched "Trained within" float32)
[[ $picked =~ ^32\ lr_head.*reach\ 3$ ]] || fail "expected four trainings of eight steps and a reach of 3 for float32, found '$picked'"
for form in factored bfloat16 "int8, a scale for 256 entries"; do
  [[ $(rates searched "Trained within" "$form") == "$picked" ]] || fail "$form has other rates than float32: $(rates searched "Trained within" "$form")"
done
for donor in "trajectory's first step" "a tenth of the rows" "a LoRA's training"; do
  [[ $(rates searched "Basis from" "$donor") =~ ^32\ lr_head.*reach ]] || fail "$donor: the search picked '$(rates searched "Basis from" "$donor")'"
done
[[ $(rates searched Ends "full, 4 epochs") =~ ^32\ lr\ .*lr_head && $(rates searched Ends freeze) =~ ^16\ lr_head ]] || fail "$(cat searched.txt)"
[[ -s $(echo searched/shipping/*/cost_of_a_trajectory.svg) ]] || fail "no figure of the cost in $(ls searched/shipping/*)"
grep -Eq "^whole trajectory +144 +3 " searched.txt || fail "$(cat searched.txt)"
grep -Eq "^trajectory's first epoch +48 +1 " searched.txt || fail "$(cat searched.txt)"
# The vector in float32 decodes to what was trained at its end, which is not where its score was best first.
loss() { awk -v of="\"$2\":" '$1 == of && $2 == "{" { on = 1 } on && $1 == "\"loss\":" { print $2; exit }' "$1"; }
trained=$(grep -l '"keep": "last"' searched_store/objects/train/*/artifact.json | xargs grep -l '"tune"')
[[ $(loss "$trained" best) != "$(loss "$trained" last)" ]] || fail "best and last are the same, so this shows nothing: $(cat "$trained")"
grep -qF "\"loss\": $(loss "$trained" last)" searched_store/objects/evaluation/*/artifact.json || fail "no decoded vector has the loss of the training's end"
stages() { find searched_store/objects -mindepth 2 -maxdepth 2 | wc -l; }
before=$(stages)
search
(($(stages) == before)) || fail "a second run computed $(($(stages) - before)) stages"

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
  print("keys", name, task.name, solutions[name].key, again.key)
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
print("keys", "beside", list.first.name, beside.key, again.key)
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

-- A training that ends early is the beginning of a longer one, its trajectory that one's first point.
local options = { model = model, task = list.first, rows = 64, epochs = 3, keep = "none", record = ts.every "epoch" }
local long = ts.train(options)
options.max_forward_passes = 3 * long.steps_per_epoch
local begun = ts.train(options)
assert(begun.steps == long.steps_per_epoch and begun.steps_planned == long.steps, "another schedule")
assert(begun.last.loss == long.evaluations[1].loss, "not the beginning of the longer training")
local first = ts.discover("trajectory_svd", { trajectory = begun.trajectory, dim = 1, variant = "delta" })
local refused, why = pcall(ts.discover, "trajectory_svd", { trajectory = begun.trajectory, dim = 2, variant = "delta" })
assert(first.dim == model.layers and not refused, tostring(why))
ts.print("round trip", zoo.bytes_basis)
LUA
"$TSRUN" zoo.lua --store store --quiet >zoo.txt 2>error.txt || fail "$(cat error.txt)"
grep -q "round trip" zoo.txt || fail "$(cat zoo.txt)"
[[ $(ls zoo) == $'basis\nfirst.safetensors\nsecond.safetensors\nzoo.json' || $(ls zoo | grep -v manifest) == $'basis\nfirst.safetensors\nsecond.safetensors\nzoo.json' ]] || fail "the zoo holds $(ls zoo)"
# Logits of every row, as numbers that read back as the same float.
while read -r _ name task trained reloaded; do
  for key in "$trained" "$reloaded"; do
    "$TSRUN" predict "train:$key" "builtin:$task" --store store --quiet >"$key.jsonl" 2>error.txt || fail "$(cat error.txt)"
  done
  (($(cut -d'"' -f6- "$trained.jsonl" | sort -u | wc -l) > 1)) || fail "$name: one answer to every row"
  cmp "$trained.jsonl" "$reloaded.jsonl" || fail "$name: other logits than those of the training"
  cp "$trained.jsonl" "logits of $name"
done < <(grep ^keys zoo.txt)
if cmp -s "logits of first" "logits of beside"; then fail "two trainings have the same logits"; fi
