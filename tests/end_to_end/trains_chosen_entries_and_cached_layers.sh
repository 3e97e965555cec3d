# One choice of elements, trained compactly and masked; frozen layers whose output is kept; and what neither can do.
. "$(dirname "$0")/common.sh"
new_store store
cat >recipe.lua <<'L'
local ts = require "ts"
local model, task = ts.model "builtin:bert-mini", ts.task "builtin:sentiment"
local chosen = ts.select("random_mask", { model = model, task = task, share = 0.02, parts = { "encoder" }, freeze = "state" })
local function run(more)
  local options = { model = model, task = task, epochs = 1, rows = 320 }
  for name, value in pairs(more) do options[name] = value end
  return ts.train(options)
end
local masked, compact = run { scope = chosen }, run { scope = chosen, compact = true }
ts.print("masked", masked.last.loss, masked.degrees_of_freedom, masked.trainable)
ts.print("compact", compact.last.loss, compact.degrees_of_freedom, compact.trainable, compact.binding.scope.acted)
local probe = { train = { "pooler", "head" }, epochs = 2 }
local plain = run(probe)
probe.cache_prefix, probe.cache_memory = true, 0.0001
local cached = run(probe)
ts.print("plain", plain.last.loss, plain.steps)
ts.print("cached", cached.last.loss, cached.steps)
L
"$TSRUN" recipe.lua --store store --quiet >runs.txt
cat runs.txt
awk '
  { loss[$1] = $2; numbers[$1] = $3; trained[$1] = $4; acted[$1] = $5 }
  function apart(a, b) { return a > b ? a - b : b - a }
  END {
    if (apart(loss["masked"], loss["compact"]) > 1e-3) { print "another loss"; exit 1 }
    if (numbers["masked"] != numbers["compact"]) { print "another number of trained elements"; exit 1 }
    if (trained["compact"] >= trained["masked"] || acted["compact"] != "true") { print "not compact"; exit 1 }
    if (apart(loss["plain"], loss["cached"]) > 0.05) { print "cached layers give another training"; exit 1 }
  }' runs.txt || fail "$(cat runs.txt)"
[[ -z $(find store -name 'prefix.float32') ]] || fail "cached outputs stay behind"

refused() { # NAME OPTIONS MESSAGE
  echo "local ts = require 'ts'; ts.train { model = ts.model 'builtin:bert-mini', task = ts.task 'builtin:sentiment', rows = 64, epochs = 1, $2 }" >"$1.lua"
  status=0
  "$TSRUN" "$1.lua" --store store --quiet 2>error.txt || status=$?
  [[ $status == 2 ]] || fail "$1 ended with $status: $(cat error.txt)"
  grep -q -- "$3" error.txt || fail "$1: $(cat error.txt)"
}
refused compact_alone 'compact = true' "nothing reads option 'compact'"
refused compact_without_masks "scope = ts.select('last_layers', { model = ts.model 'builtin:bert-mini', task = ts.task 'builtin:sentiment', layers = 1 }), compact = true" 'the scope masks no parameter'
refused nothing_frozen 'cache_prefix = true' 'the first layer or something before it is trained'
