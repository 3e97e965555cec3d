"""Reference values of delta methods from PEFT, for the parity tests and for the exchange of folders with it.

usage: make_deltas.py                  writes deltas/ beside this script (needs bert_tiny/, gpt2_tiny/ and t5_tiny/ of the other scripts)
       make_deltas.py bert_lora ...    only these cases

deltas/<base>_<method>.safetensors: PEFT attached to the tiny model, with random values in every delta tensor.
  value.<name>, grad.<name>   a delta tensor and its gradient, named as in adapter_model.safetensors but for "base_model.model." (of prompt methods
                              "base_model." or nothing) in front; classifier.* are the base goldens' own head; prefix_projection trains
                              prompt_encoder.*, and PEFT saves only what comes of it, prompt_embeddings, which has a value but no gradient
  logits, loss                as in the base goldens, of the rows ids, segments, positions, offsets, (decoder_ids, decoder_offsets,) targets: the base
                              goldens' rows, shortened where virtual tokens would not leave them enough positions
  peft.loss, peft.grad.<name> gpt2_prompt alone: with PEFT's labels the last virtual token predicts a row's first token too; loss does not have that
  metadata: "note", where PEFT does something that one would not expect
deltas/<base>_<method>.json: the adapter_config.json that PEFT writes for it, lists sorted.
deltas/peft_lora_bert/: a folder as PEFT saves it, LoRA and a classifier after three steps, and in logits.safetensors what it gives for the rows of
                        bert_tiny's goldens.

All in evaluation mode, float32. Asserted for every case: the logits are far from the base's, no gradient is zero, every row alone gives what it gives
among padded rows, and saving and loading changes nothing.
"""
import json
import os
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # PEFT asks the hub about a base model's name
import peft
import torch
import torch.nn.functional as F
import transformers as hf
from safetensors.torch import load_file, save_file

from make_encoders import HERE, packed, padded

VIRTUAL = 3
PATTERNS = {  # the first pattern that matches a module decides
    "bert": dict(target_modules=["query", "key", "value", "intermediate.dense", "output.dense"],
                 rank_pattern={"layer.1.attention.self.query": 2, "intermediate.dense": 6, "attention.output.dense": 3, "output.dense": 5},
                 alpha_pattern={"value": 3, "layer.[02].output.dense": 12}),
    "gpt2": dict(target_modules=["c_attn", "c_proj", "c_fc"],
                 rank_pattern={"h.1.attn.c_attn": 2, "mlp.c_proj": 6, "attn.c_proj": 3}, alpha_pattern={"attn.c_proj": 3, "h.0.mlp.c_fc": 12}),
    "t5": dict(target_modules=["q", "k", "v", "o", "wi", "wo"],
               rank_pattern={"decoder.block.1.layer.1.EncDecAttention.k": 2, "SelfAttention.q": 3, "wi": 6, "o": 2},
               alpha_pattern={"o": 3, r"encoder.block.\d.layer.1.DenseReluDense.wo": 12}),
}
TASKS = {"bert": "SEQ_CLS", "gpt2": "CAUSAL_LM", "t5": "SEQ_2_SEQ_LM"}
QUERY_VALUE = {"bert": ["query", "value"], "gpt2": ["c_attn"], "t5": ["q", "v"]}
T5_PREFIX = ("only the decoder's self-attention has a prefix; PEFT lays two copies of the layers' keys and values end to end, gives four tensors to "
             "each layer and drops the last two: layer i has what is in the place of layer 2 * i modulo num_layers; num_layers and token_dim had to "
             "be told")
T5_PROMPT = "in front of the encoder's input are rows 0 .. num_virtual_tokens - 1; the second half is used by nothing and has no gradient"


def config_of(base, method):
    transposed = {"fan_in_fan_out": True} if base == "gpt2" else {}
    lora = dict(task_type=TASKS[base], r=4, lora_alpha=8, lora_dropout=0.0, **transposed)
    prompt = dict(task_type=TASKS[base], num_virtual_tokens=VIRTUAL)
    if method in ("lora", "rslora", "dora"):
        return peft.LoraConfig(target_modules=QUERY_VALUE[base], use_rslora=method == "rslora", use_dora=method == "dora", **lora)
    if method == "lora_all":
        return peft.LoraConfig(bias="none", **PATTERNS[base], **lora)
    if method == "ia3":
        return peft.IA3Config(task_type=TASKS[base], **transposed)
    if method == "ln_tuning":  # PEFT has no default for BERT
        return peft.LNTuningConfig(task_type=TASKS[base], target_modules=["LayerNorm"] if base == "bert" else None)
    if method == "prefix":
        return peft.PrefixTuningConfig(**prompt, **(dict(num_layers=3, token_dim=24) if base == "t5" else {}))
    if method == "prefix_projection":
        return peft.PrefixTuningConfig(prefix_projection=True, encoder_hidden_size=8, **prompt)
    return peft.PromptTuningConfig(**prompt)


METHODS = ("lora", "rslora", "lora_all", "dora", "ia3", "ln_tuning", "prefix", "prompt")
CASES = [(base, method) for base in TASKS for method in METHODS] + [("gpt2", "prefix_projection")]


def make_base(base):
    """The tiny model with its weights and, for BERT, the head of the goldens."""
    folder = os.path.join(HERE, base + "_tiny")
    config = hf.AutoConfig.from_pretrained(folder, **({"num_labels": 3} if base == "bert" else {}))
    kind = {"bert": hf.BertForSequenceClassification, "gpt2": hf.GPT2LMHeadModel, "t5": hf.T5ForConditionalGeneration}[base]
    weights, goldens = load_file(f"{folder}/model.safetensors"), load_file(f"{folder}/goldens.safetensors")
    if base == "bert":
        weights |= {name: goldens["classification." + name] for name in ("classifier.weight", "classifier.bias")}
    net = kind(config)
    known = dict(net.named_parameters())
    assert not set(known) - set(weights), set(known) - set(weights)
    net.load_state_dict({name: weights[name] for name in known}, strict=False)
    return net.eval(), goldens


class Rows:
    """The goldens' rows, each at most `limit` tokens long: what the model is called with, and how its logits are packed."""

    def __init__(self, base, goldens, config, limit):
        def split(name, offsets):
            ends = goldens[offsets].tolist()
            return [goldens[name][a:b] for a, b in zip(ends, ends[1:])]

        self.base, self.stored = base, {}
        rows = [(i[:limit], s[:limit]) for i, s in zip(split("ids", "offsets"), split("segments", "offsets"))]
        self.batch, segments = padded(rows, config)
        mask = self.batch["attention_mask"]
        self.stored["ids"], self.stored["segments"] = packed(self.batch["input_ids"], mask), packed(segments, mask)
        self.stored["positions"] = torch.cat([torch.arange(len(i)) for i, _ in rows])
        self.stored["offsets"] = torch.tensor([0] + [len(i) for i, _ in rows]).cumsum(0)
        if base == "bert":
            self.labels = self.stored["targets"] = goldens["classification.targets"]
        elif base == "gpt2":
            self.labels = self.batch["input_ids"].masked_fill(mask == 0, -100)
            self.following = torch.cat([self.labels[:, 1:], torch.full((len(rows), 1), -100)], 1)
            self.stored["targets"] = packed(self.following, mask)
        else:
            decoder = padded([(i, torch.zeros_like(i)) for i in split("decoder_ids", "decoder_offsets")], config)[0]
            self.batch |= {"decoder_input_ids": decoder["input_ids"], "decoder_attention_mask": decoder["attention_mask"]}
            self.stored |= {name: goldens[name] for name in ("decoder_ids", "decoder_offsets")} | {"targets": goldens["seq2seq_lm.targets"]}
            self.labels = torch.full_like(decoder["input_ids"], -100)
            self.labels[decoder["attention_mask"].bool()] = goldens["seq2seq_lm.targets"]

    def packed(self, logits):
        if self.base == "bert":
            return logits
        if self.base == "gpt2":
            return logits[:, -self.following.shape[1]:][self.following != -100]
        return packed(logits, self.batch["decoder_attention_mask"])

    def labelled(self):
        """Labels without a row's first token, which the base model never predicts but a virtual token in front of it would."""
        return torch.cat([torch.full_like(self.labels[:, :1], -100), self.labels[:, 1:]], 1) if self.base == "gpt2" else self.labels

    def alone(self, net):
        """Packed logits of every row in a batch of its own, without padding."""
        out, mask = [], self.batch["attention_mask"]
        for r in range(len(mask)):
            lengths = {name: (self.batch["decoder_attention_mask"] if "decoder" in name else mask)[r].sum() for name in self.batch}
            logits = net(**{name: x[r:r + 1, :lengths[name]] for name, x in self.batch.items()}).logits
            out.append(logits if self.base == "bert" else logits[0, -lengths["input_ids"]:-1] if self.base == "gpt2" else logits[0])
        return torch.cat(out)


def randomise(net, seed, size):
    """Delta tensors of a size that matters beside the weights; the classifier stays."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if not p.requires_grad or "modules_to_save" in name:
                continue
            noise = torch.randn(p.shape, generator=g)
            if "magnitude" in name:
                p.mul_(1 + 0.25 * noise)
            elif "ia3_l" in name or "ln_tuning" in name and name.endswith("weight"):
                p.copy_(1 + 0.25 * noise)
            else:
                p.copy_((0.8 if "embedding" in name else size) * noise)


def plain(name):
    return name.removeprefix("base_model.").removeprefix("model.")


def deltas(net):
    """Parameters by the names that they are saved under, and what is saved; prefix_projection trains tensors of which only the outcome is saved."""
    saved = {k: v for k, v in peft.get_peft_model_state_dict(net).items() if not k.startswith("base_model.model.") or "randlora_A" not in k and "randlora_B" not in k}  # saved again for every module
    named = {}
    for name, p in net.named_parameters():
        if p.requires_grad:
            same = [k for k, v in saved.items() if v.shape == p.shape and torch.equal(v, p)]
            assert len(same) == 1 or "prompt_encoder" in name, (name, same)
            named[plain(same[0]) if same else name.replace(".default", "")] = p
    return named, {plain(k): v for k, v in saved.items()}


def gradients(net, loss, named):
    net.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in named.items()}


def write_json(path, base, fields):
    fields = {k: sorted(v) if isinstance(v, list) else v for k, v in fields.items()} | {"base_model_name_or_path": base + "_tiny"}
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(fields, indent=2) + "\n")


def largest(a, b):
    return (a - b).abs().max().item()


def make(base, method, seed, config=None, size=0.2):
    config = config or config_of(base, method)
    net, goldens = make_base(base)
    limit = net.config.max_position_embeddings - VIRTUAL if config.is_prompt_learning and base != "t5" else None
    rows = Rows(base, goldens, net.config, limit)
    with torch.no_grad():
        before = rows.packed(net(**rows.batch).logits)
    kind = {"bert": "classification", "gpt2": "causal_lm", "t5": "seq2seq_lm"}[base]
    if limit is None:
        assert largest(before, goldens[kind + ".logits"]) < 1e-5

    net = peft.get_peft_model(net, config)
    randomise(net, seed, size)
    net.eval()
    named, saved = deltas(net)
    y = net(**rows.batch, labels=rows.labelled())
    logits = rows.packed(y.logits).detach()
    grads = gradients(net, y.loss, named)
    if base != "bert":
        targets = rows.stored["targets"]
        assert abs(F.cross_entropy(logits, targets[targets != -100]).item() - y.loss.item()) < 1e-5
    out = {f"value.{k}": v for k, v in {**saved, **named}.items()} | {f"grad.{k}": v for k, v in grads.items()}
    out |= rows.stored | {"logits": logits, "loss": y.loss.reshape(1)}
    note = ""
    if (base, method) == ("gpt2", "prompt"):
        loss = net(**rows.batch, labels=rows.labels).loss
        out |= {f"peft.grad.{k}": v for k, v in gradients(net, loss, named).items()} | {"peft.loss": loss.reshape(1)}
        note = "peft.loss also has the first token of every row, predicted by the last virtual token"
    if base == "t5" and method in ("prefix", "prompt"):
        note = T5_PREFIX if method == "prefix" else T5_PROMPT
    if (base, method) == ("t5", "prompt"):
        assert not grads["prompt_embeddings"][VIRTUAL:].any()
        grads["prompt_embeddings"] = grads["prompt_embeddings"][:VIRTUAL]
    smallest = min((g.norm(dim=-1) if "prompt" in k and g.dim() == 2 else g.norm()).min().item() for k, g in grads.items())
    assert smallest > 1e-5, smallest
    assert largest(logits, before) > 0.1
    with torch.no_grad():
        alone = largest(rows.alone(net), logits)
    assert alone < 1e-5, alone

    name = os.path.join(HERE, "deltas", f"{base}_{method}")
    with tempfile.TemporaryDirectory() as folder:
        net.save_pretrained(folder)
        with open(f"{folder}/adapter_config.json", encoding="utf-8") as f:
            fields = json.load(f)
        with torch.no_grad():
            again = peft.PeftModel.from_pretrained(make_base(base)[0], folder).eval()
            loaded = largest(rows.packed(again(**rows.batch).logits), logits)
    assert loaded < 1e-5, loaded
    write_json(name + ".json", base, fields)
    note = {"note": note} if note else {"format": "pt"}  # one entry: the order of two would differ from run to run
    save_file({k: v.detach().clone().contiguous() for k, v in out.items()}, name + ".safetensors", note)
    print(f"{base}_{method}: loss {y.loss.item():.3f}, logits moved by {largest(logits, before):.2f}, smallest norm of a gradient {smallest:.1e}, "
          f"row alone {alone:.0e}, loaded {loaded:.0e}")


def make_folder():
    """What a user has after training: three steps of AdamW."""
    torch.manual_seed(0)
    net, goldens = make_base("bert")
    rows = Rows("bert", goldens, net.config, None)
    config = peft.LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, lora_dropout=0.1, target_modules=["query", "value"],
                             modules_to_save=["classifier"])
    net = peft.get_peft_model(net, config).train()
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=0.02)
    for _ in range(3):
        net(**rows.batch, labels=rows.labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = os.path.join(HERE, "deltas", "peft_lora_bert")
    net.save_pretrained(folder)
    os.remove(f"{folder}/README.md")
    with torch.no_grad():
        logits = net.eval()(**rows.batch).logits
        again = peft.PeftModel.from_pretrained(make_base("bert")[0], folder).eval()
        assert largest(again(**rows.batch).logits, logits) < 1e-6 and largest(logits, goldens["classification.logits"]) > 0.1
    with open(f"{folder}/adapter_config.json", encoding="utf-8") as f:
        write_json(f"{folder}/adapter_config.json", "bert", json.load(f))
    save_file({"logits": logits}, f"{folder}/logits.safetensors")


if __name__ == "__main__":
    os.makedirs(os.path.join(HERE, "deltas"), exist_ok=True)
    for seed, (base, method) in enumerate(CASES):
        if not sys.argv[1:] or f"{base}_{method}" in sys.argv[1:]:
            make(base, method, seed + 1)
    if not sys.argv[1:] or "peft_lora_bert" in sys.argv[1:]:
        make_folder()
