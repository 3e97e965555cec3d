. "$(dirname "$0")/common.sh"
# Every delta method at two learning rates, on the built-in model and on a T5; what is wrong in an option is named with what was meant.
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/peft_baselines.lua" --set rows=64 --set epochs=1 --set seeds=1 --set rates=1e-3,1e-2 --store store --quiet >table.txt
for method in lora adapter ia3 bitfit layernorm prompt prefix; do grep -q "^$method, lr" table.txt || fail "no $method in $(cat table.txt)"; done
grep -Eq '^full +1 .* lr [0-9.]+ *$' table.txt && grep -Eq '^head only +1 .* lr_head [0-9.]+ *$' table.txt || fail "no rates of the references in $(cat table.txt)"
ls runs/peft_baselines/*/pareto.svg >/dev/null || fail "no figure"
# Time and memory are told, of every method, and only where two runs may differ.
grep -q 'seconds.*peak memory' table.txt || fail "no times in $(cat table.txt)"
[[ $(grep -cE '^"(lora|adapter|ia3|bitfit|layernorm|prompt|prefix), lr [0-9.e-]+",[0-9.e-]+,' runs/peft_baselines/*/resources.csv) -eq 7 ]] || fail "$(cat runs/peft_baselines/*/resources.csv)"
grep -q ',lora: query,.*attention' runs/peft_baselines/*/modules.csv || fail "no modules of lora in $(cat runs/peft_baselines/*/modules.csv)"
[[ $(grep -c ',head,of the task,' runs/peft_baselines/*/modules.csv) -eq 7 ]] || fail "not seven heads in $(cat runs/peft_baselines/*/modules.csv)"
for file in table.csv table.md metrics.jsonl; do if grep -q 'seconds\|memory' runs/peft_baselines/*/$file; then fail "$file tells times"; fi; done
mkdir t5 && cp "$TSRUN_SOURCE/tests/goldens/t5_tiny/"{config.json,model.safetensors} t5
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the . in is '?' {a..z} >t5/vocab.txt
printf '##%s\n' {a..z} >>t5/vocab.txt
"$TSRUN" "$TSRUN_SOURCE/recipes/peft_baselines.lua" --set model=t5 --set task=builtin:topic --set methods=lora,prefix,prompt,vera,lokr --set rows=16 --set epochs=1 --set seeds=1 --set rates=1e-3 \
  --store store --quiet >t5.txt 2>t5.err || fail "$(cat t5.err)"
cat >wrong.lua <<'L'
local ts = require "ts"
ts.adapt(ts.model "builtin:bert-mini", { method = "lora", target_modules = { "quary" } })
L
if "$TSRUN" wrong.lua --store store --quiet 2>error.txt; then fail "a target that matches nothing was taken"; fi
grep -q "wrong.lua:2: .*'quary' matches no possible target of the model (did you mean 'query'?)" error.txt || fail "$(cat error.txt)"
# A merged model answers as the model with its delta did, and the folder says how far its logits moved; frozen tensors of a delta are made again of the model's weights.
cat >merge.lua <<'L'
local ts = require "ts"
local task = ts.task "builtin:paraphrase"
for _, options in ipairs { { method = "lora", use_dora = true, lora_dropout = 0.1 }, { method = "tinylora", target_modules = "all-linear" }, { method = "vera", r = 32 } } do
  local model = ts.adapt(ts.model "builtin:bert-mini", options)
  local run = ts.train { model = model, task = task, rows = 64, epochs = 1, lr = 1e-2, keep = "last" }
  local distance = ts.export { solution = run, form = "merged", path = "merged_" .. options.method }.merge.distance
  print(options.method, run.key, distance.float32 < 1e-4 and distance.bfloat16 < 0.5)
end
L
"$TSRUN" merge.lua --store store --quiet >merge.txt
[[ $(wc -l <merge.txt) -eq 3 ]] || fail "$(cat merge.txt)"
while read -r method key close; do
  [[ $close == true ]] || fail "merging moved the logits: $(cat "merged_$method/merge.json")"
  grep -q '"changed"' "merged_$method/merge.json" || fail "$(cat "merged_$method/merge.json")"
  for model in "train:$key" "merged_$method"; do
    "$TSRUN" predict "$model" builtin:paraphrase --store store 2>err | sed 's/.*"label":/label /; s/,"logits.*//' >"${model%%[:_]*}.labels" || fail "$(cat err)"
  done
  grep -q "^label " merged.labels || fail "no answers: $(head -n 2 merged.labels)"
  diff train.labels merged.labels >answers || fail "a merged model answers otherwise than its $method: $(head -n 4 answers)"
done <merge.txt
