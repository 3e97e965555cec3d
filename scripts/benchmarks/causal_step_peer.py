"""What a user would run instead: training of a GPT-2 on blocks of text with transformers, timed per step; one JSON line.

usage: causal_step_peer.py --model FOLDER --ids FILE [--batch 16] [--steps 20] [--threads 2] [--lr 5e-5]

FILE has a block a line, a JSON list of ids; a batch is padded to its longest block. Times are those of all steps but the first three.
"""
import argparse, json, resource, statistics, time
import torch, transformers

WARM_UP = 3
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--model", required=True)
p.add_argument("--ids", required=True)
p.add_argument("--batch", type=int, default=16)
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
    blocks = [torch.tensor(json.loads(line)) for line in f if line.strip()]
net = transformers.GPT2LMHeadModel.from_pretrained(a.model, dtype=torch.float32)
optimizer = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=0.01)
schedule = transformers.get_linear_schedule_with_warmup(optimizer, 0, a.steps)
net.train()
order = torch.randperm(len(blocks), generator=torch.Generator().manual_seed(1)).tolist()
times, losses, tokens = [], [], 0
for s in range(a.steps):
    part = [blocks[order[(s * a.batch + i) % len(blocks)]] for i in range(a.batch)]
    begin = time.perf_counter()
    ids = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(b) for b in part], batch_first=True)
    loss = net(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    times.append(time.perf_counter() - begin)
    losses.append(loss.item())
    tokens += int(mask.sum()) if s >= WARM_UP else 0
times = times[WARM_UP:]
print(json.dumps({"peer": f"transformers {transformers.__version__}", "steps": a.steps, "batch": a.batch, "threads": a.threads,
                  "step_s": [round(t, 4) for t in times], "s_per_step": round(statistics.median(times), 4),
                  "real_tokens_per_s": round(tokens / sum(times)), "loss_first": round(losses[0], 4), "loss_last": round(losses[-1], 4),
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
