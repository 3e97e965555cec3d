"""Reference values of encoders from transformers, for the parity tests.

usage: make_encoders.py                        writes <family>_tiny/ beside this script: a tiny random model of each family and its values
       make_encoders.py --model DIR --tasks DIR    writes minilm.safetensors beside this script: a sketch of the values of all-MiniLM-L6-v2 on
                                                   64 real sentences and pairs (the first rows of CoLA, TREC and RTE)

Rows are computed one batch padded to the longest and stored packed, end to end. Per head (classification, regression, masked_lm,
replaced_token): logits, loss, every gradient; and every hidden state of the encoder, all in evaluation mode (no dropout), float32.
"""
import argparse
import csv
import os

import torch
import transformers as hf
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = dict(vocab_size=64, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, max_position_embeddings=24)
# family: configuration, class of each head, module of the encoder, what the masked-LM head's names start with
FAMILIES = {
    "bert": (hf.BertConfig(**SIZES | dict(num_hidden_layers=3), type_vocab_size=2, pad_token_id=0),
             {"classification": hf.BertForSequenceClassification, "masked_lm": hf.BertForMaskedLM}, "bert", "cls."),
    "roberta": (hf.RobertaConfig(**SIZES | dict(max_position_embeddings=26), type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5),
                {"classification": hf.RobertaForSequenceClassification, "masked_lm": hf.RobertaForMaskedLM}, "roberta", "lm_head."),
    "electra": (hf.ElectraConfig(**SIZES, embedding_size=16, type_vocab_size=2, pad_token_id=0),
                {"classification": hf.ElectraForSequenceClassification, "masked_lm": hf.ElectraForMaskedLM,
                 "replaced_token": hf.ElectraForPreTraining}, "electra", "generator_"),
    "distilbert": (hf.DistilBertConfig(vocab_size=64, dim=24, n_layers=2, n_heads=3, hidden_dim=40, max_position_embeddings=24, pad_token_id=0),
                   {"classification": hf.DistilBertForSequenceClassification, "masked_lm": hf.DistilBertForMaskedLM}, "distilbert", "vocab_"),
}


def randomise(net, seed):
    """Spread-out values, gains and biases included, so that no term of the arithmetic is close to nothing."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            shift = 1.0 if "LayerNorm.weight" in name else 0.0
            p.copy_(shift + 0.25 * torch.randn(p.shape, generator=g))


def tiny_rows(config):
    g = torch.Generator().manual_seed(3)
    rows, types = [], getattr(config, "type_vocab_size", 1)
    for first, second in [(5, 0), (11, 7), (3, 0), (9, 12), (24, 0), (2, 2)]:
        ids = torch.randint(1 + config.pad_token_id, config.vocab_size, (first + second,), generator=g)
        rows.append((ids, torch.tensor([0] * first + [types - 1] * second)))
    return rows


def real_rows(folder, tokenizer):
    def column_rows(task, columns, count):
        with open(f"{folder}/{task}/train.tsv", encoding="utf-8") as f:
            rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))[:count]
        return [tuple(r[c] for c in columns) for r in rows]

    texts = column_rows("cola", ["text_a"], 16) + column_rows("trec", ["text_a"], 16) + column_rows("rte", ["text_a", "text_b"], 32)
    rows = []
    for text in texts:
        e = tokenizer(*text, truncation=True, max_length=128)
        rows.append((torch.tensor(e["input_ids"]), torch.tensor(e["token_type_ids"])))
    return rows


def padded(rows, config):
    length = max(len(i) for i, _ in rows)
    ids = torch.full((len(rows), length), config.pad_token_id, dtype=torch.long)
    segments, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for r, (i, s) in enumerate(rows):
        ids[r, :len(i)], segments[r, :len(i)], mask[r, :len(i)] = i, s, 1
    batch = {"input_ids": ids, "attention_mask": mask}
    return batch | ({"token_type_ids": segments} if hasattr(config, "type_vocab_size") else {}), segments


def packed(x, mask):
    return x[mask.bool()].detach().contiguous()


def collect(out, head, net, batch, labels, select):
    net.eval()
    net.zero_grad()
    y = net(**batch, labels=labels)
    y.loss.backward()
    out[f"{head}.logits"] = select(y.logits).detach().contiguous()
    out[f"{head}.loss"] = y.loss.detach().reshape(1)
    for name, p in net.named_parameters():
        out[f"{head}.grad.{name}"] = p.grad.clone() if p.grad is not None else torch.zeros_like(p)


def goldens(make, heads, encoder, config, rows):
    """make(head, outputs): a model with that head; all of them have the same encoder, the module `encoder`."""
    (batch, segments), out = padded(rows, config), {}
    mask = batch["attention_mask"]
    out["ids"], out["segments"] = packed(batch["input_ids"], mask), packed(segments, mask)
    out["positions"] = torch.cat([torch.arange(len(i)) for i, _ in rows])
    out["offsets"] = torch.tensor([0] + [len(i) for i, _ in rows]).cumsum(0)
    classes = torch.arange(len(rows)) % 3
    values = torch.linspace(-1, 2, len(rows))
    words = torch.full_like(batch["input_ids"], -100)
    g = torch.Generator().manual_seed(5)
    chosen = (torch.rand(words.shape, generator=g) < 0.3) & mask.bool()
    words[chosen] = torch.randint(1, config.vocab_size, (int(chosen.sum()),), generator=g)
    replaced = torch.randint(0, 2, words.shape, generator=g)
    out["classification.targets"], out["regression.targets"], out["masked_lm.targets"] = classes, values, packed(words, mask)
    if "replaced_token" in heads:
        out["replaced_token.targets"] = packed(replaced, mask)

    net = make("classification", 3)
    net.eval()
    states = getattr(net, encoder)(**batch, output_hidden_states=True).hidden_states
    for i, s in enumerate(states):
        out[f"hidden.{i}"] = packed(s, mask)
    for head, outputs, labels in (("classification", 3, classes), ("regression", 1, values)):
        net = make("classification", outputs)
        for name, p in net.named_parameters():
            if not name.startswith(encoder + "."):
                out[f"{head}.{name}"] = p.data.clone()
        collect(out, head, net, batch, labels, lambda x: x)
    if "masked_lm" in heads:
        collect(out, "masked_lm", make("masked_lm", 0), batch, words, lambda x: x[chosen])
    if "replaced_token" in heads:
        net = make("replaced_token", 0)
        for name, p in net.named_parameters():
            if not name.startswith(encoder + "."):
                out[f"replaced_token.{name}"] = p.data.clone()
        collect(out, "replaced_token", net, batch, replaced.float(), lambda x: packed(x, mask).unsqueeze(1))
    return out


def make_tiny(family):
    config, heads, encoder, words = FAMILIES[family]
    mlm = heads["masked_lm"](config)
    randomise(mlm, 1)

    def make(head, outputs):
        if head == "masked_lm":
            return mlm
        c = type(config)(**config.to_dict())
        c.num_labels = outputs
        net = heads[head](c)
        randomise(net, 2)
        getattr(net, encoder).load_state_dict(getattr(mlm, encoder).state_dict(), strict=False)
        return net

    folder = os.path.join(HERE, family + "_tiny")
    os.makedirs(folder, exist_ok=True)
    weights = {k: v for k, v in make("classification", 3).state_dict().items() if k.startswith(encoder + ".")}
    weights.update({k: v for k, v in mlm.state_dict().items() if k.startswith(words) and "decoder" not in k and k != "vocab_projector.weight" and
                    k != "generator_lm_head.weight"})
    save_file({k: v.clone().contiguous() for k, v in weights.items()}, f"{folder}/model.safetensors", {"format": "pt"})
    config.save_pretrained(folder)
    out = goldens(make, heads, encoder, config, tiny_rows(config))
    for name in [n for n in out if n.startswith(f"regression.grad.{encoder}.")]:
        del out[name]  # the encoder's backward pass is the same for both pooled heads
    save_file(out, f"{folder}/goldens.safetensors")


def sketched(out):
    """Values too many to store, each as four sums with signs of their own: a difference of the values shows in them at its own size.

    A hidden state [tokens, n] becomes its products with four vectors of signs; a gradient [m, n] four numbers, and its norm.
    """
    g, signs, small = torch.Generator().manual_seed(9), {}, {}

    def sign(n):
        if n not in signs:
            signs[n] = torch.randint(0, 2, (4, n), generator=g, dtype=torch.int8) * 2 - 1
        return signs[n].double()

    for name, value in out.items():
        if ".grad." in name:
            x = value.double()
            small[name] = torch.einsum("km,mn,kn->k", sign(x.shape[0]), x, sign(x.shape[1])) if x.dim() == 2 else sign(len(x)) @ x
            small[name + ".norm"] = x.norm().reshape(1)
        elif name.startswith("hidden."):
            small[name] = (value.double() @ sign(value.shape[1]).T).float()
        elif name not in ("ids", "segments", "positions", "masked_lm.targets"):  # the sentences themselves are not stored
            small[name] = value
    return small | {f"signs.{n}": s for n, s in signs.items()}


def make_real(model, tasks):
    config = hf.BertConfig.from_pretrained(model)

    def make(_, outputs):
        torch.manual_seed(0)
        return hf.BertForSequenceClassification.from_pretrained(model, num_labels=outputs, attn_implementation="eager")

    rows = real_rows(tasks, hf.AutoTokenizer.from_pretrained(model))
    save_file(sketched(goldens(make, {"classification": None}, "bert", config, rows)), os.path.join(HERE, "minilm.safetensors"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--tasks")
    a = parser.parse_args()
    torch.manual_seed(0)
    if a.model:
        make_real(a.model, a.tasks)
    else:
        for family in FAMILIES:
            make_tiny(family)
