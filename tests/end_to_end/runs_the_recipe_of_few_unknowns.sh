# A small version of recipes/few_unknowns.lua: a row for every optimiser, both figures, no gradients where passes go forward alone, and equal budgets.
. "$(dirname "$0")/common.sh"
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/few_unknowns.lua" --store store --set quick=true --set rows=64 --set dim=2 --quiet >out.txt
cat out.txt
table=$(find runs -name equal_forward_passes.csv)
folder=$(dirname "$table")
for name in adamw sgd lbfgs levenberg_marquardt p_bfgs cma_es spsa; do
  grep -q "^\"\?$name" "$table" || fail "no row of $name in $(cat "$table")"
done
for figure in loss score; do
  [[ -s $folder/$figure.svg ]] || fail "no figure $figure"
done
# Forward passes are in column 6, backward ones in 9, megabytes of gradients in 18, each with deviation and count behind it.
awk -F, 'NR > 1 { spent = $6 + 2 * $9; forward = $1 == "cma_es" || $1 == "spsa"; if (spent < 60 || spent > 120 || ($18 == 0) != forward) exit 1 }' "$table" ||
  fail "passes or gradients are not what they should be: $(cat "$table")"
# An unknown optimiser is refused before anything is trained.
if "$TSRUN" check "$TSRUN_SOURCE/recipes/few_unknowns.lua" --store planned --set optimisers=adamw,adam >plan.txt 2>&1; then fail "adam was taken"; fi
grep -q "no optimiser 'adam' here; expected some of: adamw, sgd" plan.txt && ! grep -q 'planned.*head' plan.txt || fail "$(cat plan.txt)"
