# A small version of recipes/dps.lua, killed again and again, ends with the tables of an undisturbed run.
. "$(dirname "$0")/common.sh"
new_store calm; new_store stormy
methods='vanilla,DPS dense,DPS mix'
recipe=("$TSRUN_SOURCE/recipes/dps.lua" --set quick=true --set rows=96 --set "methods=$methods" --set "few=$methods" --quiet)
(mkdir calm.d && cd calm.d && "$TSRUN" "${recipe[@]}" --store ../calm >../calm.txt)
cat calm.txt
mkdir stormy.d && cd stormy.d
landed=0
for kill in 1 2 3; do
  setsid "$TSRUN" "${recipe[@]}" --store ../stormy >/dev/null 2>&1 & pid=$!
  sleep "$(awk -v s="$kill$RANDOM" 'BEGIN { srand(s); print 0.5 + 2 * rand() }')"
  kill -9 -- "-$pid" 2>/dev/null && landed=$((landed + 1))
  wait "$pid" 2>/dev/null || true
done
"$TSRUN" "${recipe[@]}" --store ../stormy >../stormy.txt
cd ..
((landed > 0)) || fail "it always ended before it could be killed"
for name in table what_the_selection_did low_resource trained_on_entailment_evaluated_elsewhere; do
  calm=$(find calm.d -name "$name.csv") stormy=$(find stormy.d -name "$name.csv" | xargs ls -t | head -n 1)
  [[ -s $calm ]] || fail "no $name"
  diff "$calm" "$stormy" || fail "another $name after kills"
done
grep -q 'DPS mix' "$(find calm.d -name table.csv)" || fail "no row of DPS mix"

# More rows than there are mean all of them, once, and what the last section needs is checked before anything is trained.
small=(--set seeds=1 --set rates=1 --set epochs=1 --set rows=64 --set methods=vanilla --set few=vanilla --store calm --runs sizes --quiet)
"$TSRUN" "$TSRUN_SOURCE/recipes/dps.lua" "${small[@]}" --set source= --set sizes=64,0,5000 >sizes.txt
grep -Eq '^method +64 rows, last +64 rows, best +1200 rows, last +1200 rows, best *$' sizes.txt || fail "other sizes in $(cat sizes.txt)"
grep -q 'Every seed has its own rows, .*but for all 1200' sizes.txt || fail "no note of the rows in $(cat sizes.txt)"
for wrong in labels=neutral labels=neutral=not_entailment eval_split=tset; do
  if "$TSRUN" check "$TSRUN_SOURCE/recipes/dps.lua" --set "$wrong" --store planned >plan.txt 2>&1; then fail "$wrong was taken"; fi
  ! grep -q 'planned.*vanilla' plan.txt || fail "$wrong was met after trainings: $(cat plan.txt)"
done
grep -q "task 'entailment' has no split 'tset'" plan.txt || fail "$(cat plan.txt)"
