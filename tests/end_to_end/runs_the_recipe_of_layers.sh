# A small version of recipes/where_to_tune.lua: every choice of layers in both tables, the picture of the choices, the figure of cost, and the
# backward work that each choice leaves.
. "$(dirname "$0")/common.sh"
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/where_to_tune.lua" --store store --set quick=true --quiet >out.txt
cat out.txt
folder=$(find runs -type d -name '1_*')
for name in SALF 'last 1' 'first 1' 'random 1' 'Fisher layers' 'CKA layers' ILA Spectrum 'signal to noise' 'relative gradient norm' LISA OWS 'layer by layer' FreezeOut AutoFreeze; do
  [[ $(grep -c "^\"\?[^,]*,\"\?$name" "$folder/table.csv") -ge 2 ]] || fail "no two rows of $name in $(cat "$folder/table.csv")"
done
for figure in share_of_the_seeds_in_which_a_choice_trains_something_of_a_layer cost scores deviation_of_every_latent_space_and_gain_of_every_layer_salf; do
  [[ -s $folder/$figure.svg ]] || fail "no figure $figure"
done
backward() { grep "^\"$1, lr" "$folder/resources.csv" | sed 's/^"[^"]*",//' | cut -d, -f 20; }
[[ $(backward full) == 100 && $(backward 'last 1') == 50 && $(backward 'first 1') == 75 ]] ||
  fail "backward work of full, last and first: $(backward full), $(backward 'last 1'), $(backward 'first 1')"
