. "$(dirname "$0")/common.sh"
# Small random models, with a vocabulary of letters: what is tested is that every step of the recipe works on every family.
vocabulary() {
  printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the . in is '?' {a..z}
  printf '##%s\n' {a..z}
}
small_task animals cat dog
for family in bert roberta electra distilbert gpt2 llama mistral qwen2; do
  mkdir -p "$family"
  cp "$TSRUN_SOURCE/tests/goldens/${family}_tiny/"{config.json,model.safetensors} "$family"
  vocabulary >"$family/vocab.txt"
  "$TSRUN" "$TSRUN_SOURCE/recipes/outlier_ablation.lua" --set model="$family" --set task=animals --set quick=yes --set dim=2 --set seeds=1 --set epochs=1 \
    --set rows=32 --store store --quiet >"$family.txt" 2>"$family.err" || fail "$family: $(cat "$family.err")"
  (($(grep -c ' ± –' "$family.txt") == 32)) || fail "$family: $(cat "$family.txt")"
done
