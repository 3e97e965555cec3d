#!/usr/bin/env python3
"""Writes the folder tokenizers/: small tokenizers of every kind, and rows of ids and decoded texts as Hugging Face's tokenizers make them.

Usage: make_tokenizers.py [FOLDER], with tokenizers 0.23 installed. Each tokenizer is trained on text made up here. It is a folder with its files
and `goldens.jsonl`: a text (or a pair), whether special tokens are added, ids, segments, and the text that the ids spell, with special tokens and without.
"""
import collections
import json
import math
import pathlib
import random
import struct
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

BLANK = "\u2581"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
WORDS = "the a old young quick slow fox dog cat bird river house garden runs sleeps sings jumps over under near with and not never " \
        "café naïve straße Über İstanbul 日本語 中国 猫 한국어 привет мир שלום مرحبا नमस्ते can't won't I'm we'll 3 14 2026 1,000 ... -- 🙂 👩‍👩‍👧".split()

HURTING = [
    "", " ", "  ", "\n", "\t\n\r ", "\r\n\r\n", "a", " a", "a ", "The quick fox jumps over the slow dog.", "Don't WON'T I'M we'LL they'\u017f 'tis 's's",
    "3.14, 2026... 1234567 ½ ² Ⅷ ١٢٣", "Café naïve CAFÉ cafe\u0301 İstanbul I\u0307 straße STRASSE über", "日本語と中国の猫。", "한국어 각 \u1100\u1161\u11a8",
    "👩\u200d👩\u200d👧 🙂🏽 🇩🇪🇫🇷🇩 ©\u200d© ☎\ufe0f", "e\u0301\u0327\u0323 a\u0300\u0301 \u0301fox x\u20dd", "שלום עולם \u202bמרחבא\u202c \u200fabc\u200e مرحبا",
    "fox\u0000\u0007dog\ufffdcat\u0000", "fox\u200bdog\u00adcat\ufeff\u2060", "fox\u00a0dog\u2028cat\u3000bird\u0085x\u180ey\u001cz",
    "¿«the»—fox… ﬁ ﬂ ① ㎏ ｆｕｌｌ Ａ", "a" * 300, "é" * 120, "🙂" * 60, "the" * 100, " " * 70, "x" + "\u0301" * 40, "\u2581", "\u2581\u2581 the \u2581fox", "a\u2581b",
    "<s> the </s> fox <mask> <pad> <unk>", "the<mask>fox  <mask>  dog", "<word> <word>s a<word> (<word>)", "Ähren", "ähren ÄHREN xähren",
    "<0x41> <0xFF>", "def f(x):\n\treturn x  # 3\n\n\n  y", "   İs th!s    𩸽 Ϻ Šœ   Ugljšić  dấu nặng     ", "\U0001e5d0\U00010d40 \u1c89 \U000116d0 \U0002ebf0",
    "\u0600a \u0600\u0301 \u0915\u094d\u0937\u0915\u0300", "'", "''", "'S'T", " 's", "\u00a0's", "!\n\n!", " \n a", "a  \n", "a \n  b", "\u3000\u3000a", "1 2  3", "--- __ ~~",
]
MALFORMED = [b"fox\xff dog", b"\xed\xa0\x80 lone", b"\xf0\x9f\x99", b"a\xc3", b"\xc0\xaf\xfe", b"\xe2\x96x\x81"]


def texts():
    draw = random.Random(11)
    yield from HURTING
    for _ in range(40):
        yield draw.choice(["", " "]) + draw.choice([" ", "  ", "", "\n"]).join(draw.choices(WORDS + HURTING[9:22], k=4))
    for _ in range(40):
        yield "".join(chr(draw.choice([draw.randrange(1, 0x250), draw.randrange(0x300, 0x370), draw.randrange(0x900, 0x980), draw.randrange(0x1100, 0x1200),
                                       draw.randrange(0x2000, 0x2600), draw.randrange(0xf900, 0xfb10), draw.randrange(0x1f1e6, 0x1f650)])) for _ in range(12))


def corpus():
    draw = random.Random(3)
    return [" ".join(draw.choices(WORDS, k=12)) for _ in range(600)]


def byte_level(merges=260):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=256 + merges, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def gpt2():
    tokenizer = byte_level()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens([AddedToken("<word>", single_word=True), AddedToken("dog", normalized=False)])
    return tokenizer


def roberta(mask_strips=True):
    trained = json.loads(byte_level(200).to_str())["model"]
    names = ["<s>", "<pad>", "</s>", "<unk>"] + sorted(trained["vocab"], key=trained["vocab"].get) + ["<mask>"]
    tokenizer = Tokenizer(models.BPE({name: at for at, name in enumerate(names)}, [tuple(merge) for merge in trained["merges"]]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(name, special=True, normalized=False, lstrip=mask_strips and name == "<mask>") for name in ["<s>", "</s>", "<unk>", "<pad>", "<mask>"]]
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    return tokenizer


def split_words(pattern, nfc):
    tokenizer = byte_level()
    tokenizer.normalizer = normalizers.NFC() if nfc else None
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.add_special_tokens(["<|begin|>", "<|end|>"])
    return tokenizer


def llama3():
    tokenizer = split_words(LLAMA3, False)
    state = json.loads(tokenizer.to_str())
    state["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(state))
    begin = tokenizer.token_to_id("<|begin|>")
    rows = processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A <|begin|>:1 $B:1", special_tokens=[("<|begin|>", begin)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), rows])
    return tokenizer


def charsmap():
    """A double-array trie in the layout of a SentencePiece model, over a few folded characters."""
    folded = {c: unicodedata.normalize("NFKC", c) for c in "ﬁﬂ①㎏ｆｕｌｌＡ½²…\u2028\u3000\u00a0\u0085가각"}
    folded |= {a + b: unicodedata.normalize("NFKC", a + b) for a in "aeiouAEIOU" for b in "\u0300\u0301\u0302\u0308"}
    folded |= {c: " " for c in "\t\n\r"} | {c: "" for c in "\u200b\ufeff\u0007\u00ad\u2060"} | {"\u1100\u1161": "가", "\r\n": " "}
    texts, places = b"", {}
    for value in sorted(set(folded.values())):
        places[value] = len(texts)
        texts += value.encode() + b"\0"
    root = {}
    for key, value in folded.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = places[value]
    units, used = [0] * 256, {0}

    def place(node, at):
        base = next(b for b in range(1, 1 << 20) if all((b ^ label) not in used for label in node) and (at ^ b) < 1 << 21)
        units.extend([0] * (256 + base - len(units) + 256 if base + 512 > len(units) else 0))
        used.update(base ^ label for label in node)
        units[at] |= (at ^ base) << 10 | (1 << 8 if 0 in node else 0)
        for label, child in node.items():
            if label == 0:
                units[base] = 1 << 31 | child
            else:
                units[base ^ label] = label
        for label, child in node.items():
            if label != 0:
                place(child, base ^ label)

    place(root, 0)
    array = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(array)) + array + texts


def unigram_pieces():
    """The most frequent parts of words, scored by how frequent they are: the package's own trainer gives other pieces at every run."""
    counts = collections.Counter()
    for word in " ".join(corpus()).split():
        word = BLANK + word
        counts.update(word[begin:end] for begin in range(len(word)) for end in range(begin + 1, min(begin + 7, len(word)) + 1))
    single = [piece for piece in counts if len(piece) == 1]
    longer = sorted((piece for piece in counts if len(piece) > 1), key=lambda piece: (-counts[piece] * len(piece), piece))[:200]
    total = sum(counts.values())
    scores = {piece: round(math.log(counts[piece] / total), 4) for piece in sorted(single) + longer if piece != "🙂"}
    return [(piece, 0.0) for piece in ["<pad>", "</s>", "<unk>"]] + [(piece, struct.unpack("<f", struct.pack("<f", score))[0]) for piece, score in scores.items()]


def t5(pieces, map_bytes, sentinels=4):
    vocabulary = pieces + [(f"<extra_id_{at}>", 0.0) for at in reversed(range(sentinels))]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.Precompiled(map_bytes)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"] + [f"<extra_id_{at}>" for at in range(sentinels)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def llama_pieces():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)])
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator([line.replace("🙂", "") for line in corpus()], trainers.BpeTrainer(vocab_size=480, special_tokens=specials, show_progress=False))
    vocabulary = tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.get)
    joined = [piece for piece in pieces[259:] if len(piece) > 1] + [BLANK * 2, BLANK * 3]
    return specials + joined + [piece for piece in pieces[259:] if len(piece) == 1]


def llama_merges(pieces):
    ids = {piece: at for at, piece in enumerate(pieces)}
    return [(piece[:at], piece[at:]) for piece in pieces for at in range(1, len(piece)) if piece[:at] in ids and piece[at:] in ids]


def llama(pieces, legacy):
    tokenizer = Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, llama_merges(pieces), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    if legacy:
        tokenizer.add_tokens([AddedToken("Ähren", normalized=True), AddedToken("<word>", single_word=True, normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return tokenizer


def other_steps():
    """Components that the families above do not use."""
    tokenizer = Tokenizer(models.Unigram(unigram_pieces(), unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Split("-", "merged_with_previous"),
                                                       pre_tokenizers.Split(Regex(r"[.,!?…]+"), "merged_with_next"), pre_tokenizers.Metaspace(prepend_scheme="never", split=True)])
    tokenizer.decoder = decoders.WordPiece("##", True)
    tokenizer.add_tokens([AddedToken("CAFÉ", normalized=True, rstrip=True)])
    tokenizer.post_processor = processors.BertProcessing(("</s>", 1), ("<pad>", 0))
    return tokenizer


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(*fields):
    out = b""
    for number, value in fields:
        if isinstance(value, float):
            out += varint(number << 3 | 5) + struct.pack("<f", value)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def sentencepiece(pieces, model, map_bytes, single_spaces):
    """A SentencePiece model file."""
    def kind(piece):
        return 2 if piece == "<unk>" else 3 if piece in ("<s>", "</s>", "<pad>") else 6 if piece.startswith("<0x") else 1
    out = b"".join(message((1, message((1, piece), (2, float(score)), (3, kind(piece))))) for piece, score in pieces)
    out += message((2, message((3, model), (35, int(model == 2)))))
    return out + message((3, message((1, "made_up"), (2, map_bytes), (3, 1), (4, int(single_spaces)), (5, 1))))


def rows(tokenizer):
    def row(text, pair, special, raw=None):
        done = tokenizer.encode(text, pair, add_special_tokens=special)
        shown = {"bytes": list(raw)} if raw else {"text": text}
        return {**shown, "pair": pair, "special": special, "ids": done.ids, "segments": done.type_ids,
                "decoded": tokenizer.decode(done.ids, skip_special_tokens=False), "decoded_skip": tokenizer.decode(done.ids)}
    for text in texts():
        yield row(text, None, False)
    for raw in MALFORMED:
        yield row(raw.decode(errors="replace"), None, False, raw)
    for first, second in [("the fox", "a dog"), ("", "dog"), ("fox", ""), (" the  fox", " dog\n"), ("", "")]:
        yield row(first, None, True)
        yield row(first, second, True)


def write(folder, tokenizer, files=None, config=None):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (files or {"tokenizer.json": json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False)}).items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n")
    (folder / "goldens.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(tokenizer)))


def vocabulary_files(tokenizer):
    model = json.loads(tokenizer.to_str())["model"]
    merges = "".join(" ".join(merge) + "\n" for merge in model["merges"])
    return {"vocab.json": json.dumps(model["vocab"], ensure_ascii=False), "merges.txt": "#version: 0.2\n" + merges}


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent / "tokenizers"
    map_bytes, pieces, bpe = charsmap(), unigram_pieces(), llama_pieces()
    write(root / "gpt2", gpt2())
    write(root / "roberta", roberta())
    write(root / "roberta_files", roberta(mask_strips=False), vocabulary_files(roberta()))  # as the class makes it of these files
    write(root / "qwen2", split_words(QWEN2, True))
    write(root / "llama3", llama3())
    write(root / "t5", t5(pieces, map_bytes))
    write(root / "t5_files", t5(pieces, map_bytes), {"spiece.model": sentencepiece(pieces, 1, map_bytes, True)}, {"extra_ids": 4})
    write(root / "llama", llama(bpe, True))
    write(root / "llama_files", llama(bpe, False), {"tokenizer.model": sentencepiece([(piece, -at) for at, piece in enumerate(bpe)], 2, b"", False)})
    write(root / "other_steps", other_steps())


main()
