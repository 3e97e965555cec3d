# Layers chosen by their gains and by a finished training, drawn by the report, and trained with the output of the frozen ones kept.
. "$(dirname "$0")/common.sh"
new_store store
cat >recipe.lua <<'L'
local ts = require "ts"
local model, task = ts.model "builtin:bert-mini", ts.task "builtin:sentiment"
local first = ts.train { model = model, task = task, epochs = 1, rows = 160, keep = "last" }
local salf = ts.select("salf", { model = model, task = task, rows = 64, guard = "last" })
local ila = ts.select("ila", { model = model, task = task, solution = first, rows = 32, rows_at_once = 16, gate_steps = 2, frozen_share = 0.5 })
local spectrum = ts.select("spectrum", { model = model, task = task })
local n = #salf.table.layers.gain
ts.print("spaces", #salf.table.latent_spaces.deviation - n, salf.table.frozen_layers)
ts.print("judged", #ila.table.layers.score - n, #ila.table.trained_layers - (n - n // 2))
local tuned = ts.train { model = model, task = task, epochs = 2, rows = 160, scope = salf, cache_prefix = true }
ts.print("trained", tuned.trainable < first.trainable)
local report = ts.report("Layers", { model = model, task = task })
report:row("salf", tuned)
report:layers("Deviation and gain", { salf = salf })
report:layers("Scores of layers", { salf = salf, ila = ila, spectrum = spectrum })
L
"$TSRUN" recipe.lua --store store --quiet >layers.txt
cat layers.txt
grep -q '^spaces[[:space:]]*1[[:space:]]*[1-9]' layers.txt || fail "latent spaces, or nothing frozen"
grep -q '^judged[[:space:]]*0[[:space:]]*0$' layers.txt || fail "layers of ila"
grep -q '^trained[[:space:]]*true$' layers.txt || fail "nothing was frozen"
for figure in deviation_and_gain scores_of_layers; do
  [[ -n $(find . -name "$figure.svg") ]] || fail "no figure $figure"
done

refused() { # NAME RECIPE MESSAGE
  echo "local ts = require 'ts'; local model, task = ts.model 'builtin:bert-mini', ts.task 'builtin:sentiment'; $2" >"$1.lua"
  status=0
  "$TSRUN" "$1.lua" --store store --quiet 2>error.txt || status=$?
  [[ $status == 2 ]] || fail "$1 ended with $status: $(cat error.txt)"
  grep -q -- "$3" error.txt || fail "$1: $(cat error.txt)"
}
refused no_solution "ts.select('ila', { model = model, task = task })" 'no finished training'
refused other_task "ts.select('ila', { model = model, task = ts.task 'builtin:topic', solution = ts.train { model = model, task = task, epochs = 1, rows = 160, keep = 'last' } })" 'another model or task'
refused scheduled "ts.train { model = model, task = task, rows = 64, epochs = 1, select = ts.schedule('ila', {}) }" 'no finished training'
