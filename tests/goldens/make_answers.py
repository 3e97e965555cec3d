"""What transformers answers where a folder or a text asks for something beside the plain case, for the tests of answers.

usage: make_answers.py        writes answers.json beside this script, from the folders <family>_tiny/ there

written: what `generate` writes under fields of a generation_config.json. A case is a model, the fields, its prompts (of the encoder for t5) and
         per prompt the new tokens, an end token included. Every prompt goes alone. A case is only written if small noise on the scores gives the
         same tokens and if it differs from what the model writes without the fields, `eos_token_id` and the length aside.
padding: logits of rows whose text contains the padding token, classified with the golden head of the folder; every id is attended to.
"""
import json
import os
import warnings

import torch
import transformers as hf
from safetensors.torch import load_file

from make_encoders import HERE
from make_generation import MODELS, Noise

PLAIN = dict(max_new_tokens=10)
RULES = [dict(repetition_penalty=1.3), dict(repetition_penalty=0.8), dict(no_repeat_ngram_size=2), dict(no_repeat_ngram_size=1),
         dict(min_new_tokens=6), dict(min_length=8), dict(max_length=14), dict(eos="all"), dict(suppress="said"), dict(begin_suppress="said"),
         dict(bad="said"), dict(bad="pair"), dict(bias="pair"), dict(forced_bos_token_id=7), dict(forced_eos_token_id=5),
         dict(forced_eos_token_id=[5, 9]), dict(repetition_penalty=1.2, no_repeat_ngram_size=3, min_new_tokens=4)]
PADDED = {"roberta_tiny": (hf.RobertaForSequenceClassification, [[0, 9, 1, 12, 2], [0, 1, 1, 30, 31, 1, 40, 2], [0, 5, 6, 2], [1, 8, 9, 1]]),
          "gpt2_tiny": (hf.GPT2ForSequenceClassification, [[9, 0, 12], [5, 6, 7, 0], [8, 9, 0, 0], [0, 0], [11, 12, 13]]),
          "llama_tiny": (hf.LlamaForSequenceClassification, [[9, 0, 12], [5, 6, 7, 0], [8, 9, 0, 0], [0, 0], [11, 12, 13]])}


def fields_of(rule, said, ends):
    """Names of tokens that the model would say, put in."""
    fields, rule = {}, dict(rule)
    for name, value in rule.items():
        if name == "eos":
            fields["eos_token_id"] = list(ends)
        elif name in ("suppress", "begin_suppress"):
            fields[name + "_tokens"] = said[:2]
        elif name == "bad":
            fields["bad_words_ids"] = [[said[0]]] if value == "said" else [said[1:3], [said[3]]]
        elif name == "bias":
            fields["sequence_bias"] = [[said[0:2], -4.0], [[said[3]], 3.0]]
        else:
            fields[name] = value
    return fields


def write(net, prompt, fields, noise=None):
    fields = {"eos_token_id": None} | fields
    if "max_length" not in fields:
        fields = PLAIN | fields
    encoder_decoder = net.config.is_encoder_decoder
    config = hf.GenerationConfig(**fields, pad_token_id=0, decoder_start_token_id=0 if encoder_decoder else None)
    cache = {"past_key_values": hf.EncoderDecoderCache(hf.DynamicCache(), hf.DynamicCache())} if encoder_decoder else {}
    ids = torch.tensor([prompt])
    y = net.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config, logits_processor=[] if noise is None else [Noise(noise)],
                     **cache)
    return y[0, 1 if encoder_decoder else len(prompt):].tolist()


def stable(net, prompt, fields, row):
    try:
        return all(write(net, prompt, fields, seed) == row for seed in range(2))
    except ValueError:
        return False


def written():
    for model in ("gpt2_tiny", "llama_tiny", "t5_tiny"):
        kind, prompts, ends = MODELS[model]
        net = kind.from_pretrained(os.path.join(HERE, model), dtype=torch.float32).eval()
        net.generation_config = hf.GenerationConfig()
        for rule in RULES:
            for beams in (1,) if isinstance(rule.get("forced_eos_token_id"), list) else (1, 3):  # forced tokens are equals, which beams order as they come
                chosen, outputs = [], []
                said = write(net, prompts[1], dict(num_beams=beams))
                fields = fields_of(rule, said, ends) | dict(num_beams=beams)
                if not {"eos_token_id", "max_length"} & set(fields):
                    fields["eos_token_id"] = ends[0]
                plain = {k: v for k, v in fields.items() if k in ("num_beams", "eos_token_id")}
                differs = False
                for prompt in prompts:
                    row = write(net, prompt, fields)
                    if stable(net, prompt, fields, row):
                        chosen.append(prompt)
                        outputs.append(row)
                        differs |= row != write(net, prompt, plain)
                if differs or "eos_token_id" in fields and isinstance(fields["eos_token_id"], list):
                    yield {"model": model, "fields": fields, "prompts": chosen, "outputs": outputs}


def padding():
    for model, (kind, rows) in PADDED.items():
        folder = os.path.join(HERE, model)
        config = hf.AutoConfig.from_pretrained(folder, num_labels=3)
        net = kind.from_pretrained(folder, config=config, dtype=torch.float32).eval()
        values = load_file(os.path.join(folder, "goldens.safetensors"))
        own = {n: values["classification." + n] for n, _ in net.named_parameters() if "classification." + n in values}
        assert own
        net.load_state_dict(own, strict=False)
        logits = [net(input_ids=torch.tensor([r]), attention_mask=torch.ones(1, len(r), dtype=torch.long)).logits[0].tolist() for r in rows]
        yield {"model": model, "rows": rows, "logits": [[round(x, 6) for x in r] for r in logits]}


if __name__ == "__main__":
    hf.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    with torch.inference_mode():
        cases = {"written": [json.dumps(c) for c in written()], "padding": [json.dumps(c) for c in padding()]}
    with open(os.path.join(HERE, "answers.json"), "w", encoding="utf-8") as f:
        f.write("{" + ",\n".join(f'"{k}": [\n' + ",\n".join(v) + "\n]" for k, v in cases.items()) + "}\n")
    print({k: len(v) for k, v in cases.items()})
