# Sourced by every script here: a scratch folder as the current folder, a store that holds the built-in model, small settings.
set -euo pipefail
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tsrun-test-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
new_store() { cp -r "$TEST_STORE" "$1"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
table() { find "${1:-runs}" -name table.csv -newer "${2:-/dev/null}" | sort | head -n 1 | xargs cat; }
# A small version of the main recipe: every variant, few rows and epochs.
small=(--set dim=3 --set seeds=1 --set epochs=1 --set rows=128)
# small_task NAME FIRST SECOND: a folder with a task of two labels, told by which of the two words a sentence has; 48 rows to train on, 32 of dev.
small_task() {
  local name=$1 words=("$2" "$3") i
  mkdir -p "$name"
  printf '%s\n' "name = \"$name\"" 'kind = "classification"' 'text = ["sentence"]' 'label = "label"' 'labels = ["no", "yes"]' 'metrics = ["accuracy"]' \
    '[splits]' 'train = "train.tsv"' 'dev = "dev.tsv"' '[format]' 'type = "tsv"' 'header = true' 'quote = ""' >"$name/task.toml"
  for i in {1..80}; do printf 'the %s is in %s\t%s\n' "${words[i % 2]}" "$((i / 2))" "$([[ $((i % 2)) = 0 ]] && echo no || echo yes)"; done >"$name/rows"
  { printf 'sentence\tlabel\n' && head -n 48 "$name/rows"; } >"$name/train.tsv"
  { printf 'sentence\tlabel\n' && tail -n 32 "$name/rows"; } >"$name/dev.tsv"
}
