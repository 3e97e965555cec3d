#!/usr/bin/env python3
"""Writes tokenizer_folders.jsonl: folders of tokenizer files in every mixture, and rows as transformers' AutoTokenizer makes them.

Usage: make_tokenizer_folders.py [FOLDER], with transformers 5.23 and tokenizers 0.23 installed. The first line of the file holds contents that many
folders share; every other line is a folder: its name, its files (a text or JSON, "@name" anywhere for a shared content, or "@folder/file" for a file of a golden
tokenizer), and rows of a text or a pair, a length to truncate to (or null), ids, segments (null where the class makes none) and decoded texts.
"""
import json
import os
import pathlib
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import transformers  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

transformers.logging.set_verbosity_error()
HERE = pathlib.Path(__file__).resolve().parent

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "old", "man", "##s", "boat", ",", ".", "!", "walk", "cafe", "é", "x", "##x", "##1", "[", "]", "1",
         "Old", "##y", "dog", "the1", "##,", "ca", "##fé", "Ġthe"]
LETTERS = [chr(c) for c in range(33, 127)] + ["Ġ", "Ċ", "Ã", "©"]
MERGES = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("o", "l"), ("ol", "d"), ("Ġ", "old"), ("m", "a"), ("ma", "n"), ("Ġ", "man"), ("b", "o"), ("Ã", "©"), ("d", "o")]
BYTES = {piece: at for at, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>"] + LETTERS + [a + b for a, b in MERGES] + ["<mask>"])}
SHARED = {"words": "\n".join(WORDS) + "\n", "bytes": BYTES, "merges": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES)}
SINGLE = ["the old man walks", " the  Old sings [E1] boat[E2]", "", "É café 12 <x> the<x>  old", "[MASK] [SEP] </s> <mask> <s> a", "[e1] <e1>the [E1]s",
          "don't do not the man. the old , man", "the1,x-y!!  ½ 12.5\tx_é\n日本 dog"]
PAIRS = [("the old man", "boat!"), ("", "the"), ("[E1] the man", "[SEP] old")]
CUT = [("the old man walk boat the", None, 4), ("the old man", "boat walk the", 6), ("the", "old man boat walk the dog", 7)]


def added(content, id=None, special=True, normalized=False, **flags):
    token = {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": special, **flags}
    return token if id is None else {"id": id, **token}


SPECIALS = [added(word, at) for at, word in enumerate(WORDS[:5])]
BERT_ROWS = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
             "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                      {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
             "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}}
WORDPIECE = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {w: i for i, w in enumerate(WORDS)}}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def normalizer(lowercase=True):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": lowercase}


def words(**parts):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": "@specials", "normalizer": normalizer(), "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": "@rows", "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "model": "@word_model", **parts}


def bpe(vocabulary, merges, **options):
    return {"type": "BPE", "dropout": None, "unk_token": "<u>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": {piece: at for at, piece in enumerate(vocabulary)}, "merges": merges, **options}


SHARED |= {"word_model": WORDPIECE, "rows": BERT_ROWS, "specials": SPECIALS, "byte_model": bpe([], [list(merge) for merge in MERGES], unk_token=None) | {"vocab": BYTES}}


def plain(model, pre_tokenizer={"type": "Whitespace"}, decoder=None, **parts):
    return words(model=model, pre_tokenizer=pre_tokenizer, decoder=decoder, added_tokens=[], post_processor=None, normalizer=None, **parts)


def bytes_json(**parts):
    return words(**{"model": "@byte_model", "normalizer": None, "pre_tokenizer": BYTE_LEVEL, "decoder": BYTE_LEVEL, "added_tokens": [],
                    "post_processor": None, **parts})


def added_token_folders():
    gpt2, bert = {"vocab.json": "@bytes", "merges.txt": "@merges"}, {"vocab.txt": "@words"}
    size, count = len(BYTES), len(WORDS)
    config = lambda name, **options: {"tokenizer_config.json": {"tokenizer_class": name, **options}}  # noqa: E731
    yield "gpt2 with added tokens", {**gpt2, "added_tokens.json": {"[E2]": size + 1, "[E1]": size}, "config.json": {"model_type": "gpt2"}}
    yield "gpt2 whose map wins", {**gpt2, **config("GPT2Tokenizer", pad_token="<y>"), "special_tokens_map.json": {"pad_token": "<x>", "eos_token": added("[E1]", lstrip=True)}}
    yield "gpt2 map over added tokens", {**gpt2, **config("GPT2Tokenizer"), "special_tokens_map.json": {"additional_special_tokens": ["[E1]"], "pad_token": "[E2]"},
                                         "added_tokens.json": {"[E1]": size, "[E2]": size + 1, "<x>": size + 2}}
    yield "gpt2 whose decoder decides", {**gpt2, **config("GPT2Tokenizer", added_tokens_decoder={str(size): added("[E1]", rstrip=True), str(size + 1): added("[E2]", special=False, normalized=True, single_word=True)}),
                                         "special_tokens_map.json": {"pad_token": "<z>"}, "added_tokens.json": {"<x>": size}}
    yield "gpt2 with a list and a part of its own", {**gpt2, **config("GPT2Tokenizer", additional_special_tokens=["[E1]", "<x>"], image_token="[E2]", add_bos_token=True, add_prefix_space=True)}
    yield "gpt2 with parts by name", {**gpt2, **config("GPT2Tokenizer", extra_special_tokens={"a_token": "[E1]", "b_token": "<x>"})}
    yield "gpt2 special tokens of the vocabulary", {**gpt2, **config("GPT2Tokenizer"), "special_tokens_map.json": {"pad_token": "the", "additional_special_tokens": ["Ġold"]}}
    yield "gpt2 one token for two parts", {**gpt2, **config("GPT2Tokenizer"), "special_tokens_map.json": {"pad_token": "<x>", "eos_token": "<x>", "mask_token": added("[E1]")}}
    yield "gpt2 begin and end", {**gpt2, **config("GPT2Tokenizer", add_bos_token=True, add_eos_token=True, eos_token="[E1]")}
    yield "gpt2 beside a vocab.txt", {**gpt2, **bert, **config("GPT2Tokenizer")}
    yield "qwen2 with added tokens", {**gpt2, **config("Qwen2Tokenizer", additional_special_tokens=["[E1]"]), "added_tokens.json": {"<x>": size}}
    yield "roberta", {**gpt2, **config("RobertaTokenizer")}
    yield "roberta with added tokens", {**gpt2, "config.json": {"model_type": "roberta"}, "added_tokens.json": {"[E1]": size}}
    yield "roberta with a map", {**gpt2, "config.json": {"model_type": "roberta"}, "special_tokens_map.json": {"mask_token": added("<mask>", lstrip=True, normalized=True), "sep_token": "</s>", "cls_token": "<x>"}}
    yield "bart with a prefix", {**gpt2, **config("BartTokenizer", add_prefix_space=True, add_bos_token=False)}
    yield "bert", {**bert, **config("BertTokenizer")}
    yield "bert with added tokens", {**bert, "config.json": {"model_type": "bert"}, "added_tokens.json": {"[E1]": count, "<x>": count + 1}}
    yield "bert cased with added tokens", {**bert, **config("BertTokenizer", do_lower_case=False), "added_tokens.json": {"[E1]": count, "[E2]": count + 1}}
    yield "bert with a map", {**bert, **config("BertTokenizer"), "special_tokens_map.json": {"cls_token": "the", "additional_special_tokens": ["[E1]", "<x>"], "mask_token": added("<mask>", lstrip=True)}}
    yield "bert without a mask", {"vocab.txt": SHARED["words"].replace("[MASK]\n", ""), **config("BertTokenizer")}
    yield "bert with a word twice", {"vocab.txt": SHARED["words"] + "the\n\nnew\n", **config("BertTokenizer")}
    yield "bert with a list of objects", {**bert, **config("BertTokenizer"), "special_tokens_map.json": {"extra_special_tokens": [{"content": "[E1]", "lstrip": True, "normalized": False}, "<x>"]}}
    yield "bert, options that nobody reads", {**bert, **config("BertTokenizer", never_split=["Old"], do_basic_tokenize=False, strip_accents=False)}
    yield "bert that splits special tokens", {**bert, **config("BertTokenizer", split_special_tokens=True)}
    yield "bert that cleans up", {**bert, **config("BertTokenizer", clean_up_tokenization_spaces=True)}
    yield "bert without segments", {**bert, **config("BertTokenizer", model_input_names=["input_ids", "attention_mask"])}
    yield "bert cut on the left", {**bert, **config("BertTokenizer", truncation_side="left")}
    yield "distilbert", {**bert, **config("DistilBertTokenizer")}
    yield "electra", {**bert, **config("ElectraTokenizerFast"), "config.json": {"model_type": "electra"}}
    yield "gpt2 that would clean up", {**gpt2, **config("GPT2Tokenizer", clean_up_tokenization_spaces=True)}
    yield "gpt2 that cleans up", {**gpt2, **config("GPT2Tokenizer", clean_up_tokenization_spaces=True, clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output=True)}


def class_folders():
    count = len(WORDS)
    fast = lambda **options: {"tokenizer_class": "PreTrainedTokenizerFast", **options}  # noqa: E731
    yield "class bert over a cased file", {"tokenizer.json": words(normalizer=normalizer(False)), "tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}}
    yield "fast class keeps the file", {"tokenizer.json": words(normalizer=normalizer(False)), "tokenizer_config.json": fast(do_lower_case=True)}
    yield "fast class of a bert model", {"tokenizer.json": words(), "tokenizer_config.json": fast(do_lower_case=False), "config.json": {"model_type": "bert"}}
    yield "model type alone", {"tokenizer.json": words(added_tokens=SPECIALS + [added("[E1]", count), added("<x>", count + 1, special=False, normalized=True)]), "config.json": {"model_type": "bert"}}
    yield "class in config.json", {"tokenizer.json": words(normalizer=None), "config.json": {"model_type": "bert", "tokenizer_class": "PreTrainedTokenizerFast"}}
    yield "class that nobody knows", {"tokenizer.json": words(normalizer=None), "tokenizer_config.json": {"tokenizer_class": "OtherTokenizer"}}
    yield "class with rows of its own", {"tokenizer.json": words(normalizer=None), "tokenizer_config.json": {"tokenizer_class": "ConvBertTokenizer", "cls_token": "the"}}
    yield "decoder beside a file", {"tokenizer.json": words(added_tokens=SPECIALS + [added("[E1]", count)]), "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "added_tokens_decoder": {"3": added("[SEP]")}}}
    yield "decoder changes flags", {"tokenizer.json": words(added_tokens=SPECIALS + [added("<x>", count)]),
                                    "tokenizer_config.json": fast(added_tokens_decoder={str(count): added("<x>", lstrip=True), str(count + 1): added("[E1]", special=False, normalized=True)})}
    yield "decoder without a named token", {"tokenizer.json": words(added_tokens=SPECIALS + [added("<x>", count, special=False, normalized=True)]),
                                            "tokenizer_config.json": fast(pad_token="<x>", image_token="[E1]", added_tokens_decoder={"0": added("[PAD]")})}
    yield "added tokens beside a file", {"tokenizer.json": words(), "added_tokens.json": {"[E1]": count}}
    yield "added tokens beside a bert file", {"tokenizer.json": words(), "added_tokens.json": {"[E1]": count}, "tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}}
    yield "map beside a file", {"tokenizer.json": words(), "special_tokens_map.json": {"pad_token": "<x>", "sep_token": added("[SEP]", lstrip=True)}}
    yield "map makes a token special", {"tokenizer.json": words(added_tokens=SPECIALS + [added("<x>", count, special=False, normalized=True)]), "special_tokens_map.json": {"pad_token": "<x>"}}
    yield "class gpt2 with a prefix", {"tokenizer.json": bytes_json(added_tokens=[added("<s>", 0), added("<x>", len(BYTES), special=False, normalized=True)]),
                                       "tokenizer_config.json": {"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": True}}
    yield "fast class without prefix or begin", {"tokenizer.json": bytes_json(added_tokens=[added("<s>", 0)]), "tokenizer_config.json": fast(add_prefix_space=True, add_bos_token=True, bos_token="<s>")}
    yield "gpt2 type over other words", {"tokenizer.json": bytes_json(pre_tokenizer={"type": "Whitespace"}), "config.json": {"model_type": "gpt2"}}
    yield "qwen2 type over the fast class", {"tokenizer.json": bytes_json(), "tokenizer_config.json": fast(), "config.json": {"model_type": "qwen2"}}
    yield "class llama with bytes", {"tokenizer.json": bytes_json(), "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "add_bos_token": True}, "config.json": {"model_type": "llama"}}
    for name, options in [("", {"legacy": False}), (" legacy", {"legacy": True, "add_prefix_space": True}), (" without a prefix", {"add_prefix_space": False})]:
        yield "class llama" + name, {"tokenizer.json": "@llama/tokenizer.json", "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", **options}}
    yield "class t5", {"tokenizer.json": "@t5/tokenizer.json", "tokenizer_config.json": {"tokenizer_class": "T5Tokenizer", "extra_ids": 4, "clean_up_tokenization_spaces": True}}
    yield "t5 type with more sentinels", {"tokenizer.json": "@t5/tokenizer.json", "config.json": {"model_type": "t5"}}
    yield "xlm-roberta type", {"tokenizer.json": "@t5/tokenizer.json", "config.json": {"model_type": "xlm-roberta"}}
    yield "file cut on the left", {"tokenizer.json": words(truncation={"direction": "Left", "max_length": 5, "strategy": "LongestFirst", "stride": 0})}
    yield "class cut on the left by its file", {"tokenizer.json": words(truncation={"direction": "Left", "max_length": 5, "strategy": "LongestFirst", "stride": 0}), "config.json": {"model_type": "bert"}}


def step_folders():
    steps = lambda *parts: {"type": "Sequence", "pretokenizers": list(parts)}  # noqa: E731
    yield "words by NFD, Lowercase, StripAccents", {"tokenizer.json": words(normalizer={"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}]}, pre_tokenizer={"type": "Whitespace"})}
    yield "words by NFKC, Nmt, Strip", {"tokenizer.json": words(normalizer={"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Nmt"}, {"type": "Strip", "strip_left": True, "strip_right": True}]},
                                                                pre_tokenizer=steps({"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Contiguous"}))}
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        yield "words by Punctuation " + behavior, {"tokenizer.json": words(normalizer=None, pre_tokenizer={"type": "Punctuation", "behavior": behavior})}
        yield "words by Split " + behavior, {"tokenizer.json": words(normalizer={"type": "Lowercase"}, pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": behavior, "invert": behavior == "Isolated"})}
    yield "words by CharDelimiterSplit", {"tokenizer.json": words(pre_tokenizer={"type": "CharDelimiterSplit", "delimiter": " "})}
    yield "words by FixedLength", {"tokenizer.json": words(normalizer=None, pre_tokenizer={"type": "FixedLength", "length": 3})}
    yield "words by ByteLevel", {"tokenizer.json": words(normalizer=None, pre_tokenizer=BYTE_LEVEL)}
    yield "words by ByteLevel then Digits", {"tokenizer.json": words(normalizer=None, pre_tokenizer=steps(BYTE_LEVEL, {"type": "Digits", "individual_digits": True}))}
    yield "words by Digits then Whitespace", {"tokenizer.json": words(pre_tokenizer=steps({"type": "Digits", "individual_digits": False}, {"type": "Whitespace"}))}
    yield "words by normalizer ByteLevel", {"tokenizer.json": words(normalizer={"type": "ByteLevel"}, pre_tokenizer={"type": "Whitespace"})}
    yield "words without a pre_tokenizer", {"tokenizer.json": words(pre_tokenizer=None)}
    yield "words of two letters at most", {"tokenizer.json": words(model={**WORDPIECE, "max_input_chars_per_word": 2})}
    yield "words by Metaspace", {"tokenizer.json": words(normalizer=None, pre_tokenizer={"type": "Metaspace", "replacement": "#", "prepend_scheme": "always", "split": True})}
    yield "whole words", {"tokenizer.json": words(model={"type": "WordLevel", "vocab": WORDPIECE["vocab"], "unk_token": "[UNK]"}, pre_tokenizer={"type": "WhitespaceSplit"}, decoder=None)}
    ends = "a b c the</w> th t h e</w> e <u> the b</w> n</w> m a</w> ma man</w> old</w> o l d</w> ol x</w>".split()
    joined = [["t", "h"], ["th", "e</w>"], ["m", "a"], ["ma", "n</w>"], ["o", "l"], ["ol", "d</w>"]]
    for whole in (False, True):
        yield f"suffix{' with whole words' if whole else ''}", {"tokenizer.json": plain(bpe(ends, joined, end_of_word_suffix="</w>", ignore_merges=whole), decoder={"type": "BPEDecoder", "suffix": "</w>"})}
    yield "suffix over bytes", {"tokenizer.json": plain(bpe(ends, joined, end_of_word_suffix="</w>"), BYTE_LEVEL, BYTE_LEVEL)}
    starts = "a b ##b ab ##c ##bc <u> abc t ##h ##e the th m ##a ##n ma man ##l o ##d ol old".split()
    yield "prefix", {"tokenizer.json": plain(bpe(starts, [["a", "##b"], ["##b", "##c"], ["t", "##h"], ["th", "##e"], ["m", "##a"], ["ma", "##n"], ["o", "##l"], ["ol", "##d"]], continuing_subword_prefix="##", fuse_unk=True))}
    yield "letters by Whitespace", {"tokenizer.json": plain(bpe(["<u>", "t", "h", "e", "th", "the", "o", "l", "d"], [["t", "h"], ["th", "e"]]))}
    yield "decoder CTC", {"tokenizer.json": plain(bpe(["<u>", "t", "h", "e", "|", "<pad>", "o"], []), {"type": "WhitespaceSplit"}, {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True})}


def whole(value):
    """With what other lines share."""
    if isinstance(value, dict):
        return {key: whole(part) for key, part in value.items()}
    if isinstance(value, list):
        return [whole(part) for part in value]
    return SHARED.get(value[1:], value) if isinstance(value, str) and value.startswith("@") else value


def content_of(value):
    if isinstance(value, str) and value.endswith("tokenizer.json"):
        return (HERE / "tokenizers" / value[1:]).read_text()
    value = whole(value)
    return value if isinstance(value, str) else json.dumps(value)


def rows(tokenizer):
    for first, second, length in [(text, None, None) for text in SINGLE] + [(*pair, None) for pair in PAIRS] + CUT:
        limit = {} if length is None else {"truncation": True, "max_length": length}
        row = tokenizer([first], None if second is None else [second], **limit)
        ids = row.input_ids[0]
        yield {"first": first, "second": second, "max_length": length, "ids": ids, "segments": row.token_type_ids[0] if "token_type_ids" in row else None,
               "decoded": tokenizer.decode(ids), "decoded_skip": tokenizer.decode(ids, skip_special_tokens=True)}


def main():
    folder = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE
    lines = [{"shared": SHARED}]
    for name, files in [*added_token_folders(), *class_folders(), *step_folders()]:
        with tempfile.TemporaryDirectory() as model:
            for file, value in files.items():
                pathlib.Path(model, file).write_text(content_of(value), encoding="utf-8")
            tokenizer = AutoTokenizer.from_pretrained(model)
            lines.append({"name": name, "files": files, "size": len(tokenizer), "rows": list(rows(tokenizer))})
    (folder / "tokenizer_folders.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


main()
