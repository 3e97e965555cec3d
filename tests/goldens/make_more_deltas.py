"""Reference values of PEFT's methods that add to weights (VeRA and its kin), as make_deltas.py and make_peft_folders.py have those of others.

usage: make_more_deltas.py [<base>_<method> ...]    writes deltas/ beside this script (needs bert_tiny/, gpt2_tiny/ and t5_tiny/ of the other scripts)

deltas/<base>_<method>.safetensors and .json: as make_deltas.py writes them; frozen tensors (random projections, parts of weights) have a value alone.
deltas/peft_<method>_<base>/: as make_peft_folders.py writes them.
"""
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import peft

import make_peft_folders
from make_deltas import TASKS, make

MAPS = {  # maps of several shapes, wide and tall
    "bert": ["query", "value", "intermediate.dense", "output.dense"],
    "gpt2": ["c_attn", "mlp.c_proj", "c_fc"],
    "t5": ["q", "v", "wi", "wo"],
}


def config_of(base, method):
    common = dict(task_type=TASKS[base], target_modules=MAPS[base])
    with_side = common | (dict(fan_in_fan_out=True) if base == "gpt2" else {})
    if method == "vera":
        return peft.VeraConfig(r=6, projection_prng_key=3, **with_side)
    if method == "fourierft":
        return peft.FourierFTConfig(n_frequency=40, scaling=20.0, random_loc_seed=7, n_frequency_pattern={"query": 24, "c_fc": 30, "v": 10}, **with_side)
    if method == "vblora":
        return peft.VBLoRAConfig(r=3, num_vectors=10, vector_length=4, topk=2, **with_side)
    if method == "randlora":
        return peft.RandLoraConfig(r=5, randlora_alpha=10, **with_side)
    if method == "randlora_sparse":
        return peft.RandLoraConfig(r=4, randlora_alpha=8, sparse=True, **with_side)
    if method == "tinylora":
        return peft.TinyLoraConfig(r=3, u=5, **with_side)
    if method == "tinylora_tied":
        return peft.TinyLoraConfig(r=2, u=7, weight_tying=0.6, projection_seed=9, **with_side)
    if method == "loha":
        return peft.LoHaConfig(r=3, alpha=12, rank_pattern={"output.dense": 2, "wo": 4}, alpha_pattern={"query": 6, "v": 24}, **common)
    if method == "lokr":
        return peft.LoKrConfig(r=2, alpha=4, rank_pattern={"output.dense": 30, "wo": 1}, **common)
    assert method == "lokr_both"
    return peft.LoKrConfig(r=1, alpha=2, decompose_both=True, decompose_factor=4, **common)


SIZES = {"vera": 0.5, "fourierft": 4, "vblora": 0.5, "randlora": 0.15, "randlora_sparse": 0.15, "tinylora": 0.4, "tinylora_tied": 0.4, "loha": 0.3, "lokr": 0.3, "lokr_both": 0.4}
BASES = {"loha": ("bert", "t5"), "lokr": ("bert", "t5"),  # PEFT knows no Conv1D of these
         "lokr_both": ("bert",), "randlora_sparse": ("bert",), "tinylora_tied": ("bert", "t5")}
CASES = [(base, method) for method in SIZES for base in BASES.get(method, TASKS)]

FOLDERS = {
    ("bert", "vera"): lambda: peft.VeraConfig(task_type="SEQ_CLS", r=6, bias="vera_only", d_initial=0.3, target_modules=["query", "output.dense"]),
    ("gpt2", "fourierft"): lambda: peft.FourierFTConfig(task_type="CAUSAL_LM", n_frequency=30, fan_in_fan_out=True, target_modules=["c_attn"]),
    ("bert", "vblora"): lambda: peft.VBLoRAConfig(task_type="SEQ_CLS", r=2, num_vectors=8, vector_length=4, target_modules=["query", "value"]),
    ("gpt2", "randlora"): lambda: peft.RandLoraConfig(task_type="CAUSAL_LM", r=6, randlora_alpha=12, fan_in_fan_out=True, target_modules=["c_fc"]),
    ("bert", "tinylora"): lambda: peft.TinyLoraConfig(task_type="SEQ_CLS", u=6, weight_tying=0.5, init_weights="uniform", target_modules="all-linear"),
    ("bert", "loha"): lambda: peft.LoHaConfig(task_type="SEQ_CLS", r=2, rank_pattern={"key": 3}, target_modules=["query", "key"]),
    ("t5", "lokr"): lambda: peft.LoKrConfig(task_type="SEQ_2_SEQ_LM", r=2, alpha=4, target_modules=["q", "wi"]),
}

if __name__ == "__main__":
    wanted = sys.argv[1:]
    for seed, (base, method) in enumerate(CASES):
        if not wanted or f"{base}_{method}" in wanted:
            make(base, method, seed + 101, config_of(base, method), SIZES[method])
    make_peft_folders.CONFIGS.update(FOLDERS)
    for base, method in FOLDERS:
        if not wanted or f"peft_{method}_{base}" in wanted:
            make_peft_folders.make(base, method)
