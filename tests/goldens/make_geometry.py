#!/usr/bin/env python3
"""Writes geometry.json: metrics of geometry in NumPy's float64, straight from their definitions (docs/methods/geometry.md): pairs one by one,
eigenvectors of WᵀW, all distances. Rows have three decimals, so that the file holds them exactly."""
import json
import pathlib

import numpy as np

random = np.random.default_rng(16)
TOP_K, BINS = 2, 8


def number(value):
    return None if np.isnan(value) else "inf" if np.isinf(value) else float(value)


def cosines(given, x):
    alive = np.linalg.norm(x, axis=1) > 1e-12 * np.linalg.norm(given, axis=1).max()
    unit = x[alive] / np.linalg.norm(x[alive], axis=1, keepdims=True)
    pairs = np.array([unit[i] @ unit[j] for i in range(len(unit)) for j in range(i)])
    histogram = np.histogram(np.clip(pairs, -1, 1), BINS, (-1, 1))[0] / max(1, len(pairs))
    return {"mean_cosine": number(pairs.mean() if len(pairs) else np.nan), "zero_rows": int((~alive).sum()),
            "mean_norm": float(np.linalg.norm(x, axis=1).mean()), "histogram": histogram.tolist()}


def spectrum(x, centred):
    sigma = np.linalg.svd(x, compute_uv=False)[: min(len(x) - centred, x.shape[1])]
    rank = int((sigma > max(x.shape) * np.finfo(float).eps * sigma[0]).sum())
    share = sigma**2 / (sigma**2).sum()
    share = share[share > 0]
    return {"relative": (sigma / sigma[0]).tolist(), "largest": float(sigma[0]), "rank": rank, "top_share": float(share[:TOP_K].sum()),
            "effective_rank": float(np.exp(-(share * np.log(share)).sum())),
            "condition_number": number(sigma[0] / sigma[-1] if rank == len(sigma) else np.inf)}


def isotropy(x):
    _, vectors = np.linalg.eigh(x.T @ x)
    along = x @ np.concatenate([vectors, -vectors], axis=1)
    log_z = np.logaddexp.reduce(along, axis=0)
    z = np.exp(log_z - log_z.max())
    return {"i1": float(np.exp(log_z.min() - log_z.max())), "log_i1": float(log_z.min() - log_z.max()), "i2": float(z.std() / z.mean())}


def dimension(x):
    x = np.unique(x, axis=0)
    distances = np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)
    log_mu = np.sort(np.log(distances[:, 2] / distances[:, 1]))
    kept = int(len(x) * 0.9)
    y = -np.log(1 - np.arange(1, kept + 1) / len(x))
    return {"value": float((log_mu[:kept] @ y) / (log_mu[:kept] @ log_mu[:kept])), "distinct": len(x)}


def case(name, x):
    x = np.round(x, 3)
    centred = x - x.mean(axis=0)
    metrics = [{**cosines(x, y), **spectrum(y, int(i)), **isotropy(y)} for i, y in enumerate([x, centred])]
    return {"name": name, "rows": x.tolist(), "given": metrics[0], "centred": metrics[1], "dimension": dimension(x)}


def normal(rows, width, scale=None):
    return random.normal(size=(rows, width)) * (1 if scale is None else np.array(scale))


plane = normal(30, 2)
cases = [
    case("a cloud", normal(40, 5, [3, 2, 1, 0.7, 0.4])),
    case("a cone: an offset hides an even cloud", normal(40, 4, [1, 0.9, 0.8, 0.7]) + [20, 0, 0, 5]),
    case("norms beyond the range of exp", normal(30, 4, [900, 700, 500, 300])),
    case("rows of zeros", np.concatenate([normal(20, 3, [2, 1, 0.5]), np.zeros((3, 3))])),
    case("a plane in four dimensions", np.concatenate([plane, np.zeros((30, 2))], axis=1)),
    case("fewer rows than columns", normal(5, 8)),
    case("repeated rows", np.repeat(normal(24, 4, [2, 1.5, 1, 0.5]), [3] * 6 + [1] * 18, axis=0)),
]
path = pathlib.Path(__file__).parent / "geometry.json"
path.write_text(json.dumps({"top_k": TOP_K, "cases": cases}) + "\n")
