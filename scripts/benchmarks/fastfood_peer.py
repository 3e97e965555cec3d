"""The Fastfood transform as intrinsic-dimension code in Python has it, timed as a step of a training needs it; one JSON line.

usage: fastfood_peer.py [--dim 1000] [--steps 10] [--threads 2]

Every tensor of MiniLM's encoder gets z padded to the least power of two, times random signs, a Walsh-Hadamard transform, a permutation, times
normal numbers, and another transform; forward and backward through autograd. The transform views its input as 2 x 2 x … x 2 and combines the halves
of one axis after the other.
"""
import argparse, json, math, resource, statistics, time
import torch

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--dim", type=int, default=1000)
p.add_argument("--steps", type=int, default=10)
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(1)


def butterflies(x):
    levels = int(math.log2(x.numel()))
    x = x.view([2] * levels)
    for axis in range(levels):
        low, high = torch.split(x, 1, dim=axis)
        x = torch.cat([low + high, low - high], dim=axis)
    return x.reshape(-1)


class Hadamard(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return butterflies(x)

    @staticmethod
    def backward(ctx, gradient):
        return butterflies(gradient)


def drawn(size):
    length = 2 ** max(1, math.ceil(math.log2(size)))
    signs = torch.randint(0, 2, (length,)).float() * 2 - 1
    normals = torch.randn(length)
    divisor = torch.sqrt(length * normals.square().sum()) * math.sqrt(size / length)
    return size, length, signs, torch.randperm(length), normals, divisor


def project(z, size, length, signs, permutation, normals, divisor):
    padded = torch.nn.functional.pad(z, (0, length - len(z)))  # a negative length cuts
    mixed = Hadamard.apply(signs * padded)[permutation]
    return Hadamard.apply(normals * mixed)[:size] / divisor


square, wide = 384 * 384, 384 * 1536
sizes = [square, 384] * 4 + [384, 384, wide, 1536, wide, 384, 384, 384]
maps = [drawn(size) for _ in range(6) for size in sizes]
z = torch.zeros(a.dim, requires_grad=True)
gradients = [torch.ones(m[0]) for m in maps]
seconds, processor = [], []
for step in range(a.steps + 1):
    begin, busy = time.perf_counter(), time.process_time()
    torch.autograd.backward([project(z, *m) for m in maps], gradients)
    z.grad = None
    seconds.append(time.perf_counter() - begin), processor.append(time.process_time() - busy)
print(json.dumps({"s_per_step": round(statistics.median(seconds[1:]), 4), "cpu_s_per_step": round(statistics.mean(processor[1:]), 4), "numbers": sum(m[0] for m in maps),
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
