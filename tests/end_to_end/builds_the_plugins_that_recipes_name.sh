. "$(dirname "$0")/common.sh"
# The program beside no plugins but those that scripts/named_plugins finds plans every recipe.
build=${TSRUN%/*/*}
mkdir -p here/bin here/lib/tsrun/plugins
cp "$TSRUN" here/bin/tsrun
cp -L "$build/lib/libtsrun.so.0" here/lib  # the program looks for plugins beside it
export LD_LIBRARY_PATH=$PWD/here/lib
for recipe in "$TSRUN_SOURCE"/recipes/*.lua; do
  name=$(basename "$recipe" .lua)
  [[ $name != @(lib|release) ]] || continue  # no recipes of their own
  rm -f here/lib/tsrun/plugins/*
  for plugin in $("$TSRUN_SOURCE/scripts/named_plugins" "$recipe"); do ln -s "$build/lib/tsrun/plugins/$plugin.so" here/lib/tsrun/plugins; done
  (($(ls here/lib/tsrun/plugins | wc -l) < 30)) || fail "$name: half of the plugins are built for it"
  here/bin/tsrun check "$recipe" --store planned >"$name.txt" 2>&1 || fail "$name: $(cat "$name.txt")"
done

# Every plugin says its methods' names in the form that the script reads.
for plugin in "$TSRUN_SOURCE"/plugins/*/; do
  name=$(grep -rhoE '\bname\(\) const override \{ return "[a-z0-9_]+"' "$plugin" | head -n 1 | sed 's/.*"\(.*\)"/\1/')
  [[ -n $name ]] || fail "$plugin: no name that scripts/named_plugins finds"
  [[ $("$TSRUN_SOURCE/scripts/named_plugins" "$TSRUN_SOURCE/recipes/lib.lua" "method=$name") == *$(basename "$plugin")* ]] || fail "$plugin is not found by '$name'"
done

# A method that only the command names, and one that nobody does.
[[ $("$TSRUN_SOURCE/scripts/named_plugins" "$TSRUN_SOURCE/recipes/few_unknowns.lua" --set method=vera) == *vera* ]] || fail "an option's method is not found"
cat >computed.lua <<'L'
local ts = require "ts"
ts.discover("sa" .. "id", { model = ts.model "builtin:bert-mini", dim = 2 })
L
[[ -z $("$TSRUN_SOURCE/scripts/named_plugins" computed.lua) ]] || fail "a name that nobody writes is found"
rm -f here/lib/tsrun/plugins/said.so
new_store store
code=0; TSRUN_NOT_BUILT=said here/bin/tsrun computed.lua --store store 2>unknown.txt || code=$?
((code == 2)) && grep -q "unknown subspace 'said'.*not built yet: said (scripts/setup builds all)" unknown.txt || fail "$code: $(cat unknown.txt)"
