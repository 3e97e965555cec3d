. "$(dirname "$0")/common.sh"
# The intrinsic dimension in small: a table with an interval for each method, the same by two processes, and nothing to compute the second time.
new_store store
recipe=("$TSRUN_SOURCE/recipes/intrinsic_dimension.lua" --set quick=yes --set methods=random,fastfood,trajectory_svd --store store --quiet)
"$TSRUN" "${recipe[@]}" --jobs 2 >first.txt 2>error.txt || fail "$(cat error.txt)"
for method in random fastfood trajectory_svd; do
  grep -Eq "^$method +(<= |> )?[0-9]+ \[(> )?[0-9]+, (> )?[0-9]+\]" first.txt || fail "no d90 of $method with its interval in $(cat first.txt)"
done
find store/objects -mindepth 2 -maxdepth 2 | sort >made.txt
"$TSRUN" "${recipe[@]}" --jobs 1 >second.txt
find store/objects -mindepth 2 -maxdepth 2 | sort | diff made.txt - || fail "the second run made stages"
diff first.txt second.txt || fail "read from the store, the tables differ"
ls runs/intrinsic_dimension/*/score_over_dimension.svg >/dev/null || fail "no figure of the curve"
