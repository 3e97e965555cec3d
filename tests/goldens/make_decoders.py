"""Reference values of causal decoders from transformers, for the parity tests.

usage: make_decoders.py        writes <family>_tiny/ beside this script: tiny random models and their values, in the form of make_encoders.py

Heads: causal_lm (every token but the last of a row predicts the next) and classification (from a row's last token).
"""
import os

import torch
import transformers as hf
from safetensors.torch import save_file

from make_encoders import HERE, collect, packed, padded, randomise, tiny_rows

LLAMA = dict(vocab_size=64, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40,
             max_position_embeddings=32, pad_token_id=0, bos_token_id=1, eos_token_id=2)
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
# name: configuration, class of each head, module of the decoder
FAMILIES = {
    "gpt2": (hf.GPT2Config(vocab_size=64, n_embd=24, n_layer=2, n_head=3, n_positions=24, pad_token_id=0, bos_token_id=1, eos_token_id=2),
             hf.GPT2LMHeadModel, hf.GPT2ForSequenceClassification, "transformer"),
    "llama": (hf.LlamaConfig(**LLAMA, rope_parameters=LLAMA3, tie_word_embeddings=False),
              hf.LlamaForCausalLM, hf.LlamaForSequenceClassification, "model"),
    "llama_biased": (hf.LlamaConfig(**LLAMA, attention_bias=True, mlp_bias=True, head_dim=8, tie_word_embeddings=True,
                                    rope_parameters={"rope_type": "linear", "rope_theta": 1000.0, "factor": 2.0}),
                     hf.LlamaForCausalLM, hf.LlamaForSequenceClassification, "model"),
    "mistral": (hf.MistralConfig(**LLAMA, sliding_window=None, tie_word_embeddings=False),
                hf.MistralForCausalLM, hf.MistralForSequenceClassification, "model"),
    "qwen2": (hf.Qwen2Config(**LLAMA, use_sliding_window=False, tie_word_embeddings=True),
              hf.Qwen2ForCausalLM, hf.Qwen2ForSequenceClassification, "model"),
}


def make(family):
    config, causal, classifier, decoder = FAMILIES[family]
    rows = tiny_rows(config)
    (batch, segments), out = padded(rows, config), {}
    mask = batch["attention_mask"]
    out["ids"], out["segments"] = packed(batch["input_ids"], mask), packed(segments, mask)
    out["positions"] = torch.cat([torch.arange(len(i)) for i, _ in rows])
    out["offsets"] = torch.tensor([0] + [len(i) for i, _ in rows]).cumsum(0)
    labels = batch["input_ids"].masked_fill(mask == 0, -100)
    following = torch.cat([labels[:, 1:], torch.full((len(rows), 1), -100)], 1)
    classes = torch.arange(len(rows)) % 3
    out["causal_lm.targets"], out["classification.targets"] = packed(following, mask), classes

    lm = causal(config)
    randomise(lm, 1)
    lm.tie_weights()
    lm.eval()
    states = getattr(lm, decoder)(**batch, output_hidden_states=True).hidden_states
    for i, s in enumerate(states):
        out[f"hidden.{i}"] = packed(s, mask)
    collect(out, "causal_lm", lm, batch, labels, lambda x: x[following != -100])
    c = type(config)(**config.to_dict())
    c.num_labels = 3
    net = classifier(c)
    randomise(net, 2)
    getattr(net, decoder).load_state_dict(getattr(lm, decoder).state_dict())
    out["classification.score.weight"] = net.score.weight.data.clone()
    collect(out, "classification", net, batch, classes, lambda x: x)

    folder = os.path.join(HERE, family + "_tiny")
    os.makedirs(folder, exist_ok=True)
    weights = {k: v for k, v in lm.state_dict().items() if not (config.tie_word_embeddings and k == "lm_head.weight")}
    save_file({k: v.clone().contiguous() for k, v in weights.items()}, f"{folder}/model.safetensors", {"format": "pt"})
    config.save_pretrained(folder)
    save_file({k: v.contiguous() for k, v in out.items()}, f"{folder}/goldens.safetensors")


if __name__ == "__main__":
    torch.manual_seed(0)
    for name in FAMILIES:
        make(name)
