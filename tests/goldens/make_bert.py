"""Reference values of BERT from transformers, for the parity tests.

usage: make_bert.py                          writes bert_tiny/ beside this script: a tiny random BERT and its values
       make_bert.py --model DIR --tasks DIR    writes minilm.safetensors beside this script: a sketch of the values of all-MiniLM-L6-v2 on 64
                                               real sentences and pairs (the first rows of CoLA, TREC and RTE)

Rows are computed one batch padded to the longest and stored packed, end to end. Per head (classification, regression, masked_lm):
logits, loss, every gradient; and every hidden state of the encoder, all in evaluation mode (no dropout), float32.
"""
import argparse
import csv
import os

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel

HERE = os.path.dirname(os.path.abspath(__file__))


def tiny_config():
    return BertConfig(vocab_size=64, hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=40,
                      max_position_embeddings=24, type_vocab_size=2, num_labels=3, pad_token_id=0)


def randomise(net, seed):
    """Spread-out values, gains and biases included, so that no term of the arithmetic is close to nothing."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            shift = 1.0 if "LayerNorm.weight" in name else 0.0
            p.copy_(shift + 0.25 * torch.randn(p.shape, generator=g))


def tiny_rows(vocabulary):
    g = torch.Generator().manual_seed(3)
    rows = []
    for first, second in [(5, 0), (11, 7), (3, 0), (9, 12), (24, 0), (2, 2)]:
        ids = torch.randint(1, vocabulary, (first + second,), generator=g)
        rows.append((ids, torch.tensor([0] * first + [1] * second)))
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


def padded(rows):
    length = max(len(i) for i, _ in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    segments, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for r, (i, s) in enumerate(rows):
        ids[r, :len(i)], segments[r, :len(i)], mask[r, :len(i)] = i, s, 1
    return {"input_ids": ids, "token_type_ids": segments, "attention_mask": mask}


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


def goldens(base, mlm, config, rows):
    """base: makes a BertForSequenceClassification of n outputs; mlm: a BertForMaskedLM with the same encoder."""
    batch, out = padded(rows), {}
    mask = batch["attention_mask"]
    out["ids"], out["segments"] = packed(batch["input_ids"], mask), packed(batch["token_type_ids"], mask)
    out["positions"] = torch.cat([torch.arange(len(i)) for i, _ in rows])
    out["offsets"] = torch.tensor([0] + [len(i) for i, _ in rows]).cumsum(0)
    classes = torch.arange(len(rows)) % 3
    values = torch.linspace(-1, 2, len(rows))
    words = torch.full_like(batch["input_ids"], -100)
    g = torch.Generator().manual_seed(5)
    chosen = (torch.rand(words.shape, generator=g) < 0.3) & mask.bool()
    words[chosen] = torch.randint(1, config.vocab_size, (int(chosen.sum()),), generator=g)
    out["classification.targets"], out["regression.targets"], out["masked_lm.targets"] = classes, values, packed(words, mask)

    net = base(3)
    net.eval()
    states = net.bert(**batch, output_hidden_states=True).hidden_states
    for i, s in enumerate(states):
        out[f"hidden.{i}"] = packed(s, mask)
    collect(out, "classification", net, batch, classes, lambda x: x)
    one = base(1)
    out["regression.classifier.weight"], out["regression.classifier.bias"] = one.classifier.weight.data.clone(), one.classifier.bias.data.clone()
    out["classification.classifier.weight"], out["classification.classifier.bias"] = net.classifier.weight.data.clone(), net.classifier.bias.data.clone()
    collect(out, "regression", one, batch, values, lambda x: x)
    if mlm is not None:
        collect(out, "masked_lm", mlm, batch, words, lambda x: x[chosen])
    return out


def make_tiny():
    config = tiny_config()
    mlm = BertForMaskedLM(config)
    randomise(mlm, 1)

    def base(outputs):
        c = tiny_config()
        c.num_labels = outputs
        net = BertForSequenceClassification(c)
        randomise(net, 2)
        net.bert.load_state_dict(mlm.bert.state_dict(), strict=False)
        return net

    folder = os.path.join(HERE, "bert_tiny")
    os.makedirs(folder, exist_ok=True)
    weights = {k: v for k, v in base(3).state_dict().items() if not k.startswith("classifier.")}
    weights.update({k: v for k, v in mlm.state_dict().items() if k.startswith("cls.") and "decoder" not in k})
    save_file({k: v.clone().contiguous() for k, v in weights.items()}, f"{folder}/model.safetensors", {"format": "pt"})
    config.save_pretrained(folder)
    out = goldens(base, mlm, config, tiny_rows(config.vocab_size))
    for name in [n for n in out if ".grad." in n and n.startswith("regression.grad.bert.")]:
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
    config = BertConfig.from_pretrained(model)

    def base(outputs):
        torch.manual_seed(0)
        return BertForSequenceClassification.from_pretrained(model, num_labels=outputs, attn_implementation="eager")

    rows = real_rows(tasks, AutoTokenizer.from_pretrained(model))
    save_file(sketched(goldens(base, None, config, rows)), os.path.join(HERE, "minilm.safetensors"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--tasks")
    a = parser.parse_args()
    torch.manual_seed(0)
    if a.model:
        make_real(a.model, a.tasks)
    else:
        make_tiny()
