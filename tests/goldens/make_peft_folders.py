"""Folders as PEFT saves them after training, for the exchange with it: every method that it has (a plain LoRA is make_deltas.py's).

usage: make_peft_folders.py [<method>_<model> ...]    writes deltas/peft_<method>_<model>/ beside this script (needs bert_tiny/, gpt2_tiny/ and t5_tiny/ of the other scripts)

deltas/peft_<method>_<model>/: adapter_config.json and adapter_model.safetensors after three steps of AdamW; in logits.safetensors what the model gives
for the rows of the model's goldens (as make_deltas.py's `Rows` has them), and those rows where they had to be shortened.
"""
import json
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import peft
import torch
from safetensors.torch import save_file

from make_deltas import HERE, Rows, VIRTUAL, largest, make_base, write_json

LORA = dict(r=4, lora_alpha=8, lora_dropout=0.0)
RULES = {  # where a method acts, and what else it trains
    ("bert", "bias_all"): lambda: peft.LoraConfig(task_type="SEQ_CLS", bias="all", use_dora=True, target_modules=["key", "intermediate.dense"], **LORA),
    ("bert", "layers"): lambda: peft.LoraConfig(task_type="SEQ_CLS", bias="lora_only", use_rslora=True, layers_to_transform=[0, 2], layers_pattern=["blocks", "layer"],
                                                target_modules=["dense", "no_such_module"], **LORA),
    ("bert", "layer_one"): lambda: peft.LoraConfig(task_type="SEQ_CLS", layers_to_transform=1, target_modules=["query", "bert.encoder.layer.2.attention.self.key"], **LORA),
    ("bert", "expressions"): lambda: peft.LoraConfig(
        task_type="SEQ_CLS", lora_bias=True, target_modules=r"bert\.(?P<stack_of_layers>encoder)\.layer\.\d+\.(?:attention\.self\.[kqv]\w{2,}|output\.dense)|bert\.pooler\.dense",
        exclude_modules=r".*\.[0]\..*\.(value|dense)\Z", rank_pattern={"dense": 3, r"layer\.[^0]\.output\.dense": 5, "nothing": 2, "query|key": 2},  # in the order of the file, which is sorted
        alpha_pattern={"key": 12, "self.key": 3}, **LORA),
    ("bert", "all_linear"): lambda: peft.LoraConfig(task_type="SEQ_CLS", target_modules="all-linear", exclude_modules=["intermediate.dense"], **LORA),
    ("bert", "tables"): lambda: peft.LoraConfig(task_type="SEQ_CLS", use_dora=True, target_modules=["word_embeddings", "position_embeddings", "value"], rank_pattern={"word_embeddings": 2}, **LORA),
    ("bert", "tokens"): lambda: peft.LoraConfig(task_type="SEQ_CLS", trainable_token_indices=[1, 5, 7], modules_to_save=["pooler"], target_modules=["query"], **LORA),
    ("gpt2", "tokens"): lambda: peft.LoraConfig(task_type="CAUSAL_LM", trainable_token_indices={"wte": [3, 9], "wpe": [0]}, bias="all", fan_in_fan_out=True, target_modules=["c_proj"], **LORA),
    ("gpt2", "tables"): lambda: peft.LoraConfig(task_type="CAUSAL_LM", use_dora=True, fan_in_fan_out=True, target_modules=["lm_head", "wte", "c_fc"], **LORA),
    ("gpt2", "own_head"): lambda: peft.LoraConfig(task_type="CAUSAL_LM", modules_to_save=["lm_head"], fan_in_fan_out=True, target_modules=["c_attn"], **LORA),
    ("t5", "tables"): lambda: peft.LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=["embed_tokens", "lm_head", "wi"], **LORA),
    ("bert", "ia3_expressions"): lambda: peft.IA3Config(task_type="SEQ_CLS", target_modules=r".*layer\.[12]\.(attention\.self\.query|(attention\.)?output\.dense)",
                                                        feedforward_modules=r".*\.\d\.output\.dense"),
    ("bert", "norms_and_maps"): lambda: peft.LNTuningConfig(task_type="SEQ_CLS", target_modules=r".*(LayerNorm|self\.value)", exclude_modules=["output.LayerNorm"]),
}
CONFIGS = RULES | {
    ("bert", "ia3"): lambda: peft.IA3Config(task_type="SEQ_CLS"),
    ("gpt2", "ia3"): lambda: peft.IA3Config(task_type="CAUSAL_LM", fan_in_fan_out=True),
    ("bert", "ln_tuning"): lambda: peft.LNTuningConfig(task_type="SEQ_CLS", target_modules=["output.LayerNorm"]),
    ("bert", "prompt"): lambda: peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=VIRTUAL),
    ("t5", "prompt"): lambda: peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=VIRTUAL),
    ("bert", "prefix"): lambda: peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=VIRTUAL),
    ("gpt2", "prefix"): lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL, prefix_projection=True, encoder_hidden_size=8),
}


def make(base, method):
    torch.manual_seed(0)
    net, goldens = make_base(base)
    config = CONFIGS[base, method]()
    limit = net.config.max_position_embeddings - VIRTUAL if config.is_prompt_learning and base != "t5" else None
    rows = Rows(base, goldens, net.config, limit)
    with torch.no_grad():
        before = rows.packed(net(**rows.batch).logits)
    net = peft.get_peft_model(net, config).train()
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=0.02 if (base, method) in RULES else 0.1)
    for _ in range(3):
        net(**rows.batch, labels=rows.labelled()).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = os.path.join(HERE, "deltas", f"peft_{method}_{base}")
    net.save_pretrained(folder)
    os.remove(f"{folder}/README.md")
    with torch.no_grad():
        logits = rows.packed(net.eval()(**rows.batch).logits)
        again = peft.PeftModel.from_pretrained(make_base(base)[0], folder).eval()
        loaded = largest(rows.packed(again(**rows.batch).logits), logits)
    assert loaded < 1e-5 and largest(logits, before) > 0.1, (loaded, largest(logits, before))
    tidy(folder, base)
    save_file({"logits": logits.contiguous()} | {k: v for k, v in rows.stored.items() if v.dtype == torch.int64}, f"{folder}/logits.safetensors")
    print(f"peft_{method}_{base}: logits moved by {largest(logits, before):.2f}, loaded {loaded:.0e}")


def tidy(folder, base):
    with open(f"{folder}/adapter_config.json", encoding="utf-8") as f:
        write_json(f"{folder}/adapter_config.json", base, json.load(f))


def make_bare():
    """A delta that was attached to the model without its head, whose names lack the prefix, and what the classifier gives with it."""
    torch.manual_seed(0)
    net, goldens = make_base("bert")
    rows = Rows("bert", goldens, net.config, None)
    config = peft.LoraConfig(target_modules=r"encoder\.layer\.[02]\.attention\.self\.(query|key)", bias="lora_only", **LORA)
    wrapped = peft.get_peft_model(net.bert, config)
    with torch.no_grad():
        for name, p in wrapped.named_parameters():
            if p.requires_grad:
                p.add_(0.3 * torch.randn(p.shape))
        logits = net.eval()(**rows.batch).logits
    folder = os.path.join(HERE, "deltas", "peft_bare_bert")
    wrapped.save_pretrained(folder)
    os.remove(f"{folder}/README.md")
    tidy(folder, "bert")
    assert largest(logits, goldens["classification.logits"]) > 0.1
    save_file({"logits": logits}, f"{folder}/logits.safetensors")


if __name__ == "__main__":
    for base, method in CONFIGS:
        if not sys.argv[1:] or f"{method}_{base}" in sys.argv[1:]:
            make(base, method)
    if not sys.argv[1:] or "bare_bert" in sys.argv[1:]:
        make_bare()
