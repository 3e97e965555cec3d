"""Writes the binary seeds of the fuzz targets: safetensors files, tokenizer folders with a SentencePiece model, and a library.

usage: make_seeds.py        (writes beside this script, into corpus/)
"""
import json
import pathlib
import struct
import subprocess

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
TEXT = "the fox, don't <x>\u0301 \u00e9 12\n"  # what a tokenizer seed starts with


def safetensors(header, data):
    return struct.pack("<Q", len(header)) + header.encode() + data


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def field(number, kind, payload):
    return varint(number << 3 | kind) + payload


def text_field(number, payload):
    payload = payload.encode() if isinstance(payload, str) else payload
    return field(number, 2, varint(len(payload)) + payload)


def integer(number, value):
    return field(number, 0, varint(value))


def piece(text, score, kind):
    return text_field(1, text_field(1, text) + field(2, 5, struct.pack("<f", score)) + integer(3, kind))


def member(name, data):
    return f"=== {name}\n".encode() + data


def write(name, data):
    (CORPUS / name).write_bytes(data)


write("safetensors/empty", safetensors("{}", b""))
compact = dict(separators=(",", ":"))
write("safetensors/scalar_and_none", safetensors(json.dumps({
    "s": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
    "e": {"dtype": "U8", "shape": [0, 4], "data_offsets": [8, 8]}}, **compact), bytes(8)))
write("safetensors/two", safetensors(json.dumps({
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
    "b": {"dtype": "BF16", "shape": [3], "data_offsets": [8, 14]}}) + "   ", bytes(range(14))))

LLAMA = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<0x2C>", 0, 6), ("\u2581t", -1, 1), ("\u2581the", -1.5, 1), ("he", -2, 1), ("\u2581", -3, 1),
         ("t", -3, 1), ("h", -3, 1), ("e", -3, 1)]
T5 = [("<pad>", 0, 3), ("</s>", 0, 3), ("<unk>", 0, 2), ("\u2581the", -1, 1), ("\u2581", -2, 1), ("fox", -2.5, 1)]


def sentencepiece(pieces, model_type, byte_fallback, remove_extra_whitespaces):
    trainer = integer(3, model_type) + integer(35, byte_fallback)
    normalizer = text_field(1, "made_up") + text_field(2, "") + integer(3, 1) + integer(4, remove_extra_whitespaces) + integer(5, 1)
    return b"".join(piece(*p) for p in pieces) + text_field(2, trainer) + text_field(3, normalizer)


write("tokenizer/llama", TEXT.encode() + member("tokenizer.model", sentencepiece(LLAMA, 2, 1, 0)))
write("tokenizer/t5", TEXT.encode() + member("spiece.model", sentencepiece(T5, 1, 0, 1)) + member("tokenizer_config.json", b'{"extra_ids": 2}'))

# A plugin's symbols in the smallest library that the linker makes, without its table of all symbols.
LIBRARY = """
__attribute__((visibility("default"))) const char tsrun_abi_4_torch_2_13_0_cxx11_1 = 1;
__attribute__((visibility("default"))) void tsrun_plugin_register(void *registry) {}
"""
(CORPUS / "plugin").mkdir(exist_ok=True)
subprocess.run(["gcc", "-x", "c", "-", "-shared", "-fPIC", "-nostdlib", "-Os", "-fno-asynchronous-unwind-tables", "-s", "-o", CORPUS / "plugin/stripped",
                "-Wl,-z,noseparate-code,--build-id=none,--hash-style=sysv"], input=LIBRARY.encode(), check=True)
