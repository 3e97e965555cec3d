. "$(dirname "$0")/common.sh"
# The recipes of the unified subspace, in small, on a T5 and on an encoder with heads; the same table twice, and from a store that is there.
new_store store
mkdir t5_tiny && cp "$TSRUN_SOURCE/tests/goldens/t5_tiny/"{config.json,model.safetensors} t5_tiny
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the . in is '?' {a..z} >t5_tiny/vocab.txt
printf '##%s\n' {a..z} >>t5_tiny/vocab.txt
small_task first cat dog && small_task second red blue && small_task third up down
small=(--set seeds=1 --set train=first --set test=second,third --set dims=2 --set epochs=1 --set rows=32 --set steps=4 --set tuning_steps=4 --set rates=5e-2 --set answer_length=2)
for model in t5_tiny builtin:bert-mini; do
  "$TSRUN" "$TSRUN_SOURCE/recipes/unified_subspace.lua" --set model=$model "${small[@]}" --store store --quiet >table.txt 2>error.txt || fail "$(cat error.txt)"
  for line in "Subspace optimisation, relative" "Transfer, absolute" "no mixing" "random decoders" "joint principal components" "mean code"; do
    grep -q "$line" table.txt || fail "no '$line' in $(cat table.txt)"
  done
  [[ $model = t5_tiny ]] && mv table.txt first.txt
  way=shared_vector control="maps as they are drawn"
  [[ $model = t5_tiny ]] || way=low_rank control="full, its code"
  "$TSRUN" "$TSRUN_SOURCE/recipes/unified_subspace.lua" --set model=$model "${small[@]}" --set lr=1e-3,3e-3 --set fine_tuning=$way --store store --quiet >full.txt 2>error.txt || fail "$(cat error.txt)"
  for line in "full > prefix" "$control"; do grep -q "$line" full.txt || fail "no '$line' in $(cat full.txt)"; done
done
"$TSRUN" "$TSRUN_SOURCE/recipes/unified_subspace.lua" --set model=t5_tiny "${small[@]}" --store store --quiet >again.txt
diff <(grep -v '^report' first.txt) <(grep -v '^report' again.txt) || fail "read from the store, the tables differ"
"$TSRUN" "$TSRUN_SOURCE/recipes/landscape.lua" --set model=t5_tiny --set task=first --set dim=2 --set epochs=1 --set rows=32 --set steps=4 --set tuning_steps=4 --set cells=3 --set scan_rows=8 --set answer_length=2 \
  --store store --quiet >landscape.txt 2>landscape.err || fail "$(cat landscape.err)"
ls runs/landscape/*/plane_through_the_codes_of_the_solutions.svg >/dev/null || fail "no landscape"
"$TSRUN" "$TSRUN_SOURCE/recipes/compare_det.lua" --set seeds=1 --set model=t5_tiny --set task=third --set train=first,second --set epochs=1 --set rows=32 --set steps=4 --set tuning_steps=4 --set rates=1e-3 --set dim=2 --set answer_length=2 \
  --store store --quiet >compare.txt 2>compare.err || fail "$(cat compare.err)"
for line in "own space" "one shared space" "trajectory" "> compacter"; do grep -q -- "$line" compare.txt || fail "no '$line' in $(cat compare.txt)"; done
# Coordinates of the layers' subspaces and vectors of the shared space have rates to choose from too.
grep -Eq '^random, d = 2 a layer .* reach 10? *$' compare.txt || fail "no reach was picked in $(cat compare.txt)"
grep -Eq '^lora, d = 2 .* lr_coordinates 0.0[15] *$' compare.txt || fail "no rate of a vector was picked in $(cat compare.txt)"
