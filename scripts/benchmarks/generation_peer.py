"""What a user would run instead: greedy generation with transformers and its cache; one JSON line.

usage: generation_peer.py --model FOLDER --prompts FILE [--new 64] [--batch 8] [--rounds 3] [--threads 2]

FILE has a prompt a line, a JSON list of ids; a batch is padded on the left. FOLDER is a causal decoder, or a T5, whose encoder reads the prompts.
Nothing ends a row early: every prompt gets --new tokens. A round is all prompts once; the first round warms up. Loading is not timed.
"""
import argparse, json, resource, statistics, time
import torch, transformers
from torch.nn.utils.rnn import pad_sequence

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--model", required=True)
p.add_argument("--prompts", required=True)
p.add_argument("--new", type=int, default=64)
p.add_argument("--batch", type=int, default=8)
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()
transformers.utils.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
torch.set_num_threads(a.threads)
with open(a.prompts, encoding="utf-8") as f:
    prompts = [torch.tensor(json.loads(line)) for line in f if line.strip()]
encoder_decoder = transformers.AutoConfig.from_pretrained(a.model).is_encoder_decoder
kind = transformers.AutoModelForSeq2SeqLM if encoder_decoder else transformers.AutoModelForCausalLM
net = kind.from_pretrained(a.model, dtype=torch.float32).eval()
net.generation_config = transformers.GenerationConfig(do_sample=False, num_beams=1, use_cache=True, pad_token_id=0,
                                                      decoder_start_token_id=0 if encoder_decoder else None)


def one_round():
    count = 0
    for first in range(0, len(prompts), a.batch):
        part = prompts[first:first + a.batch]
        ids = pad_sequence(part, batch_first=True, padding_side="left")
        mask = pad_sequence([torch.ones_like(r) for r in part], batch_first=True, padding_side="left")
        out = net.generate(ids, attention_mask=mask, max_new_tokens=a.new)
        count += len(part) * (out.shape[1] - (1 if encoder_decoder else ids.shape[1]))
    return count


rates = []
with torch.inference_mode():
    for r in range(a.rounds + 1):
        begin = time.perf_counter()
        tokens = one_round()
        if r:
            rates.append(tokens / (time.perf_counter() - begin))
assert tokens == len(prompts) * a.new
print(json.dumps({"peer": f"transformers {transformers.__version__}", "prompts": len(prompts), "new": a.new, "batch": a.batch, "threads": a.threads,
                  "tokens_per_s": round(statistics.median(rates), 1), "rounds": [round(r, 1) for r in rates],
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
