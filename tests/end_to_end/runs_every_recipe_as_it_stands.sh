. "$(dirname "$0")/common.sh"
# Every recipe with its own defaults, as a user first runs it.
new_store store
for recipe in "$TSRUN_SOURCE"/recipes/*.lua; do
  name=$(basename "$recipe" .lua)
  [[ $name != @(lib|release) ]] || continue  # no recipes of their own
  "$TSRUN" "$recipe" --store store --quiet >"$name.txt" 2>error.txt || fail "$name: $(tail -n 20 error.txt)"
  [[ -s $name.txt ]] || fail "$name printed nothing"
done
