"""Random models of the sizes that scripts/bench measures, as Hugging Face folders with their vocabularies.

usage: make_models.py VOCABULARIES FOLDER [--only roberta|gpt2|t5|bert_base] [--t5-feed-forward relu|gated-gelu]

VOCABULARIES has the folders roberta_base (vocab.json, merges.txt), gpt2 (the same) and t5 (spiece.model).
Writes FOLDER/roberta (6 layers of 384, 12 heads), FOLDER/gpt2 (6 of 384, 6 heads) and FOLDER/t5 (6 + 6 of 384, 6 heads of 64; the feed-forward
layers of v1.0, or of v1.1 with a head of its own), or, where it is asked for, FOLDER/bert_base (BERT's base size), each with a vocabulary beside it. The same weights every time.
"""
import argparse, os, shutil
import torch, transformers as hf

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("vocabularies")
p.add_argument("folder")
p.add_argument("--only", choices=["roberta", "gpt2", "t5", "bert_base"])
p.add_argument("--t5-feed-forward", default="relu", choices=["relu", "gated-gelu"])
a = p.parse_args()
gated = a.t5_feed_forward != "relu"


def roberta():
    return hf.RobertaForMaskedLM(hf.RobertaConfig(
        vocab_size=50265, num_hidden_layers=6, hidden_size=384, num_attention_heads=12, intermediate_size=1536, max_position_embeddings=514,
        type_vocab_size=1, layer_norm_eps=1e-5, bos_token_id=0, pad_token_id=1, eos_token_id=2))


def gpt2():
    return hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=50257, n_layer=6, n_embd=384, n_head=6, n_inner=1536, n_positions=1024))


def t5():
    net = hf.T5ForConditionalGeneration(hf.T5Config(
        vocab_size=32128, d_model=384, num_layers=6, num_decoder_layers=6, num_heads=6, d_kv=64, d_ff=1536, feed_forward_proj=a.t5_feed_forward,
        tie_word_embeddings=not gated, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1))
    if gated:
        net.lm_head.weight = torch.nn.Parameter(torch.randn_like(net.shared.weight) * 384**-0.5)  # transformers 5 ties every T5 that it makes
    return net


def bert_base():
    return hf.BertForMaskedLM(hf.BertConfig())


for name, make, vocabulary in (("roberta", roberta, "roberta_base"), ("gpt2", gpt2, "gpt2"), ("t5", t5, "t5"), ("bert_base", bert_base, "bert_base_uncased")):
    if a.only == name or (a.only is None and name != "bert_base"):
        torch.manual_seed(0)
        make().save_pretrained(os.path.join(a.folder, name))
        for file in os.listdir(os.path.join(a.vocabularies, vocabulary)):
            if file != "config.json":
                shutil.copyfile(os.path.join(a.vocabularies, vocabulary, file), os.path.join(a.folder, name, file))
