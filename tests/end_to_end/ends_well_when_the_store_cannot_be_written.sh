. "$(dirname "$0")/common.sh"
new_store store
cat >recipe.lua <<'L'
local ts = require "ts"
local model, task = ts.model("builtin:bert-mini"), ts.task("builtin:paraphrase")
local report = ts.report("one training", { model = model, task = task })
report:row("head", ts.train { model = model, task = task, seed = 1, epochs = 1, rows = 64, train = { "head" }, keep = "last" })
report:save()
L
refused() { # refused STORE TEXT: exit code 4, one line with TEXT, no artifact of the training, nothing temporary
  local code=0
  "$TSRUN" recipe.lua --store "$1" --quiet >out.txt 2>err.txt || code=$?
  [[ $code == 4 ]] || fail "exit code $code for $1: $(cat err.txt)"
  [[ $(wc -l <err.txt) == 1 ]] && grep -q "recipe.lua:[0-9]*: .*$2" err.txt || fail "message: $(cat err.txt)"
  [[ -z $(find "$1" \( -path '*/objects/train/*' -o -name '.tsrun-tmp*' \) 2>/dev/null) ]] || fail "left behind in $1: $(find "$1")"
}
refused /proc/tsrun-store "cannot be created: .*--store"  # nobody can write there, not even root
(trap '' XFSZ; ulimit -f 100; refused store "cannot be written: ")  # a write past the limit fails as on a full disk
if unshare --map-root-user --mount true 2>/dev/null; then
  export -f refused fail; export TSRUN
  unshare --map-root-user --mount bash -ec 'mkdir small && mount -t tmpfs -o size=$(($(du -sk store | cut -f1) + 200))k none small && cp -r store small/store && refused small/store "No space left"' ||
    fail "a full disk"
fi
"$TSRUN" recipe.lua --store store --quiet >out.txt || fail "not the same store afterwards"
grep -q head out.txt || fail "no table"
