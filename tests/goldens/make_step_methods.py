#!/usr/bin/env python3
"""Writes step_methods.json: what methods that act inside a training step make of bert_tiny's classifier in six steps without dropout, each a
direct transcription of its published rule in float64, on transformers' BERT and an AdamW as torch's (decay, then the step).

  training    settings of all cases; every batch is all rows. Learning rates fall linearly to 0 and biases and norms are not decayed.
  words, rows, targets   vocabulary id i is the word wi; a row is [first ids, second ids], joined as [CLS] first [SEP] second [SEP]
  names       parameters, in the order of the numbers below
  cases.<name>  `rule` names the class below and `arguments` are its own; `moved` has for each parameter the norm of what it moved by,
              Δ, and Σ Δ_i cos(i + 1); `losses` are the task's losses on each step's batch, under the weights of that pass

Random numbers are no part of the rules: uniform(seed, i) below is a hash of integers that a test can compute as well.
  dps_mix, mixout, child_tuning_f: seed(step, parameter) = 1000 (step + 1) + place of the parameter in `names`; i counts the numbers drawn: one
              per input of a linear layer (the same for all outputs), or one per element. An entry is kept where the number is at least p
              (child_tuning_f: below p).
  r3f         seed(step, row) = 1000 (step + 1) + row, i = position · width + feature; noise is epsilon (2 uniform - 1)
dps_*: `us` is the length of one stage in steps, `least` the length from which the frequency penalty is on (the reference has 50, and these
short runs need another); p is the frozen share, mixed and masked are the weights of all linear layers, the pooler's and the classifier's
included. The one threshold of a tensor is its K-th largest score, K = ceil(N (1 - p)); asserted: no score is close to it.
"""
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
import transformers as hf
from safetensors.torch import load_file
from torch.func import functional_call

HERE = pathlib.Path(__file__).parent
TRAINING = dict(steps=6, lr=2e-3, weight_decay=0.01, adam_epsilon=1e-4, max_grad_norm=1.0)
BETAS = (0.9, 0.999)
ROWS = [[[7, 31, 9], []], [[5, 12, 40, 22, 8], []], [[50, 6], [33, 14, 9]], [[44, 21, 17, 60], []], [[11, 10], [63, 28]], [[35, 29, 7, 18, 52, 41], [13]]]
TARGETS = [0, 1, 2, 2, 0, 1]
CLS, SEP = 2, 3


def uniform(seed, count):
    """Numbers in [0, 1): a bijective hash of 32-bit integers (lowbias32) over seed and index."""
    x = (np.arange(count, dtype=np.uint64) + seed * 2654435761) & 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    return torch.from_numpy(x.astype(np.float64) / 2.0**32)


class Training:
    def __init__(self):
        config = hf.BertConfig.from_json_file(HERE / "bert_tiny/config.json")
        config.num_labels = 3
        config._attn_implementation = "eager"
        self.net = hf.BertForSequenceClassification(config).double().eval()
        weights = load_file(HERE / "bert_tiny/model.safetensors")
        head = load_file(HERE / "bert_tiny/goldens.safetensors")
        weights |= {name: head["classification." + name] for name in ("classifier.weight", "classifier.bias")}
        self.origin = {name: weights[name].double() for name, _ in self.net.named_parameters()}
        self.names = list(self.origin)
        length = max(len(a) + len(b) + 3 for a, b in ROWS)
        self.ids, self.segments = torch.zeros(len(ROWS), length, dtype=torch.long), torch.zeros(len(ROWS), length, dtype=torch.long)
        self.mask = torch.zeros_like(self.ids)
        for r, (a, b) in enumerate(ROWS):
            row = [CLS, *a, SEP, *b, *([SEP] if b else [])]
            self.ids[r, :len(row)], self.mask[r, :len(row)] = torch.tensor(row), 1
            self.segments[r, len(a) + 2:len(row)] = 1
        self.targets = torch.tensor(TARGETS)
        self.matrices = [n for n in self.names if n.endswith("weight") and "embeddings" not in n and "LayerNorm" not in n]

    def logits(self, weights, inputs_embeds=None):
        inputs = {"input_ids": self.ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
        return functional_call(self.net, weights, (), inputs | {"attention_mask": self.mask, "token_type_ids": self.segments}).logits

    def gradients(self, rule, step, weights):
        """Loss, and its gradient by the weights that the pass used."""
        leaves = {n: w.clone().requires_grad_() for n, w in weights.items()}
        logits = self.logits(leaves)
        loss = F.cross_entropy(logits, self.targets)
        more = rule.loss(step, leaves, logits)
        found = torch.autograd.grad(loss + more, list(leaves.values()), allow_unused=True)
        return loss.item(), {n: torch.zeros_like(w) if g is None else g for (n, w), g in zip(leaves.items(), found)}

    def run(self, rule):
        weights = {n: w.clone() for n, w in self.origin.items()}
        first, second, losses = {n: 0.0 for n in weights}, {n: 0.0 for n in weights}, []
        for step in range(TRAINING["steps"]):
            with torch.no_grad():
                used = rule.weights(step, {n: w.clone() for n, w in weights.items()})
            loss, g = self.gradients(rule, step, used)
            losses.append(loss)
            g = rule.behind_backward(step, g)
            norm = math.sqrt(sum((x * x).sum().item() for x in g.values()))
            g = {n: x * min(1.0, TRAINING["max_grad_norm"] / (norm + 1e-6)) for n, x in g.items()}
            g = rule.before_update(step, g)
            lr = TRAINING["lr"] * (TRAINING["steps"] - step) / TRAINING["steps"]
            for n in weights:
                first[n] = BETAS[0] * first[n] + (1 - BETAS[0]) * g[n]
                second[n] = BETAS[1] * second[n] + (1 - BETAS[1]) * g[n] ** 2
                unbiased = first[n] / (1 - BETAS[0] ** (step + 1)), second[n] / (1 - BETAS[1] ** (step + 1))
                direction = unbiased[0] / (unbiased[1].sqrt() + TRAINING["adam_epsilon"])
                decayed = not (n.endswith("bias") or "LayerNorm" in n)
                weights[n] = rule.update(n, weights[n], direction, step, lr, TRAINING["weight_decay"] if decayed else 0.0)
        return losses, {n: weights[n] - self.origin[n] for n in weights}


class Plain:
    """AdamW; also R-Drop without dropout, whose two passes agree."""

    def __init__(self, training, **arguments):
        self.training = training
        vars(self).update(arguments)

    def weights(self, step, weights):
        return weights

    def loss(self, step, leaves, logits):
        return 0.0

    def behind_backward(self, step, g):
        return g

    def before_update(self, step, g):
        return g

    def update(self, name, weight, direction, step, lr, decay):
        return weight * (1 - lr * decay) - lr * direction

    def kept(self, step, name, shared):
        """1 with probability 1 - p, of the parameter's shape."""
        shape = self.training.origin[name].shape
        seed = 1000 * (step + 1) + self.training.names.index(name)
        if shared and len(shape) == 2:
            return (uniform(seed, shape[1]) >= self.p).double().expand(shape)
        return (uniform(seed, math.prod(shape)) >= self.p).double().view(shape)


def mixed(weight, target, n, p):
    return ((1 - n) * target + n * weight - p * target) / (1 - p)


class Mixout(Plain):
    """Mixed are the weights of all linear layers, towards their first values; the gradient misses the factor 1 / (1 - p) unless `rescale`."""

    def weights(self, step, weights):
        self.noise = {n: self.kept(step, n, self.shared) for n in self.training.matrices}
        return weights | {n: mixed(weights[n], self.training.origin[n], k, self.p) for n, k in self.noise.items()}

    def behind_backward(self, step, g):
        return g | {n: g[n] * k / ((1 - self.p) if self.rescale else 1) for n, k in self.noise.items()}


def top(score, p):
    """Mask of the entries at or above the K-th largest."""
    ordered = score.flatten().sort(descending=True).values
    k = math.ceil(score.numel() * (1 - p) - 1e-9)
    assert ordered[k - 1] > 0 and (ordered[k - 1] - ordered[k]) / ordered[k - 1] > 2e-5, ordered[k - 2:k + 2]
    return (score >= ordered[k - 1]).double()


class DpsDense(Plain):
    def stage(self, step):
        """Whether it is the first stage, and whether the step is the stage's first."""
        return step // self.us % 2 == 0, step % self.us == 0

    def behind_backward(self, step, g):
        collects, first = self.stage(step)
        if collects:
            self.sums = {n: g[n] ** 2 + (0 if first else self.sums[n]) for n in self.training.matrices}
            return g
        if first:
            self.masks = {n: top(score, self.p) for n, score in self.sums.items()}
        return g | {n: g[n] * m for n, m in self.masks.items()}


class DpsMix(DpsDense):
    def weights(self, step, weights):
        collects, first = self.stage(step)
        if collects:
            self.noise, self.target = {n: self.kept(step, n, True) for n in self.training.matrices}, self.training.origin
        elif first:
            self.target = weights
            self.noise = {n: top(self.score(n), self.p) for n in self.training.matrices}
        return weights | {n: mixed(weights[n], self.target[n], k, self.p) for n, k in self.noise.items()}

    def score(self, name):
        score = self.sums[name] / self.counts[name].clamp(min=1)
        return score * torch.exp(-self.counts[name] / self.us) if self.us >= self.least else score

    def behind_backward(self, step, g):
        collects, first = self.stage(step)
        g = g | {n: g[n] * k for n, k in self.noise.items()}
        if collects:
            self.sums = {n: g[n] ** 2 + (0 if first else self.sums[n]) for n in self.training.matrices}
            self.counts = {n: k + (0 if first else self.counts[n]) for n, k in self.noise.items()}
        return g


class RecAdam(Plain):
    """The classifier is not pre-trained: plain AdamW. Decay comes last and is not annealed."""

    def annealed(self, step):
        if self.anneal == "constant":
            return self.anneal_w
        t = step + 1
        return self.anneal_w * (1 / (1 + math.exp(-self.k * (t - self.t0))) if self.anneal == "sigmoid" else min(1, t / self.t0))

    def update(self, name, weight, direction, step, lr, decay):
        if name.startswith("classifier"):
            return super().update(name, weight, direction, step, lr, decay)
        share = self.annealed(step)
        weight = weight - lr * share * direction
        weight = weight - lr * (self.anneal_w - share) * self.gamma * (weight - self.training.origin[name])
        return weight * (1 - lr * decay)


class R3F(Plain):
    """`detach`: the noised pass has no gradient to the word embeddings."""

    def loss(self, step, leaves, logits):
        words = leaves["bert.embeddings.word_embeddings.weight"]
        rows = F.embedding(self.training.ids, words.detach() if self.detach else words)
        noise = torch.stack([2 * uniform(1000 * (step + 1) + r, rows[r].numel()).view(rows[r].shape) - 1 for r in range(len(rows))])
        noised = self.training.logits(leaves, rows + self.epsilon * noise)
        a, b = noised.log_softmax(-1), logits.log_softmax(-1)
        both = F.kl_div(a, b, reduction="sum", log_target=True) + F.kl_div(b, a, reduction="sum", log_target=True)
        return self.strength * both / len(rows)


class ChildTuningF(Plain):
    def before_update(self, step, g):
        kept = {n: (uniform(1000 * (step + 1) + i, g[n].numel()) < self.p).double().view(g[n].shape) for i, n in enumerate(g)}
        return {n: x * kept[n] / self.p for n, x in g.items()}


class ChildTuningD(Plain):
    """Fisher information of one batch with all rows, each parameter's gradient clipped on its own to norm 1; parameters with "layer" in
    their name; one threshold, the percentile 100 (1 - p) of all."""

    def before_update(self, step, g):
        if step == 0:
            self.masks = self.chosen()
        return g | {n: g[n] * m for n, m in self.masks.items()}

    def chosen(self):
        _, g = self.training.gradients(Plain(self.training), 0, self.training.origin)
        scores = {n: (x * min(1.0, 1.0 / (x.norm().item() + 1e-6))) ** 2 for n, x in g.items() if "layer" in n}
        every = np.sort(np.concatenate([s.flatten().numpy() for s in scores.values()]))
        bound = np.percentile(every, (1 - self.p) * 100)
        above, below = every[every >= bound][0], every[every < bound][-1]
        assert (above - below) / above > 1e-5, (below, bound, above)
        return {n: (s >= bound).double() for n, s in scores.items()}


CASES = {
    "plain": (Plain, {}),
    "dps_dense": (DpsDense, dict(p=0.3, us=2)),
    "dps_dense_short": (DpsDense, dict(p=0.6, us=1)),
    "dps_mix": (DpsMix, dict(p=0.3, us=2, least=50)),
    "dps_mix_penalty": (DpsMix, dict(p=0.3, us=3, least=3)),
    "mixout": (Mixout, dict(p=0.4, shared=True, rescale=False)),
    "mixout_elements": (Mixout, dict(p=0.4, shared=False, rescale=True)),
    "recadam": (RecAdam, dict(anneal="sigmoid", k=0.7, t0=3, anneal_w=1.0, gamma=50.0)),
    "recadam_linear": (RecAdam, dict(anneal="linear", k=0.0, t0=4, anneal_w=0.8, gamma=50.0)),
    "recadam_constant": (RecAdam, dict(anneal="constant", k=0.0, t0=1, anneal_w=0.7, gamma=50.0)),
    "r3f": (R3F, dict(epsilon=0.2, strength=2.0, detach=True)),
    "r3f_attached": (R3F, dict(epsilon=0.2, strength=2.0, detach=False)),
    "child_tuning_f": (ChildTuningF, dict(p=0.3)),
    "child_tuning_d": (ChildTuningD, dict(p=0.2)),
}


def rounded(values):
    return [float(f"{v:.9g}") for v in values]


def main():
    torch.set_default_dtype(torch.float64)
    training, cases = Training(), {}
    for name, (rule, arguments) in CASES.items():
        losses, moved = training.run(rule(training, **arguments))
        index = {n: torch.arange(1, d.numel() + 1, dtype=torch.float64) for n, d in moved.items()}
        numbers = [rounded([d.norm().item(), (d.flatten() * index[n].cos()).sum().item()]) for n, d in moved.items()]
        cases[name] = {"rule": rule.__name__, "arguments": arguments, "losses": rounded(losses), "moved": numbers}
    plain = np.array(cases["plain"]["moved"])
    for name, case in cases.items():  # no rule is plain training by mistake
        assert name == "plain" or np.abs(np.array(case["moved"]) - plain).max() > 1e-3, name
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"w{i}" for i in range(5, 64)]
    result = {"training": TRAINING, "words": words, "rows": ROWS, "targets": TARGETS, "names": training.names, "cases": cases}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in result.items() if key != "cases"]
    lines.append(' "cases": {\n' + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in cases.items()) + "\n }")
    (HERE / "step_methods.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
