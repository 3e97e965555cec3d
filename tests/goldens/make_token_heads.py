"""Reference values of token classification from transformers, for the parity tests.

usage: make_token_heads.py        writes token_classification.safetensors into the folders <family>_tiny/ beside this script, which make_encoders.py
                                  and make_decoders.py made: same base weights (model.safetensors), same rows (goldens.safetensors)

token_classification.targets ([tokens], -100 where a token counts for nothing), .logits ([tokens, 5], of all tokens), .loss (the mean over the
tokens that count), .grad.<name>, and the head's own weights under token_classification.<name>: classifier.* but in llama, which calls it score.*.
"""
import os

import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from make_encoders import HERE, collect, packed, padded, randomise

LABELS = 5
# family: class, module of the base
FAMILIES = {
    "bert": (hf.BertForTokenClassification, "bert"),
    "roberta": (hf.RobertaForTokenClassification, "roberta"),
    "electra": (hf.ElectraForTokenClassification, "electra"),
    "distilbert": (hf.DistilBertForTokenClassification, "distilbert"),
    "gpt2": (hf.GPT2ForTokenClassification, "transformer"),
    "llama": (hf.LlamaForTokenClassification, "model"),
}


def make(family):
    kind, base = FAMILIES[family]
    folder = os.path.join(HERE, family + "_tiny")
    rows, weights = load_file(f"{folder}/goldens.safetensors"), load_file(f"{folder}/model.safetensors")
    net = kind(hf.AutoConfig.from_pretrained(folder, num_labels=LABELS))
    randomise(net, 4)
    missing = net.load_state_dict({k: v for k, v in weights.items() if k.startswith(base + ".") and ".pooler." not in k}, strict=False)
    assert not missing.unexpected_keys and not any(k.startswith(base + ".") for k in missing.missing_keys), missing

    lengths = rows["offsets"].diff().tolist()
    batch, _ = padded(list(zip(rows["ids"].split(lengths), rows["segments"].split(lengths))), net.config)
    mask = batch["attention_mask"]
    g, targets = torch.Generator().manual_seed(6), torch.full_like(mask, -100)
    counted = (torch.rand(mask.shape, generator=g) < 0.7) & mask.bool()
    targets[counted] = torch.randint(0, LABELS, (int(counted.sum()),), generator=g)

    out = {"token_classification.targets": packed(targets, mask)}
    for name, p in net.named_parameters():
        if not name.startswith(base + "."):
            out[f"token_classification.{name}"] = p.data.clone()
    collect(out, "token_classification", net, batch, targets, lambda x: packed(x, mask))
    save_file({k: v.contiguous() for k, v in out.items()}, f"{folder}/token_classification.safetensors")


if __name__ == "__main__":
    torch.manual_seed(0)
    for name in FAMILIES:
        make(name)
