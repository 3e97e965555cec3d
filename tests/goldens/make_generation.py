"""What transformers generates with the tiny models of make_decoders.py and make_encoder_decoders.py, for the tests of generation.

usage: make_generation.py        writes generation.json beside this script, from the folders <family>_tiny/ there

A case is a model, its prompts (of the encoder for the t5s), options, and per prompt the new tokens. Every prompt goes alone, without padding,
in float32. Each model's end tokens are such that some rows end early. A case is only written if noise on the log-probabilities,
far above the rounding of another implementation, gives the same tokens.
"""
import itertools
import json
import os

import torch
import transformers as hf

from make_encoders import HERE

NOTE = ("outputs: new tokens only, without the prompt and without t5's start token 0; an end token that was generated is included, as the last one. "
        "scores (num_beams > 1): sequences_scores, the sum of the log-probabilities of the outputs' tokens, the end token's included, divided by "
        "(how many these are) ** length_penalty, also for a row that ends at max_new_tokens. "
        "token_log_probs (num_beams 1): the log-probability of each token of the outputs. eos_token_id null: nothing ends a row but max_new_tokens.")
CAUSAL = [[5], [9, 5], [39, 15, 31, 5], [22, 51, 58, 18, 22, 60, 43], [19, 48, 50, 35, 25, 53, 9, 14, 16, 21, 13, 47]]
# model: class, prompts that give it something to say, end tokens among what it says
MODELS = {
    "gpt2_tiny": (hf.GPT2LMHeadModel, CAUSAL, (18, 54)),
    "llama_tiny": (hf.LlamaForCausalLM, [[6], [9, 6], [24, 30, 33, 35], [29, 3, 54, 28, 53, 31, 8], [42, 24, 56, 20, 55, 14, 61, 46, 44, 45, 50, 51]],
                   (23, 53)),
    "t5_tiny": (hf.T5ForConditionalGeneration,
                [[39], [5, 36, 45], [31, 17, 39, 6, 10, 11, 10, 15], [22, 22, 32, 60, 33, 4, 3, 20, 17, 14, 49, 29, 34],
                 [62, 4, 28, 38, 25, 33, 27, 58, 59, 55, 50, 43, 37, 4, 22, 39, 51, 57, 21, 54, 63, 12, 61, 9]], (21, 59)),
    "t5_gated_tiny": (hf.T5ForConditionalGeneration,
                      [[45], [2, 14, 62], [29, 19, 63, 4, 23, 53, 27, 16], [18, 45, 8, 32, 15, 23, 14, 13, 5, 30, 39, 37, 15],
                       [48, 61, 46, 41, 10, 61, 50, 26, 25, 34, 50, 44, 56, 55, 11, 20, 15, 39, 3, 42, 42, 61, 34, 8]], (26, 12)),
}
NOISE = 1e-4


class Noise(hf.LogitsProcessor):
    def __init__(self, seed):
        self.g = torch.Generator().manual_seed(seed)

    def __call__(self, ids, scores):
        return scores + NOISE * (2 * torch.rand(scores.shape, generator=self.g) - 1)


def generate(net, prompt, options, noise=None):
    encoder_decoder = net.config.is_encoder_decoder
    config = hf.GenerationConfig(**options, do_sample=False, use_cache=True, pad_token_id=0, return_dict_in_generate=True, output_scores=True,
                                 decoder_start_token_id=0 if encoder_decoder else None)
    # the cache that transformers 5 makes by itself has as many layers as the encoder
    cache = {"past_key_values": hf.EncoderDecoderCache(hf.DynamicCache(), hf.DynamicCache())} if encoder_decoder else {}
    ids = torch.tensor([prompt])
    y = net.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config, **cache,
                     logits_processor=[] if noise is None else [Noise(noise)])
    tokens = y.sequences[0, 1 if encoder_decoder else len(prompt):].tolist()
    assert options["eos_token_id"] not in tokens[:-1]
    assert len(tokens) == options["max_new_tokens"] or tokens[-1] == options["eos_token_id"]
    if options["num_beams"] > 1:
        return tokens, round(y.sequences_scores.item(), 6)
    return tokens, [round(torch.log_softmax(s[0], -1)[t].item(), 6) for s, t in zip(y.scores, tokens)]


def make_cases(model):
    kind, prompts, ends = MODELS[model]
    net = kind.from_pretrained(os.path.join(HERE, model), dtype=torch.float32).eval()
    net.generation_config = hf.GenerationConfig()  # what a case leaves out would come from there
    every = [dict(max_new_tokens=12, num_beams=1, eos_token_id=end) for end in (None, *ends)]
    for end, beams, penalty, early in itertools.product(ends, (3, 4), (1.0, 0.0, 2.0), (False, True)):
        every.append(dict(max_new_tokens=12, num_beams=beams, eos_token_id=end, length_penalty=penalty, early_stopping=early))
    for options in every:
        rows = [generate(net, p, options) for p in prompts]
        for p, row in zip(prompts, rows):
            for seed in range(3):
                assert generate(net, p, options, seed)[0] == row[0], (model, options, p)
        values = "scores" if options["num_beams"] > 1 else "token_log_probs"
        yield {"model": model, "prompts": prompts, "options": options, "outputs": [t for t, _ in rows], values: [v for _, v in rows]}


if __name__ == "__main__":
    hf.logging.set_verbosity_error()
    torch.manual_seed(0)
    with torch.inference_mode():
        cases = [json.dumps(case) for model in MODELS for case in make_cases(model)]
    with open(os.path.join(HERE, "generation.json"), "w", encoding="utf-8") as f:
        f.write('{"note": ' + json.dumps(NOTE) + ',\n"cases": [\n' + ",\n".join(cases) + "\n]}\n")
