. "$(dirname "$0")/common.sh"
# The intrinsic dimension in small: a table with an interval for each method beside a frozen encoder, the same by two processes, and nothing to
# compute the second time; and a search of rates, those of the head first.
new_store store
recipe=("$TSRUN_SOURCE/recipes/intrinsic_dimension.lua" --set quick=yes --set methods=random,fastfood,trajectory_svd --store store --quiet)
"$TSRUN" "${recipe[@]}" --jobs 2 >first.txt 2>error.txt || fail "$(cat error.txt)"
for method in random fastfood trajectory_svd; do
  grep -Eq "^$method +(<= |> )?[0-9]+ \[(> )?[0-9]+, (> )?[0-9]+\]" first.txt || fail "no d90 of $method with its interval in $(cat first.txt)"
done
grep -Eq '^freeze \(d = 0\) +0: reaches the target ' first.txt || fail "no row of a frozen encoder in $(cat first.txt)"
grep -q 'A frozen encoder whose pooler and head are trained (d = 0) scores' runs/intrinsic_dimension/*/report.html ||
  fail "no note that the frozen encoder reaches the target"
grep -Eq '^method .* L_train +sqrt\(d/m\) ' first.txt || fail "the terms of the bound are not side by side in $(cat first.txt)"
grep -Eq '^1 +1 +reach 10, lr_head 0.001 ' first.txt || fail "no rates of a dimension in $(cat first.txt)"
find store/objects -mindepth 2 -maxdepth 2 | sort >made.txt
"$TSRUN" "${recipe[@]}" --jobs 1 >second.txt
find store/objects -mindepth 2 -maxdepth 2 | sort | diff made.txt - || fail "the second run made stages"
diff first.txt second.txt || fail "read from the store, the tables differ"
ls runs/intrinsic_dimension/*/score_over_dimension.svg >/dev/null || fail "no figure of the curve"

recipe=("$TSRUN_SOURCE/recipes/intrinsic_dimension.lua" --set seeds=1 --set rows=64 --set epochs=1 --set methods=fastfood --set d_max=1 --store store --quiet)
"$TSRUN" "${recipe[@]}" --jobs 2 >third.txt 2>error.txt || fail "$(cat error.txt)"
# Full fine-tuning: two rates of the head, one more of the rest, and its update; three at d = 1; two of the frozen encoder.
grep -Eq '^fastfood .* 9 ' third.txt || fail "expected 9 trainings in $(cat third.txt)"
find store/objects -mindepth 2 -maxdepth 2 | sort >made.txt
"$TSRUN" "${recipe[@]}" --jobs 1 >fourth.txt
find store/objects -mindepth 2 -maxdepth 2 | sort | diff made.txt - || fail "the second search made stages"
diff third.txt fourth.txt || fail "read from the store, the tables of the search differ"
"$TSRUN" "${recipe[@]}" --set random_reaches=0 --set rates=0.1 >fifth.txt 2>error.txt || fail "$(cat error.txt)"
grep -Eq '^1 +1 +rate 0.1, lr_head ' fifth.txt || fail "no learning rate of the coordinates in $(cat fifth.txt)"
