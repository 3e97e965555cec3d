. "$(dirname "$0")/common.sh"
# The built-in T5, pre-trained once, on a text-to-text task in CrossFit's lines: the first word again. Then what it learnt, read back.
new_store store
mkdir copy
cat >copy/task.toml <<'T'
name = "copy"
kind = "text_to_text"
metrics = ["exact_match", "token_f1", "rouge_l"]
[splits]
train = "train.tsv"
dev = "dev.tsv"
[format]
type = "crossfit"
T
words=(the in is does who what where also but)
for i in $(seq 0 255); do
  first=${words[$((i % 9))]} second=${words[$((i / 9 % 9))]}
  printf '%s %s\t%s\n' "$first" "$second" "$first"
done >copy/train.tsv
head -n 64 copy/train.tsv >copy/dev.tsv
cat >train.lua <<'L'
local ts = require "ts"
local model, task = ts.model "builtin:t5-mini", ts.task "copy"
local run = ts.train { model = model, task = task, epochs = 16, lr = 2e-3, max_answer_length = 4 }
print(run.key, run.last.score)
L
read -r key score < <("$TSRUN" train.lua --store store --quiet)
echo "exact match $score"
awk -v s="$score" 'BEGIN { exit !(s > 0.6) }' || fail "the model did not learn to answer: $score"
"$TSRUN" predict "train:${key:0:12}" copy --store store --quiet >answers.jsonl
(($(wc -l <answers.jsonl) == 64)) || fail "expected an answer a row: $(head -n 3 answers.jsonl)"
grep -q '"text":"the"' answers.jsonl || fail "$(head -n 3 answers.jsonl)"
"$TSRUN" "$TSRUN_SOURCE/recipes/tiny_subspace.lua" --set quick=yes --set model=builtin:t5-mini --set task=copy --set seeds=1 --set dims=2 --set epochs=1 --set rows=64 --store store --quiet >table.txt
grep -q 'intrinsic d=2' table.txt && grep -q 'exact_match' table.txt || fail "$(cat table.txt)"
"$TSRUN" score builtin:gpt-mini copy/dev.tsv --store store --quiet | grep -q perplexity || fail "score"
"$TSRUN" generate builtin:t5-mini "the good" --store store --quiet --set max_new_tokens=5 >text.txt
if "$TSRUN" generate builtin:bert-mini "the" --store store --quiet 2>error.txt; then fail "an encoder wrote a text"; fi
grep -q 'an encoder writes no text' error.txt || fail "$(cat error.txt)"
