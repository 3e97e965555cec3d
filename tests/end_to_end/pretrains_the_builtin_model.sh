. "$(dirname "$0")/common.sh"
rm -rf "$TEST_STORE.new"
cat >model.lua <<'L'
local ts = require "ts"
local model = ts.model "builtin:bert-mini"
print(model.quality.held_out_accuracy)
L
# A store from an earlier build is taken when its key still fits.
[[ -d $TEST_STORE ]] || mkdir -p "$TEST_STORE"
accuracy=$("$TSRUN" model.lua --store "$TEST_STORE" --quiet)
echo "held-out masked-token accuracy $accuracy"
awk -v a="$accuracy" 'BEGIN { exit !(a > 0.3) }' || fail "pre-training learned too little"
