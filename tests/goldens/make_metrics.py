#!/usr/bin/env python3
"""Writes metrics.json: scores of scikit-learn and scipy on small answers in which classes of the task are missing from one side or both.

Means are over all classes of the task (labels=range(classes)); a class that neither side has counts 0. A correlation with a constant side
is 0 where scipy gives none. The f1 of two classes is that of class 1.
"""
import json
import math
import pathlib
import warnings

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

warnings.simplefilter("ignore")
random = np.random.default_rng(11)


def finite(value):
    return 0.0 if math.isnan(value) else float(value)


def classes(name, count, predictions, targets):
    labels = list(range(count))
    macro = f1_score(targets, predictions, labels=labels, average="macro", zero_division=0)
    f1 = f1_score(targets, predictions, labels=[1], average="macro", zero_division=0) if count == 2 else macro
    scores = {"accuracy": accuracy_score(targets, predictions), "macro_f1": macro, "f1": f1, "matthews": matthews_corrcoef(targets, predictions)}
    return {"name": name, "classes": count, "predictions": predictions, "targets": targets, "scores": {k: float(v) for k, v in scores.items()}}


def values(name, predictions, targets):
    scores = {"pearson": finite(pearsonr(predictions, targets)[0]), "spearman": finite(spearmanr(predictions, targets)[0])}
    return {"name": name, "classes": 0, "predictions": predictions, "targets": targets, "scores": scores}


def drawn(among, rows):
    return [int(c) for c in random.choice(among, rows)]


cases = [
    classes("a class that neither side has", 4, [0, 1, 1, 0, 1], [0, 1, 0, 0, 1]),
    classes("a class that only the truth has", 3, [0, 1, 1, 0], [0, 1, 2, 2]),
    classes("a class that only predictions have", 3, [0, 1, 2, 2], [0, 1, 1, 0]),
    classes("one class on both sides of five", 5, [2, 2, 2], [2, 2, 2]),
    classes("the first class alone, of two", 2, [0, 0, 0], [0, 0, 0]),
    classes("the second class alone, of two", 2, [1, 1], [1, 1]),
    classes("classes 0 and 1 of three", 3, [1, 1, 0, 0], [1, 0, 0, 1]),
    classes("sides without a common class", 6, [0, 1, 2], [3, 4, 3]),
    classes("one row", 3, [1], [1]),
    classes("many rows, rare classes", 9, drawn([0, 1, 2, 5], 80), drawn([0, 1, 2, 7], 80)),
    values("both sides constant", [0.5, 0.5], [2.0, 2.0]),
    values("constant predictions", [1.5, 1.5, 1.5, 1.5], [0.0, 1.0, 4.0, 5.0]),
    values("ties on both sides", [1.0, 1.0, 2.0, 2.0, 3.0], [0.0, 5.0, 5.0, 5.0, 1.0]),
    values("two rows", [0.25, -1.0], [3.0, 4.0]),
]
lines = ",\n".join(json.dumps(case) for case in cases)
pathlib.Path(__file__).with_name("metrics.json").write_text("[" + lines + "]\n")
