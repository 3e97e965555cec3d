. "$(dirname "$0")/common.sh"
# Language models from nothing: tokenizers of a task's text, a gpt2-shaped model tied and untied, its perplexity on dev and test, the control with shuffled words, and
# texts that it writes. A plan knows every stage. With $TSRUN_PEERS_PYTHON, transformers loads the folder and its tokenizer, and gives the same perplexity.
cat >lm.lua <<'L'
local ts = require "ts"
local stories = ts.task "builtin:stories"
local words = ts.tokenizer.train { task = stories, kind = "words", vocabulary_size = 600 }
local bytes = ts.tokenizer.train { task = stories, vocabulary_size = 400 }
local reading = { blocks = "joined", max_length = 32 }
local function model(tokenizer, tied)
  return ts.architecture("gpt2", { tokenizer = tokenizer, layers = 2, hidden = 16, heads = 2, positions = 64, dropout = 0, tied = tied })
end
local function train(name, options)
  for key, value in pairs { rows = 150, epochs = 2, batch_size = 8, lr = 1e-2, keep = "last", blocks = "joined", max_length = 32, eval_every = -1 } do options[key] = value end
  local run = ts.train(options)
  local test = ts.evaluate { solution = run, split = "test", blocks = "joined", max_length = 32 }
  print(name, run.last.metrics.perplexity, test.last.metrics.perplexity, run.key)
  return run
end
local run = train("untied", { model = model(words, false), task = stories })
train("tied", { model = model(words), task = stories })
train("shuffled", { model = model(words, false), task = ts.task("builtin:stories", { words = "shuffled", words_in = "all" }) })
train("bytes", { model = model(bytes), task = stories })
local texts = ts.generate { solution = run, texts = 16, max_new_tokens = 24, prompt_words = 2 }
print("texts", texts.distinct_1, texts.distinct_2, texts.distinct_3, texts.repetition)
ts.export { solution = run, form = "merged", path = "exported" }
L
"$TSRUN" check lm.lua --store store >plan.txt 2>err || fail "$(cat err)"
[[ ! -e store ]] || fail "a plan touched the disk"
"$TSRUN" lm.lua --store store --quiet >out.txt 2>err || fail "$(cat err)"
cat out.txt
value() { awk -F'\t' -v name="$1" -v column="$2" '$1 == name { print $column }' out.txt; }
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }' || fail "$3: $1 is not below $2"; }
less "$(value untied 2)" 60 "perplexity of 600 words after training"
less "$(value untied 3)" "$(value shuffled 3)" "text in order against words in any order"
less "$(value texts 2)" "$(value texts 4)" "different words against different trigrams"
"$TSRUN" lm.lua --store store --quiet >again.txt 2>err || fail "$(cat err)"
cmp out.txt again.txt || fail "a second run says something else"
"$TSRUN" generate exported "the" --set do_sample=true --set top_k=20 --set max_new_tokens=12 --seed 4 --quiet >one.txt 2>err || fail "$(cat err)"
"$TSRUN" generate exported "the" --set do_sample=true --set top_k=20 --set max_new_tokens=12 --seed 4 --quiet >two.txt
cmp one.txt two.txt || fail "two samples under one seed differ"
python=${TSRUN_PEERS_PYTHON:-}
if [[ -z $python ]] || ! "$python" -c 'import transformers' 2>/dev/null; then exit 0; fi
printf 'the dog sees .\n' >text.txt
"$TSRUN" score exported text.txt --quiet >score.json
"$python" -W ignore - exported "$(cat score.json)" <<'P' || fail "transformers reads the folder in another way"
import json, sys, math, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer, model = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
ids = torch.tensor([tokenizer("the dog sees .\n").input_ids + [tokenizer.eos_token_id]])
loss = model(ids, labels=ids).loss.item()
assert abs(math.exp(loss) / json.loads(sys.argv[2])["perplexity"] - 1) < 1e-4, (math.exp(loss), sys.argv[2])
P
