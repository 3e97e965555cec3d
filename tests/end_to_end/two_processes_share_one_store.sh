. "$(dirname "$0")/common.sh"
new_store store
recipe=("$TSRUN_SOURCE/recipes/tiny_subspace.lua" --set seeds=2 --set epochs=1 --set rows=200 --threads 1 --jobs 1 --quiet --store "$PWD/store")
mkdir a b
(cd a && "$TSRUN" "${recipe[@]}" >../a.txt) & first=$!
(cd b && "$TSRUN" "${recipe[@]}" >../b.txt) & second=$!
wait $first || fail "the first process"; wait $second || fail "the second process"
diff <(grep -v '^report' a.txt) <(grep -v '^report' b.txt) || fail "two processes, two tables"
# Nothing was computed twice: one artifact a stage, and no work left behind.
[[ -z $(find store/work -mindepth 1 -maxdepth 1 2>/dev/null) ]] || fail "work left behind: $(ls store/work)"
