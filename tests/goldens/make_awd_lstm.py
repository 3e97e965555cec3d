"""Reference values of AWD-LSTM models from torch.nn.LSTM in float64, for awd_lstm_test.cpp.

usage: make_awd_lstm.py        writes awd_lstm_tiny/ (tied) and awd_lstm_untied_tiny/ beside this script

Each has config.json, model.safetensors (float32) and goldens.safetensors. Without dropout, rows of two blocks: every row is run by itself,
the second block from the state that the first left, detached. Cases: `even` (rows of one length) and `uneven`. Of each block its ids,
offsets, targets and logits; of the second the mean loss over its targets, every gradient, the hidden states and the state behind it.
"""
import json
import os

import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
VOCABULARY, EMBEDDING, HIDDEN, LAYERS = 40, 12, 20, 3
ROWS = {"even": ([5, 5, 5], [4, 4, 4]), "uneven": ([3, 7, 1, 5], [6, 2, 4, 1])}


def new_model(tied):
    words = torch.nn.Embedding(VOCABULARY, EMBEDDING)
    widths = [EMBEDDING] + [HIDDEN] * (LAYERS - 1) + [EMBEDDING if tied else HIDDEN]
    layers = [torch.nn.LSTM(widths[i], widths[i + 1], batch_first=True) for i in range(LAYERS)]
    scores = torch.nn.Linear(widths[-1], VOCABULARY)
    for module in [words, *layers, scores]:
        for p in module.parameters():
            p.data = torch.randn_like(p).mul(0.4).double()
    if tied:
        scores.weight = words.weight
    return words, layers, scores


def parameters_of(model, tied):
    words, layers, scores = model
    named = {"encoder.weight": words.weight}
    for i, layer in enumerate(layers):
        named.update({f"rnns.{i}.{name}": p for name, p in layer.named_parameters()})
    if not tied:
        named["lm_head.weight"] = scores.weight
    named["lm_head.bias"] = scores.bias
    return named


def run(model, ids, states):
    """Logits, hidden states and new states of one row."""
    words, layers, scores = model
    x = words(ids).unsqueeze(0)
    hidden, after = [x[0]], []
    for layer, state in zip(layers, states):
        x, state = layer(x, state)
        hidden.append(x[0])
        after.append(tuple(s.detach() for s in state))
    return scores(x[0]), hidden, after


def block(model, out, name, lengths, states):
    """Runs one block of every row; returns the states behind it and the mean loss."""
    ids = [torch.randint(0, VOCABULARY, (n,)) for n in lengths]
    targets = [torch.randint(0, VOCABULARY, (n,)) for n in lengths]
    targets[0][-1] = -100
    results = [run(model, i, s) for i, s in zip(ids, states)]
    logits, flat = torch.cat([r[0] for r in results]), torch.cat(targets)
    out[f"{name}.ids"], out[f"{name}.targets"] = torch.cat(ids), flat
    out[f"{name}.offsets"] = torch.tensor([0] + lengths).cumsum(0)
    out[f"{name}.logits"] = logits[flat != -100].detach()
    for i in range(LAYERS + 1):
        out[f"{name}.hidden.{i}"] = torch.cat([r[1][i] for r in results]).detach()
    return [r[2] for r in results], torch.nn.functional.cross_entropy(logits, flat)


def make(tied):
    torch.manual_seed(3 if tied else 4)
    model, out = new_model(tied), {}
    named = parameters_of(model, tied)
    for p in named.values():
        p.data = p.data.float().double()  # what model.safetensors can hold
    for case, (first, second) in ROWS.items():
        states, _ = block(model, out, f"{case}.1", first, [[None] * LAYERS] * len(first))
        states, loss = block(model, out, f"{case}.2", second, states)
        for p in named.values():
            p.grad = None
        loss.backward()
        out[f"{case}.loss"] = loss.detach()
        for name, p in named.items():
            out[f"{case}.grad.{name}"] = p.grad.clone()
        for i in range(2 * LAYERS):
            out[f"{case}.state.{i}"] = torch.cat([row[i // 2][i % 2].reshape(1, -1) for row in states])
    folder = os.path.join(HERE, "awd_lstm_tiny" if tied else "awd_lstm_untied_tiny")
    os.makedirs(folder, exist_ok=True)
    config = {"model_type": "awd_lstm", "vocab_size": VOCABULARY, "embedding_size": EMBEDDING, "hidden_size": HIDDEN,
              "num_hidden_layers": LAYERS, "tie_word_embeddings": tied}
    with open(f"{folder}/config.json", "w") as file:
        file.write(json.dumps(config, indent=2) + "\n")
    save_file({k: p.data.float().contiguous() for k, p in named.items()}, f"{folder}/model.safetensors", {"format": "pt"})
    save_file({k: v.contiguous() for k, v in out.items()}, f"{folder}/goldens.safetensors")


if __name__ == "__main__":
    for is_tied in (True, False):
        make(is_tied)
