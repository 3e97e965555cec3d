"""Reference values of LoRA-XS, which PEFT lacks, from PEFT's LoRA with the same products: lora_A = S V^T and lora_B = U R.

usage: make_lora_xs.py    writes deltas/<base>_lora_xs.* beside this script (needs bert_tiny/, gpt2_tiny/ and t5_tiny/ of the other scripts)

deltas/<base>_lora_xs.safetensors: as make_deltas.py writes them, but for value.<module>.lora_xs_R and grad.<module>.lora_xs_R, the gradient that
R has through lora_B. U, S and V are the r largest singular values of each weight [outputs, inputs] with their vectors, in float64; the largest
entry of every right singular vector is positive.
deltas/<base>_lora_xs.json: the options, under the names of PEFT's adapter_config.json.
"""
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import peft
import torch
from safetensors.torch import save_file

from make_deltas import HERE, TASKS, Rows, largest, make_base, plain, write_json
from make_more_deltas import MAPS

RANK, ALPHA, SIZE = 5, 8, 0.3


def principal_part(weight):
    u, s, vh = torch.linalg.svd(weight.double(), full_matrices=False)
    u, s, vh = u[:, :RANK], s[:RANK], vh[:RANK]
    assert (s[:-1] - s[1:]).min() > 1e-3  # the vectors are what they are on any machine
    sign = vh.gather(1, vh.abs().argmax(1, keepdim=True)).sign()
    return u * sign.T, s, vh * sign


def make(base, seed):
    net, goldens = make_base(base)
    rows = Rows(base, goldens, net.config, None)
    with torch.no_grad():
        before = rows.packed(net(**rows.batch).logits)
    config = peft.LoraConfig(task_type=TASKS[base], r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=MAPS[base], fan_in_fan_out=base == "gpt2")
    net = peft.get_peft_model(net, config).eval()
    g = torch.Generator().manual_seed(seed)
    layers, out = {}, {}
    for name, module in net.named_modules():
        if not isinstance(module, peft.tuners.lora.LoraLayer):
            continue
        weight = module.base_layer.weight.detach()
        u, s, vh = principal_part(weight.T if base == "gpt2" else weight)
        r = (SIZE * torch.randn(RANK, RANK, generator=g, dtype=torch.float64)).float()
        with torch.no_grad():
            module.lora_A["default"].weight.copy_(s[:, None] * vh)
            module.lora_B["default"].weight.copy_(u @ r.double())
        layers[plain(name) + ".lora_xs_R"] = (module, u)
        out[f"value.{plain(name)}.lora_xs_R"] = r
    y = net(**rows.batch, labels=rows.labelled())
    y.loss.backward()
    for name, (module, u) in layers.items():
        out[f"grad.{name}"] = (u.T @ module.lora_B["default"].weight.grad.double()).float()
        assert out[f"grad.{name}"].norm() > 1e-5, name
    logits = rows.packed(y.logits).detach()
    assert largest(logits, before) > 0.1
    out |= rows.stored | {"logits": logits, "loss": y.loss.detach().reshape(1)}
    path = os.path.join(HERE, "deltas", f"{base}_lora_xs")
    save_file({k: v.contiguous() for k, v in out.items()}, path + ".safetensors")
    write_json(path + ".json", base, {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "target_modules": sorted(MAPS[base])})
    print(base, len(layers), "layers, logits moved by", largest(logits, before))


if __name__ == "__main__":
    for seed, base in enumerate(TASKS):
        make(base, seed + 301)
