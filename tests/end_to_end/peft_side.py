"""PEFT's side of the exchange of folders (exchanges_folders_with_peft.sh).

usage: peft_side.py train MODEL TASK OUT METHOD…    OUT/base/: the model with a pooler and a head, whether it had them or not; OUT/<method>/: what PEFT
                                                    saves after some steps of each method on that, and OUT/<method>.jsonl their logits
       peft_side.py logits MODEL TASK FOLDER…       <FOLDER>.jsonl: what PEFT makes of the rows of the dev split with each folder on the model
       peft_side.py compare FOUND EXPECTED TASK     of `tsrun predict` (or this script) and this script: the largest difference of logits, the
                                                    accuracy of both; fails when they differ by more than 1e-4, or in accuracy

MODEL: a BERT as a Hugging Face folder. TASK: a classification as a folder with a task.toml, tab-separated with a header and no quotes.
"""
import json
import os
import sys
import tomllib

STEPS, BATCH, MAX_LENGTH, VIRTUAL = 6, 16, 512, 5
RATES = {"lora": 3e-3, "lora_rules": 3e-3, "lora_tables": 3e-3, "lora_tokens": 3e-3, "ia3": 3e-2, "ln_tuning": 1e-2, "prompt": 1e-1, "prefix": 1e-1,
         "vera": 3e-2, "fourierft": 1e-1, "vblora": 3e-2, "randlora": 3e-3, "tinylora": 3e-2, "loha": 1e-2, "lokr": 1e-2,
         "oft": 1e-2, "boft": 1e-2, "hra": 1e-2, "miss": 3e-3, "adalora": 1e-2}


class Task:
    def __init__(self, folder):
        with open(os.path.join(folder, "task.toml"), "rb") as f:
            self.toml = tomllib.load(f)
        self.folder, self.labels = folder, self.toml["labels"]

    def rows(self, split):
        with open(os.path.join(self.folder, self.toml["splits"][split]), encoding="utf-8") as f:
            lines = [line.rstrip("\n").split("\t") for line in f]
        columns = {name: i for i, name in enumerate(lines[0])}
        texts = [[row[columns[name]] for row in lines[1:]] for name in self.toml["text"]]
        return texts, [self.labels.index(row[columns[self.toml["label"]]]) for row in lines[1:]]


def configs():
    import peft
    prompts = dict(task_type="SEQ_CLS", num_virtual_tokens=VIRTUAL)
    return {"lora": peft.LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, lora_dropout=0.1, target_modules=["query", "value"]),
            "lora_rules": peft.LoraConfig(task_type="SEQ_CLS", r=4, use_dora=True, bias="all", target_modules=r".*layer\.\d+\..*(query|dense)",
                                          exclude_modules=r".*layer\.0\.attention\.output\.dense", rank_pattern={"dense": 2, "output.dense": 3}),
            "lora_tables": peft.LoraConfig(task_type="SEQ_CLS", r=4, use_rslora=True, target_modules=["word_embeddings", "position_embeddings", "key"]),
            "lora_tokens": peft.LoraConfig(task_type="SEQ_CLS", r=4, bias="lora_only", lora_bias=True, layers_to_transform=[0], target_modules=["value"],
                                           modules_to_save=["pooler"], trainable_token_indices=[1, 2, 3]),
            "vera": peft.VeraConfig(task_type="SEQ_CLS", r=16, bias="vera_only", target_modules=["query", "output.dense"]),
            "fourierft": peft.FourierFTConfig(task_type="SEQ_CLS", n_frequency=100, target_modules=["query", "intermediate.dense"]),
            "vblora": peft.VBLoRAConfig(task_type="SEQ_CLS", num_vectors=32, vector_length=16, vblora_dropout=0.1, target_modules=["query", "value"]),
            "randlora": peft.RandLoraConfig(task_type="SEQ_CLS", r=16, randlora_alpha=32, sparse=True, target_modules=["query", "output.dense"]),
            "tinylora": peft.TinyLoraConfig(task_type="SEQ_CLS", u=16, weight_tying=0.5, init_weights="uniform", target_modules="all-linear"),
            "loha": peft.LoHaConfig(task_type="SEQ_CLS", r=4, rank_pattern={"key": 2}, target_modules=["query", "key"]),
            "lokr": peft.LoKrConfig(task_type="SEQ_CLS", r=4, decompose_both=True, target_modules=["value", "output.dense"]),
            "oft": peft.OFTConfig(task_type="SEQ_CLS", oft_block_size=8, target_modules=["query", "value"]),
            "boft": peft.BOFTConfig(task_type="SEQ_CLS", boft_block_size=4, target_modules=["query", "value"]),
            "hra": peft.HRAConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "output.dense"]),
            "miss": peft.MissConfig(task_type="SEQ_CLS", r=8, target_modules=["query", "value"]),
            "adalora": peft.AdaLoraConfig(task_type="SEQ_CLS", init_r=6, target_r=4, total_step=100, tinit=10, tfinal=20, target_modules=["query", "value"]),
            "ia3": peft.IA3Config(task_type="SEQ_CLS"),
            "ln_tuning": peft.LNTuningConfig(task_type="SEQ_CLS", target_modules=["LayerNorm"]),
            "prompt": peft.PromptTuningConfig(**prompts),
            "prefix": peft.PrefixTuningConfig(**prompts)}


def base(model, task):
    import torch
    import transformers as hf
    torch.manual_seed(0)
    net = hf.AutoModelForSequenceClassification.from_pretrained(model, num_labels=len(task.labels), attn_implementation="eager")
    return net, hf.AutoTokenizer.from_pretrained(model)


def encoded(tokenizer, texts, rows, net):
    room = min(MAX_LENGTH, net.config.max_position_embeddings) - VIRTUAL
    return tokenizer(*[[column[i] for i in rows] for column in texts], truncation=True, max_length=room, padding=True, return_tensors="pt")


def write_logits(net, tokenizer, task, path):
    import torch
    texts, labels = task.rows("dev")
    with torch.no_grad(), open(path, "w", encoding="utf-8") as f:
        for first in range(0, len(labels), 32):
            rows = range(first, min(first + 32, len(labels)))
            for logits in net(**encoded(tokenizer, texts, rows, net)).logits.tolist():
                f.write(json.dumps({"logits": logits}) + "\n")


def train(model, task, out, methods):
    import peft
    import torch
    texts, labels = task.rows("train")
    for part in base(model, task):
        part.save_pretrained(os.path.join(out, "base"))
    model = os.path.join(out, "base")
    for method in methods:
        net, tokenizer = base(model, task)
        net = peft.get_peft_model(net, configs()[method]).train()
        optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=RATES[method])
        for step in range(STEPS):
            rows = [i % len(labels) for i in range(step * BATCH, (step + 1) * BATCH)]
            net(**encoded(tokenizer, texts, rows, net), labels=torch.tensor([labels[i] for i in rows])).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        net.save_pretrained(os.path.join(out, method))
        write_logits(net.eval(), tokenizer, task, os.path.join(out, method + ".jsonl"))


def load(model, task, folders):
    import peft
    for folder in folders:
        net, tokenizer = base(model, task)
        write_logits(peft.PeftModel.from_pretrained(net, folder).eval(), tokenizer, task, folder.rstrip("/") + ".jsonl")


def compare(found, expected, task):
    tables = [[json.loads(line)["logits"] for line in open(path, encoding="utf-8")] for path in (found, expected)]
    labels = task.rows("dev")[1]
    assert len(tables[0]) == len(tables[1]) == len(labels), [len(labels)] + [len(table) for table in tables]
    distance = max(abs(a - b) for rows in zip(*tables) for a, b in zip(*rows))
    right = [sum(row.index(max(row)) == label for row, label in zip(table, labels)) for table in tables]
    print(f"{found}: {len(labels)} rows, logits differ by {distance:.1e} at most, right {right[0]} and {right[1]} ({right[0] / len(labels):.4f})")
    assert distance < 1e-4 and right[0] == right[1]


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if sys.argv[1] == "train":
        train(sys.argv[2], Task(sys.argv[3]), sys.argv[4], sys.argv[5:])
    elif sys.argv[1] == "logits":
        load(sys.argv[2], Task(sys.argv[3]), sys.argv[4:])
    else:
        compare(sys.argv[2], sys.argv[3], Task(sys.argv[4]))
