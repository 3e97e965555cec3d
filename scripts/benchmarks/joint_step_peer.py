"""Stage 1 of the joint decomposition as its authors' code runs it: example by example, every input padded to 512 tokens and every answer to 64.

usage: joint_step_peer.py --model FOLDER --ids FILE [--dim 100] [--tasks 4] [--batch 16] [--steps 2] [--threads 2] [--input 512] [--output 64]

FOLDER is a T5 (v1.0 or v1.1), FILE has a row a line, {"input": [ids], "labels": [ids]}; row i belongs to task i modulo --tasks. Solutions are random: the
time does not depend on them. One JSON line: seconds a step (median without the first), numbers of each method.
"""
import argparse, json, math, resource, statistics, time
import torch, transformers
from torch.nn import functional as F

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--model", required=True)
p.add_argument("--ids", required=True)
for name, default in (("dim", 100), ("tasks", 4), ("batch", 16), ("steps", 2), ("threads", 2), ("input", 512), ("output", 64), ("adapter", 12), ("lora", 10),
                      ("prefix", 120), ("hidden", 24)):
    p.add_argument(f"--{name}", type=int, default=default)
p.add_argument("--gamma", type=float, default=10.0)
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
net = transformers.T5ForConditionalGeneration.from_pretrained(a.model, dtype=torch.float32)
c, weights = net.config, {name: value.detach() for name, value in net.state_dict().items()}
inner = c.num_heads * c.d_kv


def blocks():
    """(stack, layer, is it the cross-attention?) of every attention, in the order of the model's modules."""
    for stack, depth in (("encoder", c.num_layers), ("decoder", c.num_decoder_layers)):
        for layer in range(depth):
            for cross in (False, True) if stack == "decoder" else (False,):
                yield stack, layer, cross


def shapes(method):
    for stack, layer, cross in blocks():
        if method == "lora":
            for to in "qv":
                yield (stack, layer, cross, to + "A"), (c.d_model, a.lora)
                yield (stack, layer, cross, to + "B"), (a.lora, inner)
        if method == "adapter":
            last = cross or stack == "encoder"  # the feed-forward block stands behind the last attention of a layer
            for place in [cross] + (["ff"] if last else []):
                yield (stack, layer, place, "down"), (c.d_model, a.adapter)
                yield (stack, layer, place, "up"), (a.adapter, c.d_model)
    if method == "prefix":
        for stack, depth in (("encoder", c.num_layers), ("decoder", c.num_decoder_layers)):
            yield (stack, "E"), (a.prefix, c.d_model)
            yield (stack, "W0"), (a.hidden, c.d_model)
            yield (stack, "W2"), (depth * 2 * inner, a.hidden)


def cut(flat, method):
    out, at = {}, 0
    for key, shape in shapes(method):
        size = math.prod(shape)
        out[key], at = flat[at:at + size].view(shape), at + size
    return out


def rms(x, name):
    return weights[name] * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + c.layer_norm_epsilon)


def bucket(distance, both_ways):
    count, far = c.relative_attention_num_buckets, c.relative_attention_max_distance
    base = torch.zeros_like(distance)
    if both_ways:
        count //= 2
        base, distance = (distance > 0).long() * count, distance.abs()
    else:
        distance = -distance.clamp(max=0)
    exact = count // 2
    large = exact + (torch.log(distance.clamp(min=1).float() / exact) / math.log(far / exact) * (count - exact)).long()
    return base + torch.where(distance < exact, distance, large.clamp(max=count - 1))


def bias(stack, queries, keys, prefix):
    distance = torch.arange(keys)[None, :] - (torch.arange(queries) + prefix)[:, None]
    table = weights[f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    return table[bucket(distance, stack == "encoder")].permute(2, 0, 1)[None]


def adapt(x, det, place):
    if place + ("down",) not in det:
        return x
    return x + F.silu(x @ det[place + ("down",)]) @ det[place + ("up",)]


def attend(x, source, mask, position, place, det, prefix):
    stack, layer, cross = place
    name = f"{stack}.block.{layer}.layer.{int(cross)}.{'EncDec' if cross else 'Self'}Attention"

    def project(v, to):
        out = v @ weights[f"{name}.{to}.weight"].T
        return out + 1.6 * (v @ det[place + (to + "A",)]) @ det[place + (to + "B",)] if place + (to + "A",) in det else out

    heads = lambda v: v.view(1, -1, c.num_heads, c.d_kv).transpose(1, 2)
    q, k, v = heads(project(x, "q")), heads(project(source, "k")), heads(project(source, "v"))
    if prefix is not None:
        k, v = torch.cat([prefix[layer, 0][None], k], 2), torch.cat([prefix[layer, 1][None], v], 2)
    scores = q @ k.transpose(2, 3) + mask
    if position is not None:
        scores = scores + position
    out = F.dropout(scores.softmax(-1), c.dropout_rate) @ v
    return adapt(out.transpose(1, 2).reshape(1, -1, inner) @ weights[f"{name}.o.weight"].T, det, place)


def feed_forward(x, stack, layer, det):
    name = f"{stack}.block.{layer}.layer.{2 if stack == 'decoder' else 1}.DenseReluDense"
    if f"{name}.wi_0.weight" in weights:
        inside = F.gelu(x @ weights[f"{name}.wi_0.weight"].T, approximate="tanh") * (x @ weights[f"{name}.wi_1.weight"].T)
    else:
        inside = F.relu(x @ weights[f"{name}.wi.weight"].T)
    return adapt(F.dropout(inside, c.dropout_rate) @ weights[f"{name}.wo.weight"].T, det, (stack, layer, "ff"))


def run_stack(stack, ids, mask, det, encoded=None, encoded_mask=None):
    x = F.dropout(weights["shared.weight"][ids][None], c.dropout_rate)
    depth, prefix, length = (c.num_layers if stack == "encoder" else c.num_decoder_layers), None, 0
    if (stack, "E") in det:
        made = torch.tanh(det[(stack, "E")] @ det[(stack, "W0")].T) @ det[(stack, "W2")].T
        prefix, length = made.reshape(depth, 2, c.num_heads, a.prefix, c.d_kv), a.prefix
    n = len(ids)
    own = torch.cat([torch.zeros(n, length), mask.expand(n, n)], 1)[None, None]
    position = bias(stack, n, n + length, length)
    for layer in range(depth):
        name = f"{stack}.block.{layer}.layer"
        x = x + F.dropout(attend(*(2 * (rms(x, f"{name}.0.layer_norm.weight"),)), own, position, (stack, layer, False), det, prefix), c.dropout_rate)
        if stack == "decoder":
            x = x + F.dropout(attend(rms(x, f"{name}.1.layer_norm.weight"), encoded, encoded_mask, None, (stack, layer, True), det, None), c.dropout_rate)
        x = x + F.dropout(feed_forward(rms(x, f"{name}.{2 if stack == 'decoder' else 1}.layer_norm.weight"), stack, layer, det), c.dropout_rate)
    return F.dropout(rms(x, f"{stack}.final_layer_norm.weight"), c.dropout_rate)


def task_loss(row, det):
    ids = F.pad(row["input"][:a.input], (0, a.input - min(a.input, len(row["input"]))))
    labels = F.pad(row["labels"][:a.output], (0, a.output - min(a.output, len(row["labels"]))), value=-100)
    low = torch.finfo(torch.float32).min
    mask = torch.where(torch.arange(a.input) < len(row["input"]), 0.0, low)[None]
    encoded = run_stack("encoder", ids, mask, det)
    read = torch.cat([torch.zeros(1, dtype=torch.long), labels[:-1].clamp(min=0)])
    causal = torch.full((a.output, a.output), low).triu(1)
    out = run_stack("decoder", read, causal, det, encoded, mask)
    tied = "lm_head.weight" not in weights or weights["lm_head.weight"].data_ptr() == weights["shared.weight"].data_ptr()
    scores = (out[0] * (c.d_model ** -0.5 if tied else 1)) @ weights["shared.weight" if tied else "lm_head.weight"].T
    return F.cross_entropy(scores, labels, ignore_index=-100)


methods = ("adapter", "lora", "prefix")
sizes = {m: sum(math.prod(s) for _, s in shapes(m)) for m in methods}
start = {m: torch.randn(sizes[m]) * 0.02 for m in methods}
deltas = {m: [torch.randn(sizes[m]) * 0.02 for _ in range(a.tasks)] for m in methods}
down = torch.nn.ModuleDict({m: torch.nn.Sequential(torch.nn.Linear(sizes[m], a.dim), torch.nn.Tanh(), torch.nn.Linear(a.dim, a.dim)) for m in methods})
up = torch.nn.ModuleDict({m: torch.nn.Linear(a.dim, sizes[m], bias=False) for m in methods})
trained = [*down.parameters(), *up.parameters()]
for value in trained:
    torch.nn.init.normal_(value, 0, 0.02)
optimizer = transformers.Adafactor(trained, lr=1e-4, scale_parameter=False, relative_step=False, warmup_init=False)
with open(a.ids, encoding="utf-8") as f:
    rows = [{side: torch.tensor(ids) for side, ids in json.loads(line).items()} for line in f if line.strip()]


def example_loss(number):
    row, task = rows[number % len(rows)], number % a.tasks
    codes = {m: down[m](deltas[m][task]) for m in methods}
    first = torch.rand(())
    second = torch.rand(()) * (1 - first)
    mixed = sum(share * codes[m] for share, m in zip((first, second, 1 - first - second), methods))
    return sum(task_loss(row, cut(start[m] + up[m](mixed), m)) + a.gamma * torch.dist(deltas[m][task], up[m](codes[m])) for m in methods)


times = []
for step in range(a.steps + 1):
    begin = time.perf_counter()
    for i in range(a.batch):
        example_loss(step * a.batch + i).div(a.batch).backward()
    optimizer.step()
    optimizer.zero_grad()
    times.append(time.perf_counter() - begin)
print(json.dumps({"s_per_step": round(statistics.median(times[1:]), 3), "step_s": [round(t, 3) for t in times], "numbers": sizes, "dim": a.dim, "batch": a.batch,
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
