. "$(dirname "$0")/common.sh"
# The program beside no plugins but those that scripts/named_plugins finds plans every recipe.
for recipe in "$TSRUN_SOURCE"/recipes/*.lua; do
  name=$(basename "$recipe" .lua)
  [[ $name != @(lib|release) ]] || continue  # no recipes of their own
  mkdir -p "$name/bin" "$name/lib/tsrun/plugins"
  cp "$TSRUN" "$name/bin/tsrun"
  for plugin in $("$TSRUN_SOURCE/scripts/named_plugins" "$recipe"); do
    ln -s "${TSRUN%/*/*}/lib/tsrun/plugins/$plugin.so" "$name/lib/tsrun/plugins"
  done
  (($(ls "$name/lib/tsrun/plugins" | wc -l) < 30)) || fail "$name: nearly all plugins are built for it"
  "$name/bin/tsrun" check "$recipe" --store store >"$name.txt" 2>&1 || fail "$name: $(cat "$name.txt")"
done

# A method that only the command names, and one that nobody does.
[[ $("$TSRUN_SOURCE/scripts/named_plugins" "$TSRUN_SOURCE/recipes/few_unknowns.lua" --set method=vera) == *vera* ]] || fail "an option's method is not found"
cat >computed.lua <<'L'
local ts = require "ts"
ts.discover("sa" .. "id", { model = ts.model "builtin:bert-mini", dim = 2 })
L
code=0; TSRUN_NOT_BUILT=said few_unknowns/bin/tsrun computed.lua --store store 2>unknown.txt || code=$?
((code == 2)) && grep -q "unknown subspace 'said'.*not built yet: said (scripts/setup builds all)" unknown.txt || fail "$code: $(cat unknown.txt)"
