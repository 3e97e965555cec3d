# A mask that is drawn again, a second pass and a LoRA at once, and the stages of DPS beside a graph of neighbours that is found again, with
# the geometry of its embeddings, killed at any moment, end with the bytes of undisturbed trainings.
. "$(dirname "$0")/common.sh"
new_store calm; new_store stormy
cat >recipe.lua <<'L'
local ts = require "ts"
local model, task = ts.model "builtin:bert-mini", ts.task "builtin:sentiment"
local run = ts.train {
  model = ts.adapt(model, { method = "lora", r = 4 }), task = task, epochs = 3, rows = 400, checkpoint_every = 3, eval_every = 25,
  train = { "encoder", "delta", "pooler", "head" }, select = ts.schedule("random_mask", { share = 0.4, every = 7, freeze = "state" }),
  regularize = { ts.regularizer("r_drop", { alpha = 0.5 }), ts.regularizer("weight_decay_to_origin", { strength = 0.1 }) },
}
ts.print(run.key, run.last.score, run.last.loss, run.best.loss)
for _, plugin in ipairs(run.plugins) do ts.print(plugin.name) end
local mix = ts.train {
  model = model, task = task, epochs = 3, rows = 400, checkpoint_every = 3, eval_every = 25, geometry_every = 10,
  select = ts.schedule("dps", { variant = "mix", stage_steps = 5, noise = "element" }),
  regularize = { ts.regularizer("laplacian", { graph = "knn_current", neighbours = 5, every = 7 }) },
}
for _, point in ipairs(mix.geometry) do ts.print(point.step, point.mean_cosine, point.centred.i2, point.effective_rank) end
ts.print(mix.key, mix.last.score, mix.last.loss, mix.best.loss, mix.plugins[1].kept_share, #mix.plugins[1].mask_changes, mix.plugins[2].edges)
L
"$TSRUN" recipe.lua --store calm --quiet >calm.txt
cat calm.txt
for name in random_mask r_drop weight_decay_to_origin; do grep -q "^$name$" calm.txt || fail "no report of $name"; done
landed=0
for kill in 1 2 3 4 5; do
  setsid "$TSRUN" recipe.lua --store stormy --quiet >stormy.txt & pid=$!
  for ((i = 0; i < 600; ++i)); do # until it has written a checkpoint that it did not begin with
    now=$(find stormy -path '*step-*' -newer calm.txt 2>/dev/null | sort | md5sum)
    [[ $now != "${seen:-$now}" ]] && break
    seen=$now; sleep 0.05
  done
  kill -9 -- "-$pid" 2>/dev/null && landed=$((landed + 1))
  wait "$pid" 2>/dev/null || true
done
"$TSRUN" recipe.lua --store stormy --quiet >stormy.txt
((landed > 0)) || fail "it always ended before it could be killed"
diff calm.txt stormy.txt || fail "another result after kills"
for key in $(sed -n '1p;$p' calm.txt | cut -f 1); do
  for file in last.safetensors best.safetensors metrics.jsonl; do
    cmp "$(find calm -path "*$key*" -name $file)" "$(find stormy -path "*$key*" -name $file)" || fail "$file has other bytes"
  done
done
