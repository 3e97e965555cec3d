"""What a user would run instead: fine-tuning of a T5 with transformers, timed per step; one JSON line.

usage: seq2seq_step_peer.py --model FOLDER --ids FILE [--batch 32] [--steps 20] [--threads 2] [--lr 5e-5]

FILE has a row a line, JSON: {"input": [ids], "labels": [ids]}; a batch is padded to its longest row on either side. Times are those of all steps
but the first three.
"""
import argparse, json, resource, statistics, time
import torch, transformers
from torch.nn.utils.rnn import pad_sequence

WARM_UP = 3
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--model", required=True)
p.add_argument("--ids", required=True)
p.add_argument("--batch", type=int, default=32)
p.add_argument("--steps", type=int, default=20)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--lr", type=float, default=5e-5)
a = p.parse_args()
if a.steps <= WARM_UP:
    p.error(f"--steps must be more than the {WARM_UP} that warm up")
transformers.utils.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
torch.manual_seed(0)
torch.set_num_threads(a.threads)
with open(a.ids, encoding="utf-8") as f:
    rows = [{side: torch.tensor(ids) for side, ids in json.loads(line).items()} for line in f if line.strip()]
net = transformers.T5ForConditionalGeneration.from_pretrained(a.model, dtype=torch.float32)
optimizer = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=0.01)
schedule = transformers.get_linear_schedule_with_warmup(optimizer, 0, a.steps)
net.train()
order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1)).tolist()
times, losses, tokens = [], [], 0
for s in range(a.steps):
    part = [rows[order[(s * a.batch + i) % len(rows)]] for i in range(a.batch)]
    begin = time.perf_counter()
    ids = pad_sequence([r["input"] for r in part], batch_first=True, padding_value=net.config.pad_token_id)
    mask = pad_sequence([torch.ones_like(r["input"]) for r in part], batch_first=True)
    labels = pad_sequence([r["labels"] for r in part], batch_first=True, padding_value=-100)
    loss = net(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    times.append(time.perf_counter() - begin)
    losses.append(loss.item())
    tokens += int(mask.sum()) + int((labels != -100).sum()) if s >= WARM_UP else 0
times = times[WARM_UP:]
print(json.dumps({"peer": f"transformers {transformers.__version__}", "steps": a.steps, "batch": a.batch, "threads": a.threads,
                  "step_s": [round(t, 4) for t in times], "s_per_step": round(statistics.median(times), 4),
                  "real_tokens_per_s": round(tokens / sum(times)), "loss_first": round(losses[0], 4), "loss_last": round(losses[-1], 4),
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
