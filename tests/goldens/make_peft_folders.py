"""Folders as PEFT saves them after training, for the exchange with it: every method that it has beside LoRA (make_deltas.py makes LoRA's).

usage: make_peft_folders.py    writes deltas/peft_<method>_<model>/ beside this script (needs bert_tiny/, gpt2_tiny/ and t5_tiny/ of the other scripts)

deltas/peft_<method>_<model>/: adapter_config.json and adapter_model.safetensors after three steps of AdamW; in logits.safetensors what the model gives
for the rows of the model's goldens (as make_deltas.py's `Rows` has them), and those rows where they had to be shortened.
"""
import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import peft
import torch
from safetensors.torch import save_file

from make_deltas import HERE, Rows, VIRTUAL, largest, make_base, write_json

CONFIGS = {
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
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=0.1)
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
    with open(f"{folder}/adapter_config.json", encoding="utf-8") as f:
        write_json(f"{folder}/adapter_config.json", base, json.load(f))
    save_file({"logits": logits.contiguous()} | {k: v for k, v in rows.stored.items() if v.dtype == torch.int64}, f"{folder}/logits.safetensors")
    print(f"peft_{method}_{base}: logits moved by {largest(logits, before):.2f}, loaded {loaded:.0e}")


if __name__ == "__main__":
    for base, method in CONFIGS:
        make(base, method)
