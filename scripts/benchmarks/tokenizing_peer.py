"""Speed of the tokenizers package on what bench_tokenizing measures; one JSON line. usage: tokenizing_peer.py MODEL_FOLDER TEXT_FILE [--threads 2]"""
import argparse, json, os, time

p = argparse.ArgumentParser()
p.add_argument("folder")
p.add_argument("text")
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()
os.environ["RAYON_NUM_THREADS"], os.environ["TOKENIZERS_PARALLELISM"] = str(a.threads), "true"
from tokenizers import Tokenizer  # reads the environment

tokenizer = Tokenizer.from_file(os.path.join(a.folder, "tokenizer.json"))
tokenizer.no_truncation()
tokenizer.no_padding()
text = open(a.text, encoding="utf-8", newline="").read()
once = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
lines, size = [], 0
while size < 20_000_000:
    lines += once
    size += len(text.encode())
encode = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)
encode(lines[:1000])
begin = time.perf_counter()
rows = encode(lines)
seconds = time.perf_counter() - begin
print(json.dumps({"bytes": size, "lines": len(lines), "ids": sum(len(row.ids) for row in rows), "threads": a.threads, "seconds": seconds}))
