# A small version of recipes/where_to_tune.lua: every choice of layers in both tables, the picture of the choices, the figure of cost, the
# backward work that each choice leaves, a prefix that is kept, and LoRA wherever a choice made before the training trains something.
. "$(dirname "$0")/common.sh"
new_store store
"$TSRUN" "$TSRUN_SOURCE/recipes/where_to_tune.lua" --store store --set quick=true --quiet >out.txt
cat out.txt
folder=$(find runs -type d -name '1_*')
# Of two rates the one with the lower perplexity.
"$TSRUN" "$TSRUN_SOURCE/recipes/where_to_tune.lua" --store store --set models=builtin:bert-mini --set tasks=builtin:stories --set as=itself --set 'methods=last 1' --set rates=0.001,1.0 \
  --set seeds=1 --set epochs=1 --set rows=64 --set cache=no --runs perplexity --quiet >perplexity.txt
[[ $(grep -Ec '^(full|last 1), lr 0.001 .* lr 0.001 *$' perplexity.txt) == 2 ]] || fail "the worse rate was picked in $(cat perplexity.txt)"
once=(SALF 'SALF logit lens' 'SALF class means' 'last 1' 'first 1' 'random 1' 'Fisher layers' 'CKA layers' ILA Spectrum)
for name in "${once[@]}" 'signal to noise' 'relative gradient norm' LISA OWS 'layer by layer' FreezeOut AutoFreeze; do
  [[ $(grep -c "^\"\?[^,]*,\"\?$name" "$folder/table.csv") -ge 2 ]] || fail "no two rows of $name in $(cat "$folder/table.csv")"
done
for name in everywhere "${once[@]}"; do
  grep -q "^LoRA,\"LoRA, $name\"" "$folder/table.csv" || fail "no row of LoRA, $name"
done
for figure in trained_share_of_every_layer cost scores deviation_of_every_latent_space_and_gain_of_every_layer_salf; do
  [[ -s $folder/$figure.svg ]] || fail "no figure $figure"
done
spent() { grep "^\"$1" "$folder/resources.csv" | sed 's/^"[^"]*",//' | cut -d, -f "$2"; }
backward() { spent "$1, lr" 20; }
[[ $(backward full) == 100 && $(backward 'last 1') == 50 && $(backward 'first 1') == 75 ]] ||
  fail "backward work of full, last and first: $(backward full), $(backward 'last 1'), $(backward 'first 1')"

# The picture is of what was trained: a layer alone leaves 75 % of the backward work below and 50 % on top, both together all of it.
shares() {
  local row
  row=$(grep -o "'$1' [0-9]*" "$folder/trained_share_of_every_layer.gp" | grep -o '[0-9]*$')
  awk -v row="$row" '$2 == row { printf "%s ", $3 }' "$folder/trained_share_of_every_layer.dat"
}
agrees() { awk -v first="$1" -v second="$2" 'BEGIN { d = first - second; exit !(d < 1 && d > -1) }'; }
[[ $(shares 'last 1') == '0 1 ' && $(shares 'first 1') == '1 0 ' ]] || fail "picture of last and first: $(shares 'last 1'), $(shares 'first 1')"
for name in LISA OWS 'layer by layer'; do
  agrees "$(backward "$name")" "$(shares "$name" | awk '{ print 75 * $1 + 50 * $2 }')" || fail "picture of $name: $(shares "$name")"
done
for name in FreezeOut AutoFreeze; do
  agrees "$(backward "$name")" "$(shares "$name" | awk '{ print 50 * $1 + 50 * $2 }')" || fail "picture of $name: $(shares "$name")"
done
agrees 100 "$(shares Spectrum | awk '{ print 100 * ($1 + $2) }')" || fail "Spectrum trains half of the matrices, drawn: $(shares Spectrum)"
for name in 'signal to noise' 'relative gradient norm'; do
  [[ $(shares "$name" | awk '{ print (NF == 2 && $1 > 0 && $1 <= 1 && $2 > 0 && $2 <= 1) }') == 1 ]] || fail "picture of $name: $(shares "$name")"
done

# Keeping the output of the frozen layer changes no score and saves its forward passes from the second of eight epochs on.
score() { grep "\"$1\"" "$folder/table.csv" | sed 's/^.*"[^"]*",//' | cut -d, -f 7; }
for name in SALF 'last 1'; do
  [[ $(score "$name, kept") == "$(score "$name, computed anew")" ]] || fail "scores of $name: $(score "$name, kept"), $(score "$name, computed anew")"
  [[ $(spent "$name, computed anew" 17) == 100 && $(spent "$name, kept" 17) == 56.25 ]] || fail "forward work of $name: $(spent "$name, kept" 17)"
done
