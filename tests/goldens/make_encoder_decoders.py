"""Reference values of encoder-decoders from transformers, for the parity tests.

usage: make_encoder_decoders.py        writes t5_tiny/ (v1.0: relu, tied head) and t5_gated_tiny/ (v1.1: gated gelu, a head of its own) beside this
                                       script: tiny random models and their values, in the form of make_encoders.py

ids, positions, segments and offsets are the encoder's rows, decoder_ids and decoder_offsets the decoder's: the start token, then the row's labels
but for the last. seq2seq_lm.targets, .logits, .loss and .grad.<name> are of the decoder's tokens; hidden.encoder.<i> and hidden.decoder.<i> are
as transformers gives them: 0 the embeddings, the last one after the stack's final norm.

t5_tiny/ has prefix.* besides: keys and values ([tokens, heads * d_kv]) in front of the self-attention of every layer, seen by every token of the
row and at relative positions as if they were tokens in front of it; logits, loss, and the gradients of these keys and values.
They come from a T5 in plain torch (below), which is first held to transformers' values without a prefix.
"""
import json
import math
import os

import torch
import torch.nn.functional as F
import transformers as hf
from safetensors.torch import save_file

from make_encoders import HERE, collect, packed, padded

SIZES = dict(vocab_size=64, d_model=20, num_heads=3, d_kv=8, d_ff=32, num_layers=2, num_decoder_layers=3, relative_attention_num_buckets=8,
             relative_attention_max_distance=12, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
FAMILIES = {"t5": dict(feed_forward_proj="relu", tie_word_embeddings=True),
            "t5_gated": dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)}
LENGTHS = [(24, 5), (7, 20), (1, 9), (13, 1), (18, 14), (2, 3)]  # tokens of a row's encoder and decoder
PREFIX = 3


def randomise(net, seed):
    """Embeddings and tables of distances of size one, gains around one, the rest small enough for attention that is not all on one token."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            wide = name == "shared.weight" or "relative_attention_bias" in name
            p.copy_(("layer_norm" in name) + (1.0 if wide else 0.25) * torch.randn(p.shape, generator=g))


def make_rows():
    """Rows of ids for the encoder, and their labels, which end with the end token."""
    g = torch.Generator().manual_seed(3)
    ids = [torch.randint(2, SIZES["vocab_size"], (n,), generator=g) for n, _ in LENGTHS]
    labels = [torch.cat([torch.randint(2, SIZES["vocab_size"], (n - 1,), generator=g), torch.tensor([1])]) for _, n in LENGTHS]
    return ids, labels


def bucket(distance, both_ways, count, furthest):
    """Which row of the table of biases is for a key `distance` tokens after its query: some each for one distance, the others for growing ranges."""
    side = torch.zeros_like(distance)
    if both_ways:
        count //= 2
        side = (distance > 0) * count
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    single = count // 2
    ranges = single + (torch.log(distance.clamp(min=1) / single) / math.log(furthest / single) * (count - single)).long()
    return side + torch.where(distance < single, distance, ranges.clamp(max=count - 1))


class PlainT5:
    """One row at a time, no padding, no dropout."""

    def __init__(self, weights, config):
        self.w, self.config = weights, config

    def norm(self, name, x):
        return self.w[name + ".weight"] * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.config.layer_norm_epsilon)

    def linear(self, name, x):
        return x @ self.w[name + ".weight"].T

    def attention(self, name, x, source, bias, before=None):
        q, k, v = self.linear(name + ".q", x), self.linear(name + ".k", source), self.linear(name + ".v", source)
        if before is not None:
            k, v = torch.cat([before[0], k]), torch.cat([before[1], v])
        q, k, v = (t.view(len(t), self.config.num_heads, -1).transpose(0, 1) for t in (q, k, v))
        mixed = torch.softmax(q @ k.transpose(1, 2) + bias, -1) @ v
        return self.linear(name + ".o", mixed.transpose(0, 1).flatten(1))

    def feed_forward(self, name, x):
        if self.config.is_gated_act:
            return self.linear(name + ".wo", F.gelu(self.linear(name + ".wi_0", x), approximate="tanh") * self.linear(name + ".wi_1", x))
        return self.linear(name + ".wo", self.linear(name + ".wi", x).relu())

    def stack(self, side, ids, encoded=None, prefix=None):
        decoder = encoded is not None
        in_front = PREFIX if prefix else 0
        distance = torch.arange(-in_front, len(ids)) - torch.arange(len(ids))[:, None]
        places = bucket(distance, not decoder, self.config.relative_attention_num_buckets, self.config.relative_attention_max_distance)
        bias = self.w[f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"][places].permute(2, 0, 1)
        if decoder:
            bias = bias.masked_fill(distance > 0, -torch.inf)
        x = self.w["shared.weight"][ids]
        for i in range(self.config.num_decoder_layers if decoder else self.config.num_layers):
            block = f"{side}.block.{i}.layer."
            normed = self.norm(block + "0.layer_norm", x)
            before = (prefix[f"prefix.{side}.{i}.key"], prefix[f"prefix.{side}.{i}.value"]) if prefix else None
            x = x + self.attention(block + "0.SelfAttention", normed, normed, bias, before)
            if decoder:
                x = x + self.attention(block + "1.EncDecAttention", self.norm(block + "1.layer_norm", x), encoded, 0.0)
            last = block + ("2" if decoder else "1")
            x = x + self.feed_forward(last + ".DenseReluDense", self.norm(last + ".layer_norm", x))
        return self.norm(f"{side}.final_layer_norm", x)

    def logits(self, ids, decoder_ids, prefix=None):
        x = self.stack("decoder", decoder_ids, self.stack("encoder", ids, None, prefix), prefix)
        if "lm_head.weight" in self.w:
            return self.linear("lm_head", x)
        return x * self.config.d_model**-0.5 @ self.w["shared.weight"].T


def prefix_goldens(out, plain, ids, decoder_ids):
    g, prefix = torch.Generator().manual_seed(7), {}
    for side, layers in (("encoder", plain.config.num_layers), ("decoder", plain.config.num_decoder_layers)):
        for name in (f"prefix.{side}.{i}.{part}" for i in range(layers) for part in ("key", "value")):
            prefix[name] = torch.randn(PREFIX, plain.config.num_heads * plain.config.d_kv, generator=g).requires_grad_()
    logits = torch.cat([plain.logits(i, d, prefix) for i, d in zip(ids, decoder_ids)])
    loss = F.cross_entropy(logits, out["seq2seq_lm.targets"])
    loss.backward()
    out["prefix.logits"], out["prefix.loss"] = logits.detach(), loss.detach().reshape(1)
    for name, p in prefix.items():
        out[name] = p.detach().clone()
        out[name.replace("prefix.", "prefix.grad.", 1)] = p.grad.clone()


def make(family):
    config = hf.T5Config(**SIZES, **FAMILIES[family])
    tied = FAMILIES[family]["tie_word_embeddings"]
    net = hf.T5ForConditionalGeneration(config)
    if not tied:
        net.lm_head.weight = torch.nn.Parameter(torch.empty_like(net.shared.weight))  # transformers 5 ties every T5 that it makes
    randomise(net, 1)
    net.eval()

    ids, labels = make_rows()
    decoder_ids = [torch.cat([torch.tensor([config.decoder_start_token_id]), row[:-1]]) for row in labels]
    batch, segments = padded([(row, torch.zeros_like(row)) for row in ids], config)
    decoder = padded([(row, torch.zeros_like(row)) for row in decoder_ids], config)[0]
    mask, decoder_mask = batch["attention_mask"], decoder["attention_mask"]
    batch["decoder_input_ids"], batch["decoder_attention_mask"] = decoder["input_ids"], decoder_mask
    targets = torch.full_like(decoder_mask, -100)
    targets[decoder_mask.bool()] = torch.cat(labels)

    out = {"ids": torch.cat(ids), "segments": packed(segments, mask), "positions": torch.cat([torch.arange(len(i)) for i in ids]),
           "offsets": torch.tensor([0] + [len(i) for i in ids]).cumsum(0), "decoder_ids": torch.cat(decoder_ids),
           "decoder_offsets": torch.tensor([0] + [len(i) for i in decoder_ids]).cumsum(0), "seq2seq_lm.targets": torch.cat(labels)}
    states = net(**batch, output_hidden_states=True)
    for i, s in enumerate(states.encoder_hidden_states):
        out[f"hidden.encoder.{i}"] = packed(s, mask)
    for i, s in enumerate(states.decoder_hidden_states):
        out[f"hidden.decoder.{i}"] = packed(s, decoder_mask)
    collect(out, "seq2seq_lm", net, batch, targets, lambda x: packed(x, decoder_mask))

    weights = {name: p.detach().clone() for name, p in net.named_parameters()}  # without the tied duplicates
    plain = PlainT5(weights, config)
    logits = torch.cat([plain.logits(i, d) for i, d in zip(ids, decoder_ids)])
    assert (logits - out["seq2seq_lm.logits"]).abs().max() < 1e-5 and logits.abs().max() < 20
    if tied:
        prefix_goldens(out, plain, ids, decoder_ids)

    folder = os.path.join(HERE, family + "_tiny")
    os.makedirs(folder, exist_ok=True)
    save_file(weights, f"{folder}/model.safetensors", {"format": "pt"})
    config.architectures = ["T5ForConditionalGeneration"]
    config.save_pretrained(folder)
    # transformers 5 writes true for every T5, and whether the head is scaled into a field of its own: false is what the published v1.1 say
    with open(f"{folder}/config.json", encoding="utf-8") as f:
        fields = json.load(f)
    with open(f"{folder}/config.json", "w", encoding="utf-8") as f:
        f.write(json.dumps(fields | {"tie_word_embeddings": tied}, indent=2, sort_keys=True) + "\n")
    save_file({k: v.contiguous() for k, v in out.items()}, f"{folder}/goldens.safetensors")


if __name__ == "__main__":
    torch.manual_seed(0)
    for name in FAMILIES:
        make(name)
