. "$(dirname "$0")/common.sh"
new_store store
recipe=("$TSRUN_SOURCE/recipes/tiny_subspace.lua" --set quick=yes --set seeds=2 --set epochs=1 --set rows=200 --threads 1 --jobs 1 --quiet)
mkdir a b
(cd a && "$TSRUN" "${recipe[@]}" --store "$scratch/store" >../a.txt) & first=$!
(cd b && "$TSRUN" "${recipe[@]}" --store "$scratch/store" >../b.txt) & second=$!
wait $first || fail "the first process"; wait $second || fail "the second process"
diff <(grep -v '^report' a.txt) <(grep -v '^report' b.txt) || fail "two processes, two tables"
# Nothing was computed twice: one artifact a stage, and no work left behind.
[[ -z $(find store/work -mindepth 1 -maxdepth 1 2>/dev/null) ]] || fail "work left behind: $(ls store/work)"

# One is killed in the middle of a training whose lock it holds, while another waits for it: the other takes over.
new_store other
mkdir c d
(cd c && exec "$TSRUN" "${recipe[@]}" --store "$scratch/other" >../c.txt) & holder=$!
until compgen -G 'other/work/*/metrics.jsonl' >/dev/null; do kill -0 $holder || fail "it ended before it trained"; sleep 0.02; done
kill -STOP $holder
(cd d && exec "$TSRUN" "${recipe[@]}" --store "$scratch/other" >../d.txt) & waiting=$!
sleep 2
kill -0 $waiting || fail "it did not wait for the lock"
kill -9 $holder; wait $holder 2>/dev/null && fail "the holder was not killed"
wait $waiting || fail "the process that waited"
diff <(grep -v '^report' a.txt) <(grep -v '^report' d.txt) || fail "another table after the holder of a lock was killed"
