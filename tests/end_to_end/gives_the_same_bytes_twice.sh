. "$(dirname "$0")/common.sh"
new_store a; new_store b
cat >run.lua <<'L'
local ts = require "ts"
local model, task = ts.model "builtin:bert-mini", ts.task "builtin:entailment"
local full = ts.train { model = model, task = task, epochs = 2, rows = 200, record = ts.every "epoch" }
local basis = ts.discover("trajectory_svd", { trajectory = full.trajectory, dim = 2, variant = "delta" })
ts.train { model = model, task = task, epochs = 2, rows = 200, tune = ts.within(basis) }
L
for store in a b; do "$TSRUN" run.lua --store $store --quiet --threads 2; done
(cd a/objects && find . -name metrics.jsonl -o -name '*.safetensors' | sort | xargs sha256sum) >a.sums
(cd b/objects && find . -name metrics.jsonl -o -name '*.safetensors' | sort | xargs sha256sum) >b.sums
[[ $(grep -c metrics.jsonl a.sums) -ge 2 ]] || fail "expected two metrics files: $(cat a.sums)"
diff a.sums b.sums || fail "two runs of one recipe differ"
