# A small version of recipes/unified_tasks.lua: the table over tasks with every control, a page of each task, the heat maps, and a zoo of all tasks
# that is read back. The basis of all solutions holds each of them, so a task's own update projected on it scores as the solution does.
. "$(dirname "$0")/common.sh"
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/unified_tasks.lua" --store store --set quick=true --set zoo=zoo --quiet >out.txt
cat out.txt
table=$(find runs -name score_on_dev_after_the_last_update.csv)
folder=$(dirname "$table")
# cells FILE: its lines with | between cells, and no quotes.
cells() { awk -F'"' '{ line = ""; for (i = 1; i <= NF; ++i) { if (i % 2) gsub(/,/, "|", $i); line = line $i } print line }' "$1"; }
row() { cells "$table" | grep "^$1|" | cut -d'|' -f2-; }
for name in full freeze 'own basis' 'random d=2' random unified 'unified, 1 of 3 directions' 'unified, 2 of 3 directions' zero-shot 'unified, updates shuffled' \
  'mean of all tasks, frozen' 'mean of the others, frozen' 'own update in unified, no training' 'own update in zero-shot, no training'; do
  [[ $(row "$name" | wc -l) == 1 ]] || fail "no row of $name, or several, in $(cat "$table")"
done
(($(wc -l <"$table") == 15)) || fail "other rows than those in $(cat "$table")"
[[ $(row 'own update in unified, no training') == "$(row full)" ]] || fail "the unified basis does not hold the solutions: $(cat "$table")"
[[ $(row 'own update in zero-shot, no training') != "$(row full)" ]] || fail "the zero-shot basis holds the solution that it leaves out"
for name in 'unified, 1 of 3 directions' 'unified, 2 of 3 directions' 'own basis' random; do
  [[ $(row "$name") != "$(row unified)" ]] || fail "$name scores as the whole unified basis: $(cat "$table")"
done
within=points_lost_to_full_fine_tuning_of_as_many_epochs_within_the_basis_of_another_task_at_the_rates_of_the_own_one
for figure in $within points_lost_to_full_fine_tuning_of_as_many_epochs_by_basis cosine_of_two_tasks_coordinates_in_the_unified_basis_mean_over_layers; do
  [[ -s $folder/$figure.svg ]] || fail "no figure $figure"
done
for task in paraphrase entailment topic; do [[ -s $folder/detail_$task/table.csv ]] || fail "no page of $task"; done

# score TASK VARIANT: on the page of a task. The heat map's control has as many directions as the bases that it stands beside.
score() { cells "$folder/detail_$1/table.csv" | grep "^|$2|" | cut -d'|' -f9; }
[[ $(score topic 'random d=2') != "$(score topic random)" ]] || fail "both random bases score alike in topic, so the next check shows nothing"
awk -v full="$(score topic full)" -v random="$(score topic 'random d=2')" -v own="$(score topic 'own basis')" '
  $1 == 2 && $2 == 2 { diagonal = ($3 - 100 * (full - own)) ^ 2 < 1e-12 } $1 == 3 && $2 == 2 { control = ($3 - 100 * (full - random)) ^ 2 < 1e-12 }
  END { exit !(diagonal && control) }' "$folder/$within.dat" || fail "topic: other points lost in its own basis or in a random one than the table's: $(cat "$folder/$within.dat")"
# claim TEXT ROW THAN: what is claimed of two rows. Words of a regular expression.
claim() { grep -Eq "^(open|supported|contradicted): $1 \(.*\)\. $2 [0-9.]+, $3 [0-9.]+: " "$4" || fail "no claim '$1' of '$2' and '$3' in $(cat "$4")"; }
claim 'One direction a task and layer is as good as full fine-tuning of as many epochs' unified full out.txt
claim "It is as good as the task's own basis" unified 'own basis' out.txt
claim "The task's own basis is better than as many random directions" 'own basis' 'random d=2' out.txt
claim 'The basis of another task is better than as many random directions' 'basis of another task' 'random d=2' out.txt
claim 'More directions of the unified basis are better' unified 'unified, 1 of 3 directions' out.txt
claim 'Coordinates of two tasks in the unified basis are no more alike than random directions' 'absolute cosine of random directions' "of two tasks' coordinates" out.txt

# The zoo: four bytes a coordinate, and read back as it was trained, which is as the table says.
shipped=$folder/solutions_shipped_with_one_basis.csv
[[ -s zoo/topic.safetensors && -d zoo/basis ]] || fail "the zoo holds $(ls zoo)"
(($(grep '^basis of all tasks,' "$shipped" | cut -d, -f2) > 0)) || fail "no bytes of the basis in $(cat "$shipped")"
for task in paraphrase entailment topic; do
  IFS=, read -r _ basis coordinates beside trained again < <(grep "^$task," "$shipped")
  [[ $basis == – && $coordinates == 24 && $beside -gt 0 ]] || fail "other bytes of $task than those in $(cat "$shipped")"
  [[ $trained == "$again" && $trained == "$(score "$task" unified)" ]] || fail "$task: $trained when trained, $again when read back, $(score "$task" unified) in the table"
done

# Searched rates, and trainings within bases of fewer epochs than the trajectory. With the origin as a row, bases have a direction more. Two words of
# the built-in model tell the labels.
small_task one kabo lapo && small_task two lapo kabo
new_store searched_store
search() {
  "$TSRUN" "$TSRUN_SOURCE/recipes/unified_tasks.lua" --set tasks=one,two --set variant=raw+origin --set dim=3 --set epochs=2 --set seeds=1 --set directions=2,3 \
    --store searched_store --runs searched --quiet >searched.txt 2>error.txt || fail "$(cat error.txt)"
}
search
page=$(find searched -path '*detail_one/table.csv')
# columns VARIANT: bytes of coordinates, steps, steps of the search, and what it picked.
columns() { cells "$page" | grep "^|$1|" | cut -d'|' -f18,21,23,25; }
while IFS=/ read -r name wanted; do
  [[ $(columns "$name") == $wanted ]] || fail "$name: expected '$wanted', found '$(columns "$name")' in $(cat "$page")"
done <<'ROWS'
full/0|6|18|lr *, lr_head *
full, 2 epochs/0|4|12|lr *, lr_head *
freeze/0|4|12|lr_embeddings *, lr_head *
own basis/32|4|16|lr_embeddings *, lr_head *, reach *
random d=4/32|4|16|lr_embeddings *, lr_head *, reach *
random/24|4|16|lr_embeddings *, lr_head *, reach *
unified/24|4|16|lr_embeddings *, lr_head *, reach *
unified, 2 of 3 directions/16|4|16|lr_embeddings *, lr_head *, reach *
zero-shot/16|4|16|lr_embeddings *, lr_head *, reach *
own update in unified, no training/24|0|0|
ROWS
[[ $(columns 'unified, 2 of 3 directions' | cut -d'|' -f2-) == "$(columns unified | cut -d'|' -f2-)" ]] || fail "fewer directions have other rates than all: $(cat "$page")"
[[ -z $(columns 'unified, 3 of 3 directions') ]] || fail "a row of all directions beside the unified basis in $(cat "$page")"
grep -q 'unified: learning rates by the mean last score' "$(dirname "$page")/report.html" || fail "the page does not tell how rates were picked"
claim 'One direction a task and layer is as good as full fine-tuning of as many epochs' unified 'full, 2 epochs' searched.txt
claim 'The basis of another task is better than as many random directions' 'basis of another task' 'random d=4' searched.txt
stages() { find searched_store/objects -mindepth 2 -maxdepth 2 | wc -l; }
before=$(stages)
search
(($(stages) == before)) || fail "a second run computed $(($(stages) - before)) stages"
# Means and claims over tasks take more for better, so a task of perplexity is refused before anything is trained.
if "$TSRUN" check "$TSRUN_SOURCE/recipes/unified_tasks.lua" --store planned --set tasks=builtin:topic,builtin:stories >plan.txt 2>&1; then fail "perplexity was taken"; fi
grep -q "'stories' is scored by perplexity, of which less is better" plan.txt || fail "$(cat plan.txt)"
