"""What a user would run instead: fine-tuning of a BERT classifier under Dynamic Parameter Selection with transformers; one JSON line.

usage: dps_step_peer.py MODEL_DIR TASK_DIR [--variant dense|mix] [--stage 4] [--padding max|longest] [--steps 19] [--batch 32] [--threads 2]

The rules and the memory of the method's reference code (float32 sums, int64 masks and counts, a copy of every weight for mix), with the linear
layers' backward pass in Python and one top-k a tensor and cycle. Seconds a step are the mean over the steps behind the first three, so
that whole cycles count.
"""
import argparse, csv, json, math, resource, statistics, time
import torch, transformers
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

WARM_UP, FREEZE_RATIO, PENALTY_STEPS = 3, 0.3, 50
MASKED = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense", "pooler.dense", "classifier")
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("model"), p.add_argument("task")
p.add_argument("--variant", choices=["dense", "mix"], default="dense")
p.add_argument("--stage", type=int, default=4, help="steps of a stage")
p.add_argument("--padding", choices=["max", "longest"], default="longest")
p.add_argument("--steps", type=int, default=19)
p.add_argument("--batch", type=int, default=32)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--max-length", type=int, default=128)
p.add_argument("--lr", type=float, default=2e-5)
a = p.parse_args()
if a.steps <= WARM_UP:
    p.error(f"--steps must be more than the {WARM_UP} that warm up")


class Product(torch.autograd.Function):
    """A linear layer whose weight gradient passes through the layer's own bookkeeping."""

    @staticmethod
    def forward(ctx, x, weight, bias, mixed, layer):
        ctx.save_for_backward(x, mixed)
        ctx.layer = layer
        return nn.functional.linear(x, mixed, bias)

    @staticmethod
    def backward(ctx, grad):
        x, mixed = ctx.saved_tensors
        flat = grad.reshape(-1, grad.shape[-1])
        return grad @ mixed, ctx.layer.seen(flat.t() @ x.reshape(-1, x.shape[-1])), flat.sum(0), None, None


class Selecting(nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.step, self.sums, self.counts, self.mask = 0, None, None, None
        self.start = linear.weight.detach().clone() if a.variant == "mix" else None

    def forward(self, x):
        if not self.training:
            return nn.functional.linear(x, self.weight, self.bias)
        self.first, self.gathers = self.step % a.stage == 0, self.step // a.stage % 2 == 0
        self.step += 1
        if self.first and not self.gathers:
            self.choose()
        return Product.apply(x, self.weight, self.bias, self.mix() if a.variant == "mix" else self.weight.detach(), self)

    def mix(self):
        weight = self.weight.detach()
        if self.gathers:
            columns = torch.bernoulli(torch.full((1, weight.shape[1]), 1 - FREEZE_RATIO))
            self.noise, target = columns.repeat(weight.shape[0], 1), self.start
        else:
            self.noise, target = self.mask, self.snapshot
        return ((1 - self.noise) * target + self.noise * weight - FREEZE_RATIO * target) / (1 - FREEZE_RATIO)

    def seen(self, grad):
        if a.variant == "mix":
            grad = grad * self.noise
        if not self.gathers:
            return grad * self.mask
        squares = grad ** 2 / 1e3
        self.sums = squares if self.first else self.sums + squares
        if a.variant == "mix":
            kept = self.noise.long()
            self.counts = kept if self.first else self.counts + kept
        return grad

    def choose(self):
        score = self.sums
        if a.variant == "mix":
            self.snapshot = self.weight.detach().clone()
            score = score / torch.where(self.counts == 0, 1, self.counts)
            if a.stage >= PENALTY_STEPS:
                score = score * torch.exp(-self.counts / a.stage)
        flat = score.flatten()
        least = torch.topk(flat, math.ceil(flat.numel() * (1 - FREEZE_RATIO))).values[-1]
        self.mask = torch.where(score >= least, 1, 0)


def select_everywhere(module, prefix=""):
    for name, child in list(module.named_children()):
        path = f"{prefix}.{name}"
        if isinstance(child, nn.Linear) and path.endswith(MASKED):
            setattr(module, name, Selecting(child))
        else:
            select_everywhere(child, path)


transformers.logging.set_verbosity_error()
torch.manual_seed(0)
torch.set_num_threads(a.threads)
rows = list(csv.DictReader(open(f"{a.task}/train.tsv"), delimiter="\t", quoting=csv.QUOTE_NONE))
labels = sorted({r["label"] for r in rows})
tokenizer = AutoTokenizer.from_pretrained(a.model)
net = AutoModelForSequenceClassification.from_pretrained(a.model, num_labels=len(labels), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
select_everywhere(net)
optimizer = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=0.01)
schedule = get_linear_schedule_with_warmup(optimizer, 0, a.steps)
net.train()
order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1)).tolist()
times, losses, tokens = [], [], 0
for s in range(a.steps):
    part = [rows[order[(s * a.batch + i) % len(rows)]] for i in range(a.batch)]
    begin = time.perf_counter()
    pair = [r["text_b"] for r in part] if "text_b" in part[0] else None
    x = tokenizer([r["text_a"] for r in part], pair, truncation=True, max_length=a.max_length,
                  padding="max_length" if a.padding == "max" else "longest", return_tensors="pt")
    loss = net(**x, labels=torch.tensor([labels.index(r["label"]) for r in part])).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step(), schedule.step(), optimizer.zero_grad()
    times.append(time.perf_counter() - begin), losses.append(loss.item())
    tokens += int(x["attention_mask"].sum()) if s >= WARM_UP else 0
times = times[WARM_UP:]
print(json.dumps({"peer": f"transformers {transformers.__version__}", "variant": a.variant, "steps": a.steps, "batch": a.batch, "threads": a.threads,
                  "s_per_step": round(statistics.median(times), 4), "mean_s_per_step": round(statistics.mean(times), 4),
                  "real_tokens_per_s": round(tokens / sum(times)), "loss_first": round(losses[0], 4), "loss_last": round(losses[-1], 4),
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
