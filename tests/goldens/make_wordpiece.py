#!/usr/bin/env python3
"""Writes wordpiece.jsonl: rows as transformers' BertTokenizer makes them, over a vocabulary made up for this test.

Usage: make_wordpiece.py [FOLDER], with transformers 5.x installed. The first line of the file holds the vocabulary; every other line holds the options of
a tokenizer, one or two texts, the length to truncate to (or null), and the ids and segments expected.
"""
import json
import pathlib
import random
import sys
import tempfile

from transformers import BertTokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the a an old young quick slow fox dog cat bird river house garden runs sleeps sings jumps over under near with and or not never
cafe naive resume istanbul strasse uber facade The Fox Dog Cafe Naïve Café café naïve straße über i I don t s 3 14 2026""".split()
PIECES = ["##" + piece for piece in ["s", "ed", "ing", "er", "est", "ly", "ness", "un", "re", "##", "ß", "é", "e", "t", "a", "i", "1", "4"]]
CHARACTERS = list(".,!?;:'\"()[]#$%&*+-/<=>@^_`{|}~") + list("日本語中国猫犬") + ["。", "、", "¿", "«", "»", "—", "…", "€", "한국어", "α", "σ", "ς", "Σ", "б"]
VOCABULARY = list(dict.fromkeys(SPECIALS + WORDS + PIECES + CHARACTERS))

TOKENIZERS = [
    {"do_lower_case": True},
    {"do_lower_case": False},
    {"do_lower_case": True, "strip_accents": False},
    {"do_lower_case": False, "strip_accents": True},
    {"do_lower_case": True, "tokenize_chinese_chars": False},
]
TEXTS = [
    "", " ", "\t\n\r ", "The quick fox jumps over the slow dog.", "Don't!", "3.14, 2026...", "unquick foxes jumped", "housing",
    "Café naïve CAFÉ cafe\u0301 İstanbul I\u0307 straße STRASSE über", "日本語と中国の猫。", "the日本fox", "한국어", "ΣΑΣ α ς", "\u4e00\ufa0e\U0002b820\U0002b920",
    "fox\u0000\u0007dog\ufffdcat", "fox\u200bdog\u00adcat\ufeff", "fox\u00a0dog\u2028cat\u3000bird\u0085", "¿«the»—fox…", "$3 + 4 = 7 ^_^ `a` |b| ~",
    "[CLS] the fox [SEP] the dog [MASK] [PAD] [UNK]", "[sep] [SEP", "the[MASK]fox", "[ MASK ]", "##ing # ##", "a" * 100, "a" * 101, "é" * 101,
    "\u0301fox", "fo\u0301\u0327x", "\u1885fox\u1734", "fox\u061ddog", "\ua9bd\U000111c9", "\U00011938", "👩\u200d👩\u200d👧 fox", "\ue000fox\U000e0001",
]
POOL = TEXTS[3:9] + ["[SEP]", "fox", "The", " ", "日", "é", "#", "##s", "\n", "Ω", "jumps over", "'", "\u0300"]


def cases():
    draw = random.Random(7)
    for text in TEXTS:
        yield text, None, None
    for _ in range(30):
        yield " ".join(draw.choices(POOL, k=4)) + "".join(draw.choices(POOL, k=3)), None, draw.choice([None, 2, 3, 9])
    for first in range(0, 8):
        for second in (1, 3, 4, 7):
            for length in (3, 4, 8, 9):
                yield "the " * first, "fox " * second, length


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    folder = folder if folder.is_dir() else folder.parent
    rows = [{"vocabulary": VOCABULARY}]
    for options in TOKENIZERS:
        with tempfile.TemporaryDirectory() as model:
            pathlib.Path(model, "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
            pathlib.Path(model, "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", **options}))
            pathlib.Path(model, "config.json").write_text('{"model_type": "bert"}')
            tokenizer = BertTokenizer.from_pretrained(model)
        for first, second, length in cases() if options == TOKENIZERS[0] else [case for case in cases() if case[1] is None]:
            limit = {} if length is None else {"truncation": True, "max_length": length}
            row = tokenizer([first], [second] if second is not None else None, **limit)
            rows.append({**options, "first": first, "second": second, "max_length": length, "ids": row.input_ids[0], "segments": row.token_type_ids[0]})
    (folder / "wordpiece.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


main()
