#!/usr/bin/env python3
"""Prints the golden numbers of tests/unit/train/optimizer_test.cpp: torch.optim on a small problem with known gradients.

The gradient of element i at step t is sin(i + 1) * cos(0.7 t) + 0.1 * value, computed in float32.
"""
import torch

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
