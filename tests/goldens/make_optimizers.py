#!/usr/bin/env python3
"""Prints the golden numbers of tests/unit/train/optimizer_test.cpp and adafactor_test.cpp: torch.optim and transformers' Adafactor on a
small problem with known gradients.

The gradient of element i at step t is sin(i + 1) * cos(0.7 t) + 0.1 * value, computed in float32.
"""
import torch
from transformers.optimization import Adafactor

SIZE, STEPS = 5, 4


def run(name, make):
    plain = torch.nn.Parameter(torch.linspace(-1, 1, SIZE)[:2].clone())
    decayed = torch.nn.Parameter(torch.linspace(-1, 1, SIZE)[2:].clone())
    optimizer = make([{"params": [plain], "weight_decay": 0.0}, {"params": [decayed], "weight_decay": 0.1}])
    for t in range(STEPS):
        for parameter, first in ((plain, 0), (decayed, 2)):
            index = torch.arange(first + 1, first + 1 + parameter.numel(), dtype=torch.float32)
            parameter.grad = (torch.sin(index) * torch.cos(torch.tensor(0.7 * t)) + 0.1 * parameter.detach()).float()
        optimizer.step()
    values = torch.cat([plain.detach(), decayed.detach()])
    print(name, "{" + ", ".join(f"{v:.9g}f" for v in values.tolist()) + "}")


run("adamw", lambda groups: torch.optim.AdamW(groups, lr=0.05, betas=(0.9, 0.999), eps=1e-8))
run("sgd", lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.0))
run("momentum", lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9))

SHAPES, ADAFACTOR_STEPS = ((4,), (3, 2), (2, 3, 2)), 5


def run_adafactor(name, weight_decay, **options):
    """A vector, a matrix and a stack of matrices, end to end; the vector is not decayed."""
    flat, begin, groups = torch.linspace(-1, 1, sum(torch.Size(shape).numel() for shape in SHAPES)), 0, []
    for shape in SHAPES:
        size = torch.Size(shape).numel()
        tensor = torch.nn.Parameter(flat[begin:begin + size].view(shape).clone())
        groups.append({"params": [tensor], "weight_decay": weight_decay if len(shape) > 1 else 0.0, "begin": begin})
        begin += size
    optimizer = Adafactor(groups, lr=0.05, scale_parameter=False, relative_step=False, warmup_init=False, **options)
    for t in range(ADAFACTOR_STEPS):
        for group in groups:
            tensor = group["params"][0]
            index = torch.arange(group["begin"] + 1, group["begin"] + 1 + tensor.numel(), dtype=torch.float32).view(tensor.shape)
            tensor.grad = (torch.sin(index) * torch.cos(torch.tensor(0.7 * t)) + 0.1 * tensor.detach()).float()
        optimizer.step()
    values = torch.cat([group["params"][0].detach().flatten() for group in groups])
    print(name, "{" + ", ".join(f"{v:.9g}f" for v in values.tolist()) + "}")


run_adafactor("adafactor", 0.0)
run_adafactor("adafactor, decayed", 0.1)
run_adafactor("adafactor, other options", 0.1, clip_threshold=0.6, decay_rate=-0.5, eps=(1e-3, 1e-3))
