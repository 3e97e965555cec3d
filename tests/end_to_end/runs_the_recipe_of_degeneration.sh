# A small version of recipes/degeneration.lua, killed in between: the same tables and figures as undisturbed, in which a model left alone has
# more alike words than one with cosine regularisation; the plan of it; and a misspelt method.
. "$(dirname "$0")/common.sh"
new_store calm; new_store stormy
recipe=$TSRUN_SOURCE/recipes/degeneration.lua
small=(--set rows=64 --set epochs=3 --set seeds=1 --set texts=8 --set "methods=none,cosine,push nearest,spectrum control" --quiet)
"$TSRUN" check "$recipe" --store calm >plan.txt || fail "no plan: $(cat plan.txt)"
"$TSRUN" "$recipe" --store calm --runs calm_runs "${small[@]}" >calm.txt
cat calm.txt
landed=0
for pause in 2 3 4; do
  setsid "$TSRUN" "$recipe" --store stormy --runs stormy_runs "${small[@]}" >/dev/null 2>&1 & pid=$!
  sleep "$pause"
  kill -9 -- "-$pid" 2>/dev/null && landed=$((landed + 1))
  wait "$pid" 2>/dev/null || true
done
((landed > 0)) || fail "it always ended before it could be killed"
"$TSRUN" "$recipe" --store stormy --runs stormy_runs "${small[@]}" >stormy.txt
calm=$(dirname "$(find calm_runs -name table.csv)") stormy=$(dirname "$(find stormy_runs -name table.csv)")
for table in table geometry_of_the_output_embeddings perplexity_on_other_rows_and_generated_text; do
  cmp "$calm/$table.csv" "$stormy/$table.csv" || fail "another $table after kills"
done
for figure in spectra training cosines_none projection_none cosines_cosine projection_cosine; do
  [[ -s $calm/$figure.svg ]] || fail "no figure $figure"
done
"$TSRUN" "$recipe" --store calm --set methods=cosin >out.txt 2>&1 && fail "a misspelt method ran"
grep -q "no method 'cosin'" out.txt || fail "$(cat out.txt)"
