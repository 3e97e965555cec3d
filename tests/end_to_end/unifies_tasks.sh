# A small version of recipes/unified_tasks.lua: the table over tasks with every control, a page of each task, and the heat maps. The basis of all
# solutions holds each of them, so a task's own update projected on it scores as the solution does.
. "$(dirname "$0")/common.sh"
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/unified_tasks.lua" --store store --set quick=true --quiet >out.txt
cat out.txt
table=$(find runs -name score_on_dev_after_the_last_update.csv)
folder=$(dirname "$table")
row() { grep "^\"\?$1" "$table" | sed 's/^"[^"]*",\|^[^,]*,//'; }
for name in full freeze random unified zero-shot 'unified, updates shuffled' 'mean of all tasks' 'mean of the others' 'own update in unified' 'own update in zero-shot'; do
  [[ -n $(row "$name") ]] || fail "no row of $name in $(cat "$table")"
done
[[ $(row 'own update in unified') == "$(row full)" ]] || fail "the unified basis does not hold the solutions: $(cat "$table")"
[[ $(row 'own update in zero-shot') != "$(row full)" ]] || fail "the zero-shot basis holds the solution that it leaves out"
for figure in points_lost_to_full_fine_tuning_within_the_basis_of_another_task points_lost_to_full_fine_tuning_by_basis cosine_of_two_tasks_coordinates_in_the_unified_basis_mean_over_layers; do
  [[ -s $folder/$figure.svg ]] || fail "no figure $figure"
done
for task in paraphrase entailment topic; do [[ -s $folder/detail_$task/table.csv ]] || fail "no page of $task"; done
