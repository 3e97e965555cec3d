. "$(dirname "$0")/common.sh"
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/outlier_ablation.lua" "${small[@]}" --store store --quiet >first.txt
grep -q 'intrinsic delta' first.txt || fail "no table: $(cat first.txt)"
for row in 'full, 1 epochs' 'freeze (z = 0)' 'intrinsic raw' 'random ' 'intrinsic delta, entries shuffled' 'mean of checkpoints as encoder'; do
  grep -E "^${row//[()]/.}.* lr_head 0\.0" first.txt >/dev/null || fail "no learning rate was picked for '$row': $(cat first.txt)"
done
report=$(find runs -name report.html)
[[ -s $report ]] || fail "no report"
grep -q '<svg' "$report" || fail "no figure inside the report"
! grep -qE '(src|href)="https?:' "$report" || fail "the report refers to the network"
for file in table.csv table.md table.tex run.json; do [[ -s ${report%/*}/$file ]] || fail "no $file"; done
objects=$(find store/objects -name manifest.json | wc -l)
"$TSRUN" "$TSRUN_SOURCE/recipes/outlier_ablation.lua" "${small[@]}" --store store --quiet >second.txt
[[ $(find store/objects -name manifest.json | wc -l) == "$objects" ]] || fail "the second run computed something"
diff <(grep -v '^report' first.txt) <(grep -v '^report' second.txt) || fail "the second run prints another table"
(($(grep -c '^a basis of raw:$' first.txt) == 1 && $(grep -c '^open: ' first.txt) == 32)) || fail "one seed decides no claim: $(head -n 12 first.txt)"
grep -q 'claims' "${report%/*}/run.json" && grep -q '<ul class="claims">' "$report" || fail "no claims in run.json or in the report"

# Learning rates are picked on dev, by trainings that are stages as all others.
cat >search.lua <<'L'
local ts = require "ts"
local model, task = ts.model "builtin:bert-mini", ts.task "builtin:paraphrase"
local report = ts.report("Search", { model = model, task = task })
report:row("head", ts.train {
  model = model, task = task, seed = 1, train = { "head" }, rows = 64, epochs = 1, keep = "none", lr_search = { lr_head = { 0.0001, 0.01 } },
})
L
"$TSRUN" search.lua --store store --quiet --jobs 1 >search.txt
grep -Eq 'steps +search +rates' search.txt && grep -Eq '^head .* 2 +4 +lr_head 0.0' search.txt || fail "$(cat search.txt)"
(($(find store/objects/train -name manifest.json -newer search.lua | wc -l) == 2)) || fail "the picked training was made twice"
grep -q 'of its list: a better one may lie beyond' runs/search/*/report.html || fail "nobody says that the best was the last of its list"

# A rate at which the training diverges loses, and is named; without another one the run fails.
sed 's/{ 0.0001, 0.01 }/{ 0.01, 1e38 }/' search.lua >lost.lua
"$TSRUN" lost.lua --store store --quiet --jobs 1 >lost.txt || fail "a diverged candidate ended the search: $(cat lost.txt)"
grep -q 'Lost: lr_head 1e+38: loss not finite in step 2 (seed 1)' runs/lost/*/report.html || fail "nobody says which rate was lost"
sed 's/{ 0.0001, 0.01 }/{ 1e38 }/' search.lua >none.lua
code=0; "$TSRUN" none.lua --store store --quiet --jobs 1 2>none.txt || code=$?
((code == 4)) && grep -q 'every candidate diverged: lr_head 1e+38: loss' none.txt || fail "ends with $code: $(cat none.txt)"
