"""Writes trained_bpe.json: merges, vocabularies and ids of Hugging Face's BpeTrainer over the byte alphabet, of small texts.

Run with tokenizers 0.23: python3 tests/goldens/make_trained_bpe.py
"""
import json
import os
import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

FOLDER = os.path.dirname(os.path.abspath(__file__))
END = "<|endoftext|>"


def invented(seed, words, count):
    """Sentences of invented words, frequent ones first in a list of Zipf's weights."""
    draw = random.Random(seed)
    stems = ["".join(draw.choice("bdfgklmnprst") + draw.choice("aeiou") for _ in range(draw.randint(1, 4))) for _ in range(words)]
    weights = [1 / (rank + 1) for rank in range(words)]
    return [" ".join(draw.choices(stems, weights, k=12)) + draw.choice([".", "!", " 's", "?\n"]) for _ in range(count)]


CASES = {
    "few": {"vocabulary_size": 290, "min_frequency": 1,
            "texts": ["The cat's cats catch 12 rats,\n\n  don't they? They do!", "aaaa aaaaa abab ababab 'll we'll"]},
    # every pair occurs equally often, and one token can be spelt in two ways
    "ties": {"vocabulary_size": 330, "min_frequency": 0, "texts": ["zy yx xw wv abc bca cab aab abb aabb", "abcabc bcabca cabcab zyxw"]},
    "frequent": {"vocabulary_size": 600, "min_frequency": 5, "texts": invented(1, 200, 60)},
    "scripts": {"vocabulary_size": 420, "min_frequency": 1,
                "texts": ["Größe und Straße, straßauf, straßab.", "кошка кошки кошке 123 1234", "猫が猫を見る 🙂🙂"] + invented(2, 40, 12)},
}
ROWS = ["The cats", "ab abc aabb aaaa", "Straße кошками 猫 🙂", "don't\n\n we'll 1234", "lodu kema ripo"]


def train(case):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=case["vocabulary_size"], min_frequency=case["min_frequency"], special_tokens=[END],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(case["texts"], trainer)
    return tokenizer


def golden(case):
    tokenizer = train(case)
    model = json.loads(tokenizer.to_str())["model"]
    rows = [{"text": text, "ids": tokenizer.encode(text).ids} for text in ROWS + case["texts"][:2]]
    return {**case, "merges": model["merges"], "vocab": model["vocab"], "rows": rows}


if __name__ == "__main__":
    with open(os.path.join(FOLDER, "trained_bpe.json"), "w", encoding="utf-8") as file:
        json.dump({name: golden(case) for name, case in CASES.items()}, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
