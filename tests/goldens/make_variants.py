"""What transformers computes when a config.json says something else than the tiny models' own: for the tests of its fields.

usage: make_variants.py        writes variants.json, variants.safetensors and config_fields.json beside this script, from the folders <family>_tiny/

variants.json: cases, each a tiny model's folder, fields that replace its config.json's, and a head. variants.safetensors has of a case its loss, logits
(the first 16 columns of language models), some gradients, and weights that the folder lacks. Rows go alone, without padding: under rotary scaling by
length the longest row of a batch would decide for all. generation: prompts, options, new tokens and, of beams, scores (as in generation.json).
config_fields.json: every field that transformers writes for a family, at its default.
"""
import json
import os

import torch
import torch.nn.functional as F
import transformers as hf
from safetensors.torch import load_file, save_file

from make_encoders import HERE
from make_generation import CAUSAL, generate

CONFIGS = {"bert": hf.BertConfig, "distilbert": hf.DistilBertConfig, "electra": hf.ElectraConfig, "gpt2": hf.GPT2Config, "llama": hf.LlamaConfig,
           "mistral": hf.MistralConfig, "qwen2": hf.Qwen2Config, "roberta": hf.RobertaConfig, "t5": hf.T5Config, "xlm-roberta": hf.XLMRobertaConfig}
HEADS = {"masked_lm": hf.AutoModelForMaskedLM, "causal_lm": hf.AutoModelForCausalLM, "classification": hf.AutoModelForSequenceClassification,
         "seq2seq_lm": hf.AutoModelForSeq2SeqLM}
ACTIVATIONS = ["gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python", "gelu_python_tanh", "gelu_pytorch_tanh", "hardswish",
               "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6", "sigmoid", "silu", "sqrtsoftplus", "swish", "tanh"]
YARN = {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 8}
PROBED = {  # of which gradients are kept
    "bert": ["bert.encoder.layer.0.intermediate.dense.weight"],
    "gpt2": ["transformer.h.0.attn.c_attn.weight"],
    "llama": ["model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight", "model.layers.1.mlp.gate_proj.weight"],
    "t5": ["encoder.block.0.layer.1.DenseReluDense.wi.weight"], "t5_gated": ["encoder.block.0.layer.1.DenseReluDense.wi_0.weight"]}


def llama(**rope):
    return {"rope_parameters": rope}


def case(name, model, head, generated=False, **fields):
    return {"name": name, "model": model, "head": head, "fields": fields, "generated": generated}


CASES = [case("activation_" + a, "bert", "classification", hidden_act=a) for a in ACTIVATIONS]
CASES += [case("gate_" + a, "llama", "causal_lm", hidden_act=a) for a in ("quick_gelu", "mish")]
CASES += [
    case("t5_mish", "t5", "seq2seq_lm", feed_forward_proj="mish", dense_act_fn="mish"),
    case("t5_gated_tanh", "t5_gated", "seq2seq_lm", feed_forward_proj="gated-tanh", dense_act_fn="tanh"),
    case("gpt2_unscaled", "gpt2", "causal_lm", scale_attn_weights=False),
    case("gpt2_by_layer", "gpt2", "causal_lm", True, scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True),
    case("window_1", "mistral", "causal_lm", sliding_window=1),
    case("window_4", "mistral", "causal_lm", True, sliding_window=4),
    case("window_longer_than_rows", "mistral", "causal_lm", sliding_window=30),
    case("window_in_upper_layers", "qwen2", "causal_lm", True, use_sliding_window=True, sliding_window=3, max_window_layers=1, layer_types=None),
    case("window_in_listed_layers", "qwen2", "causal_lm", use_sliding_window=True, sliding_window=5, max_window_layers=2,
         layer_types=["sliding_attention", "full_attention"]),
    case("window_nowhere", "qwen2", "causal_lm", use_sliding_window=True, sliding_window=3, max_window_layers=2, layer_types=None),
    case("window_off", "qwen2", "causal_lm", use_sliding_window=False, sliding_window=3, max_window_layers=0, layer_types=None),
    case("yarn", "llama", "causal_lm", True, **llama(**YARN)),
    case("yarn_blended", "llama", "causal_lm", **llama(**YARN | dict(beta_fast=4.0, beta_slow=0.5, truncate=False, attention_factor=1.5))),
    case("yarn_mscale", "llama", "causal_lm", **llama(**YARN | dict(mscale=0.7, mscale_all_dim=1.4, factor=3.0))),
    case("dynamic", "llama", "causal_lm", True, max_position_embeddings=10, **llama(rope_type="dynamic", rope_theta=500.0, factor=3.0)),
    case("dynamic_of_mistral", "mistral", "causal_lm", max_position_embeddings=8, sliding_window=None,
         **llama(rope_type="dynamic", rope_theta=10000.0, factor=4.0)),
    case("linear", "qwen2", "causal_lm", **llama(rope_type="linear", rope_theta=10000.0, factor=3.0)),
    case("llama3", "mistral", "causal_lm", sliding_window=None, **llama(rope_type="llama3", rope_theta=700.0, factor=4.0, low_freq_factor=1.0,
                                                                      high_freq_factor=3.0, original_max_position_embeddings=12)),
]
CASES += [case(family + "_untied", family, "masked_lm", tie_word_embeddings=False) for family in ("bert", "roberta", "electra", "distilbert")]


def make_net(made):
    folder = os.path.join(HERE, made["model"] + "_tiny")
    with open(folder + "/config.json", encoding="utf-8") as f:
        fields = json.load(f) | made["fields"]
    config = CONFIGS[fields["model_type"]](**{k: v for k, v in fields.items() if k not in ("model_type", "transformers_version")})
    if made["head"] == "classification":
        config.num_labels = 3
    net = HEADS[made["head"]].from_config(config, attn_implementation="eager")
    stored = load_file(folder + "/model.safetensors")
    goldens = load_file(folder + "/goldens.safetensors")
    if made["model"] == "t5_gated":
        net.lm_head.weight = torch.nn.Parameter(stored["lm_head.weight"].clone())  # transformers 5 ties every T5 that it makes
    own, g = {}, torch.Generator().manual_seed(4)
    state = {name: p for name, p in net.named_parameters()}
    for name, p in state.items():
        if name in stored:
            p.data = stored[name].clone()
        elif made["head"] + "." + name in goldens:
            p.data = goldens[made["head"] + "." + name].clone()
        else:
            p.data = own[name] = 0.25 * torch.randn(p.shape, generator=g)
    net.eval()
    return net, goldens, own


def fresh_rotation(net):
    """Rotary scaling by length remembers the longest row that it has seen."""
    rotary = getattr(getattr(net, "model", None), "rotary_emb", None)
    if rotary is not None:
        net.model.rotary_emb = type(rotary)(net.config)


def run_rows(net, goldens, head):
    offsets, outputs = goldens["offsets"].tolist(), []
    decoder = goldens["decoder_offsets"].tolist() if head == "seq2seq_lm" else None
    for r, (begin, end) in enumerate(zip(offsets, offsets[1:])):
        fresh_rotation(net)
        batch = {"input_ids": goldens["ids"][None, begin:end]}
        if getattr(net.config, "type_vocab_size", 0) > 1:
            batch["token_type_ids"] = goldens["segments"][None, begin:end]
        if decoder:
            batch["decoder_input_ids"] = goldens["decoder_ids"][None, decoder[r]:decoder[r + 1]]
        outputs.append(net(**batch).logits[0])
    logits, targets = (torch.stack(outputs) if head == "classification" else torch.cat(outputs)), goldens[head + ".targets"]
    if head != "classification":
        logits, targets = logits[targets != -100], targets[targets != -100]
    return logits, F.cross_entropy(logits, targets)


def generation(net):
    net.generation_config = hf.GenerationConfig()
    for options in (dict(max_new_tokens=12, num_beams=1, eos_token_id=None), dict(max_new_tokens=10, num_beams=3, eos_token_id=18, length_penalty=1.0,
                                                                                 early_stopping=False)):
        def write(p, noise=None):
            fresh_rotation(net)
            return generate(net, p, options, noise)

        prompts = [p for p in CAUSAL if all(write(p, seed)[0] == write(p)[0] for seed in range(3))]
        assert len(prompts) >= 3, options
        rows = [write(p) for p in prompts]
        yield {"prompts": prompts, "options": options, "outputs": [t for t, _ in rows],
               ("scores" if options["num_beams"] > 1 else "token_log_probs"): [v for _, v in rows]}


def run(made, out):
    net, goldens, own = make_net(made)
    logits, loss = run_rows(net, goldens, made["head"])
    loss.backward()
    name = made["name"]
    out[name + ".loss"] = loss.detach().reshape(1)
    out[name + ".logits"] = (logits if made["head"] == "classification" else logits[:, :16]).detach().contiguous()
    for parameter, p in net.named_parameters():
        if parameter in PROBED.get(made["model"], PROBED["llama"]) or parameter in own:
            out[f"{name}.grad.{parameter}"] = torch.zeros_like(p) if p.grad is None else p.grad
    out.update({f"{name}.weight.{n}": w for n, w in own.items()})
    if made["generated"]:
        with torch.inference_mode():
            made["generation"] = list(generation(net))
    return {k: v for k, v in made.items() if k != "generated"}


def default_fields():
    return {family: json.loads(config().to_json_string(use_diff=False)) for family, config in CONFIGS.items()}


if __name__ == "__main__":
    hf.logging.set_verbosity_error()
    torch.set_num_threads(1)
    tensors = {}
    done = [json.dumps(run(made, tensors)) for made in CASES]
    with open(os.path.join(HERE, "variants.json"), "w", encoding="utf-8") as f:
        f.write('{"cases": [\n' + ",\n".join(done) + "\n]}\n")
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, os.path.join(HERE, "variants.safetensors"))
    with open(os.path.join(HERE, "config_fields.json"), "w", encoding="utf-8") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in default_fields().items()) + "\n}\n")
