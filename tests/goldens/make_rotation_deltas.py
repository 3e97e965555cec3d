"""Reference values from PEFT of the deltas that rotate a layer (OFT, BOFT, HRA), share shards (MiSS) or drop singular values (AdaLoRA).

usage: make_rotation_deltas.py [<base>_<method> | peft_<method>_<base> | adalora_schedule ...]
       writes into deltas/ beside this script, in the forms of make_deltas.py and make_peft_folders.py (whose trees it needs)

deltas/adalora_schedule.safetensors: AdaLoRA's masks over a made-up sequence of gradients, as PEFT's RankAllocator chooses them.
  <step>.value.<name>, <step>.grad.<name>   a tensor before step <step> (from 1) and its gradient
  <step>.kept.<name>                        what the mask leaves of lora_E's values there (0 or 1); absent: no mask is applied in this step
  first.<name>                              first values
  penalty                                   the mean distance of all P and Q from orthogonal ones, at the first values

BOFT's butterflies need a kernel that PEFT compiles for a GPU; without it PEFT takes one factor, whatever is asked for. A stand-in of a few lines, in its
place, makes the same block-diagonal matrices.
"""
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import peft
import torch
from peft.tuners.adalora.layer import RankAllocator
from peft.tuners.boft import layer as boft_layer
from safetensors.torch import save_file

import make_deltas
import make_peft_folders
from make_deltas import HERE, QUERY_VALUE, TASKS, Rows, largest, make_base

SCHEDULE = dict(init_r=4, target_r=2, tinit=2, tfinal=3, deltaT=2, beta1=0.85, beta2=0.7, total_step=12)


class BlockDiagonal:
    """[N, D, H, H] to [N, D H, D H], and back."""

    @staticmethod
    def forward(x):
        return [torch.stack([torch.block_diag(*blocks) for blocks in x])]

    @staticmethod
    def backward(gradient, x):
        n, d, h, _ = x.shape
        return [gradient.view(n, d, h, d, h).diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2).contiguous()]


boft_layer.get_fbd_cuda = lambda: BlockDiagonal


def targets(base):
    """GPT-2's other maps are of a kind that PEFT does not rotate."""
    return {"bert": ["query", "value", "intermediate.dense"], "gpt2": ["lm_head"], "t5": ["q", "v", "wo"]}[base]


def oft(base, **more):
    return peft.OFTConfig(task_type=TASKS[base], **{"target_modules": targets(base), "oft_block_size": 8} | more)


def boft(base, **more):
    return peft.BOFTConfig(task_type=TASKS[base], **{"target_modules": targets(base)} | more)


def hra(base, **more):
    return peft.HRAConfig(task_type=TASKS[base], **{"target_modules": targets(base), "r": 4} | more)


def miss(base, **more):
    return peft.MissConfig(task_type=TASKS[base], **{"target_modules": targets(base), "r": 4} | more)


def adalora(base, **more):
    return peft.AdaLoraConfig(task_type=TASKS[base], fan_in_fan_out=base == "gpt2",
                              **{"target_modules": QUERY_VALUE[base], "init_r": 5, "lora_alpha": 12, "total_step": 10, "orth_reg_weight": 0.0} | more)


CASES = {
    ("bert", "oft"): lambda: oft("bert"),
    ("gpt2", "oft"): lambda: oft("gpt2", num_cayley_neumann_terms=7),
    ("t5", "oft"): lambda: oft("t5", num_cayley_neumann_terms=3),
    ("bert", "oft_cayley"): lambda: oft("bert", oft_block_size=0, r=3, use_cayley_neumann=False),
    ("bert", "oft_shared"): lambda: oft("bert", block_share=True, oft_block_size=5),
    ("t5", "oft_coft"): lambda: oft("t5", coft=True, eps=1.5, use_cayley_neumann=False),
    ("bert", "hra"): lambda: hra("bert"),
    ("bert", "hra_orthogonal"): lambda: hra("bert", apply_GS=True, r=3),
    ("gpt2", "hra"): lambda: hra("gpt2"),
    ("t5", "hra"): lambda: hra("t5"),
    ("bert", "miss"): lambda: miss("bert", r=7),
    ("bert", "miss_bat"): lambda: miss("bert", init_weights="bat"),
    ("bert", "miss_mini"): lambda: miss("bert", init_weights="mini", mini_r=4),
    ("gpt2", "miss"): lambda: miss("gpt2"),
    ("t5", "miss"): lambda: miss("t5"),
    ("bert", "boft"): lambda: boft("bert"),
    ("bert", "boft_butterfly"): lambda: boft("bert", boft_n_butterfly_factor=2),
    ("gpt2", "boft"): lambda: boft("gpt2", boft_block_size=2, boft_n_butterfly_factor=3),
    ("t5", "boft"): lambda: boft("t5", boft_block_size=0, boft_block_num=2, boft_n_butterfly_factor=2, target_modules=["q", "o"]),
    ("bert", "adalora"): lambda: adalora("bert"),
    ("gpt2", "adalora"): lambda: adalora("gpt2"),
    ("t5", "adalora"): lambda: adalora("t5"),
}
FOLDERS = {
    ("bert", "oft"): lambda: oft("bert", bias="oft_only"),
    ("bert", "boft"): lambda: boft("bert", boft_n_butterfly_factor=2, bias="all"),
    ("t5", "boft"): lambda: boft("t5", boft_block_size=0, boft_block_num=4),
    ("bert", "hra"): lambda: hra("bert", bias="hra_only"),
    ("bert", "miss"): lambda: miss("bert", init_weights="bat"),
    ("t5", "miss"): lambda: miss("t5"),
    ("gpt2", "adalora"): lambda: adalora("gpt2"),
}


def randomise(net, seed):
    """Rotations that are far from none, scales around 1."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.requires_grad and "modules_to_save" not in name:
                noise = torch.randn(p.shape, generator=g)
                p.copy_(1 + 0.25 * noise if "boft_s" in name else noise if "hra_u" in name else (0.1 if "oft_R" in name or "miss" in name else 0.3) * noise)


def make_ranks():
    """What a user has after AdaLoRA has dropped singular values: a folder with tensors of several ranks."""
    torch.manual_seed(3)
    net, goldens = make_base("bert")
    rows = Rows("bert", goldens, net.config, None)
    with torch.no_grad():
        before = rows.packed(net(**rows.batch).logits)
    net = peft.get_peft_model(net, adalora("bert", init_r=4, target_r=2, tinit=1, tfinal=2, total_step=6, orth_reg_weight=0.1)).train()
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=0.1)
    for step in range(1, 7):
        net(**rows.batch, labels=rows.labelled()).loss.backward()
        optimizer.step()
        net.base_model.update_and_allocate(step)
        optimizer.zero_grad()
    folder = os.path.join(HERE, "deltas", "peft_adalora_bert")
    net.save_pretrained(folder)
    os.remove(f"{folder}/README.md")
    with torch.no_grad():
        logits = rows.packed(net.eval()(**rows.batch).logits)
        again = peft.PeftModel.from_pretrained(make_base("bert")[0], folder).eval()
        loaded = largest(rows.packed(again(**rows.batch).logits), logits)
    assert loaded < 1e-5 and largest(logits, before) > 0.1, (loaded, largest(logits, before))
    make_peft_folders.tidy(folder, "bert")
    save_file({"logits": logits.contiguous()}, f"{folder}/logits.safetensors")


def make_schedule():
    net = peft.get_peft_model(make_base("bert")[0], adalora("bert", **SCHEDULE))
    model, config = net.base_model.model, net.peft_config["default"]
    allocator, g, out = RankAllocator(model, config, "default"), torch.Generator().manual_seed(5), {}
    randomise(net, 4)
    named = {n.replace(".default", ""): p for n, p in model.named_parameters() if "lora_" in n}
    covariances = [p @ p.T if "lora_A" in n else p.T @ p for n, p in named.items() if "lora_A" in n or "lora_B" in n]
    out["penalty"] = torch.stack([torch.norm(c - torch.eye(len(c)), p="fro") for c in covariances]).mean().detach().reshape(1)
    out |= {f"first.{n}": p.detach().clone() for n, p in named.items()}
    net.base_model.rankallocator = allocator
    for step in range(1, SCHEDULE["total_step"] + 1):
        for n, p in named.items():
            p.data = torch.randn(p.shape, generator=g) * 0.3 + 0.5
            p.grad = torch.randn(p.shape, generator=g)
            out |= {f"{step}.value.{n}": p.data.clone(), f"{step}.grad.{n}": p.grad.clone()}
        net.base_model.update_and_allocate(step)
        values = {n: p for n, p in named.items() if "lora_E" in n}
        if any((p == 0).any() for p in values.values()):
            out |= {f"{step}.kept.{n}": (p != 0).to(torch.float32) for n, p in values.items()}
    save_file({k: v.contiguous() for k, v in out.items()}, os.path.join(HERE, "deltas", "adalora_schedule.safetensors"), {"format": "pt"})


def wanted(name):
    return not sys.argv[1:] or name in sys.argv[1:]


if __name__ == "__main__":
    make_deltas.randomise = randomise
    make_deltas.config_of = lambda base, method: CASES[base, method]()
    for seed, (base, method) in enumerate(CASES):
        if wanted(f"{base}_{method}"):
            make_deltas.make(base, method, 100 + seed)
    make_peft_folders.CONFIGS = FOLDERS
    for base, method in FOLDERS:
        if wanted(f"peft_{method}_{base}"):
            make_peft_folders.make(base, method)
    if wanted("peft_adalora_bert"):
        make_ranks()
    if wanted("adalora_schedule"):
        make_schedule()
