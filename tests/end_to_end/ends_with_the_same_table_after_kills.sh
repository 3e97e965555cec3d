. "$(dirname "$0")/common.sh"
new_store calm; new_store stormy
recipe=("$TSRUN_SOURCE/recipes/tiny_subspace.lua" --set quick=yes --set seeds=2 --set epochs=2 --set rows=300 --jobs 2 --quiet)
(mkdir calm.d && cd calm.d && "$TSRUN" "${recipe[@]}" --store ../calm >../calm.txt)
mkdir stormy.d && cd stormy.d
landed=0
for kill in 1 2 3 4; do
  setsid "$TSRUN" "${recipe[@]}" --store ../stormy >../stormy.txt & pid=$!
  sleep "$(awk -v s="$kill$RANDOM" 'BEGIN { srand(s); print 0.5 + 2.5 * rand() }')"
  kill -9 -- "-$pid" 2>/dev/null && landed=$((landed + 1))
  wait "$pid" 2>/dev/null || true
done
"$TSRUN" "${recipe[@]}" --store ../stormy >../stormy.txt
cd ..
((landed > 0)) || fail "it always ended before it could be killed"
[[ -s calm.txt ]] || fail "no table"
diff <(grep -v '^report' calm.txt) <(grep -v '^report' stormy.txt) || fail "another table after kills"
