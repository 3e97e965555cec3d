. "$(dirname "$0")/common.sh"
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/outlier_ablation.lua" "${small[@]}" --store store --quiet >first.txt
grep -q 'intrinsic delta' first.txt || fail "no table: $(cat first.txt)"
report=$(find runs -name report.html)
[[ -s $report ]] || fail "no report"
grep -q '<svg' "$report" || fail "no figure inside the report"
! grep -qE '(src|href)="https?:' "$report" || fail "the report refers to the network"
for file in table.csv table.md table.tex run.json; do [[ -s ${report%/*}/$file ]] || fail "no $file"; done
objects=$(find store/objects -name manifest.json | wc -l)
"$TSRUN" "$TSRUN_SOURCE/recipes/outlier_ablation.lua" "${small[@]}" --store store --quiet >second.txt
[[ $(find store/objects -name manifest.json | wc -l) == "$objects" ]] || fail "the second run computed something"
diff <(grep -v '^report' first.txt) <(grep -v '^report' second.txt) || fail "the second run prints another table"
