. "$(dirname "$0")/common.sh"
# What PEFT saved gives PEFT's logits here, is trained on here, and is loaded by PEFT again: logits within 1e-4 and the same answers both times, for every method.
# $TSRUN_PEERS_PYTHON: a Python with torch, transformers and peft. $TSRUN_EXCHANGE_MODEL, $TSRUN_EXCHANGE_TASK, $TSRUN_EXCHANGE_METHODS: a BERT and a task as
# folders, and some of the methods, instead of the built-in model, a few made-up sentences and all.
python=${TSRUN_PEERS_PYTHON:-}
if [[ -z $python ]] || ! "$python" -c 'import peft, transformers' 2>/dev/null; then
  echo "SKIPPED: set TSRUN_PEERS_PYTHON to a Python with torch, transformers and peft" >&2
  exit 77
fi
new_store store
side() { "$python" -W ignore "$TSRUN_SOURCE/tests/end_to_end/peft_side.py" "$@" 2>side.err || fail "peft_side.py $*: $(cat side.err)"; }
model=${TSRUN_EXCHANGE_MODEL:-$(dirname "$(find "$PWD/store/objects/model" -name config.json | head -n 1)")}
task=${TSRUN_EXCHANGE_TASK:-}
if [[ -z $task ]]; then
  task=$PWD/task && mkdir task
  printf '%s\n' 'name = "made_up"' 'kind = "classification"' 'text = ["a", "b"]' 'label = "c"' 'labels = ["yes", "no"]' 'metrics = ["accuracy"]' \
    '[splits]' 'train = "rows.tsv"' 'dev = "rows.tsv"' '[format]' 'type = "tsv"' 'header = true' 'quote = ""' >task/task.toml
  printf 'a\tb\tc\n' >task/rows.tsv
  for i in {1..16}; do printf 'row %d is %s\t%s it\tyes\nthe %d .\tno row\tno\n' "$i" "${i}th" "$((i % 3))" "$i" >>task/rows.tsv; done
fi
cat >train_on.lua <<'L'
-- Some more steps from every folder that PEFT saved.
local ts = require "ts"
local arg = ts.arguments { model = { default = "" }, task = { default = "" }, folders = { default = "" }, methods = { default = { "lora" } } }
for _, method in ipairs(arg.methods) do
  local model = ts.adapt(ts.model(arg.model), { peft = arg.folders .. "/" .. method })
  local run = ts.train { model = model, task = ts.task(arg.task), epochs = 1, rows = 32, batch_size = 8, lr = 3e-3, lr_head = 1e-3, keep = "last" }
  ts.export { solution = run, form = "peft", path = arg.folders .. "/" .. method .. "_on" }
  print(method, run.key)
end
L
read -r -a methods <<<"${TSRUN_EXCHANGE_METHODS:-lora lora_rules lora_tables lora_tokens ia3 ln_tuning prompt prefix vera fourierft vblora randlora tinylora loha lokr oft boft hra miss adalora}"
mkdir folders && side train "$model" "$task" "$PWD/folders" "${methods[@]}"
model=$PWD/folders/base
for method in "${methods[@]}"; do
  "$TSRUN" predict "$model" "$task" --delta "folders/$method" --max-length 507 --store store >here.jsonl 2>err || fail "$(cat err)"
  mv here.jsonl "$method.loaded.jsonl"
  side compare "$method.loaded.jsonl" "folders/$method.jsonl" "$task"
done
"$TSRUN" train_on.lua --set model="$model" --set task="$task" --set folders="$PWD/folders" --set methods="$(IFS=,; echo "${methods[*]}")" --store store --quiet >keys 2>err ||
  fail "$(cat err)"
(cd folders && side logits "$model" "$task" "${methods[@]/%/_on}")
# A method that PEFT lacks is exported as one that PEFT has.
cat >lora_xs.lua <<'L'
local ts = require "ts"
local arg = ts.arguments { model = { default = "" }, task = { default = "" }, folders = { default = "" } }
local model = ts.adapt(ts.model(arg.model), { method = "lora_xs", r = 8, target_modules = { "query", "output.dense" } })
local run = ts.train { model = model, task = ts.task(arg.task), epochs = 2, rows = 32, batch_size = 8, lr = 3e-2, lr_head = 1e-3, keep = "last" }
ts.export { solution = run, form = "peft", path = arg.folders .. "/lora_xs" }
print(run.key)
L
key=$("$TSRUN" lora_xs.lua --set model="$model" --set task="$task" --set folders="$PWD/folders" --store store --quiet 2>err) || fail "$(cat err)"
(cd folders && side logits "$model" "$task" lora_xs)
"$TSRUN" predict "train:$key" "$task" --max-length 507 --store store >lora_xs.trained.jsonl 2>err || fail "$(cat err)"
side compare lora_xs.trained.jsonl folders/lora_xs.jsonl "$task"
while read -r method key; do
  "$TSRUN" predict "train:$key" "$task" --max-length 507 --store store >"$method.trained.jsonl" 2>err || fail "$(cat err)"
  side compare "$method.trained.jsonl" "folders/${method}_on.jsonl" "$task"
  if cmp -s "$method.trained.jsonl" "$method.loaded.jsonl"; then fail "$method: training on changed nothing"; fi
done <keys
