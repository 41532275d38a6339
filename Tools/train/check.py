"""Accuracy of a trained model with its full context, per task and length, and without the context (chance).

    python check.py run.pt [questions]
"""
import random
import sys

import torch

import prose as books
from model import Model, Shape
from tasks import TASKS, case
from vocabulary import BOS, END

saved = torch.load(sys.argv[1], weights_only=False)
wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 200
model = Model(Shape(**saved["shape"]))
model.load_state_dict(saved["model"])
torch.set_num_threads(1)
_, text = books.tokens()


@torch.no_grad()
def accuracy(task, length, blind=False):
    rng, right, asked = random.Random(10_000 + length), 0, 0

    def prose(n):
        start = rng.randrange(len(text) - n)
        return text[start : start + n]

    while asked < wanted:
        tokens, question = case(task, length, rng, prose, 0.5 if task == "fewshot" else 0.1)
        tokens, spans, known = ([BOS] if blind else tokens), [], set()
        for ask, answer in (question() for _ in range(1 if blind else 40)):
            # Asked twice, the first answer would tell the second.
            if (name := ask[-1]) in known:
                continue
            known.add(name)
            spans.append((len(tokens) + len(ask), answer))
            tokens = tokens + ask + answer + [END]
        best = model(torch.tensor([tokens]))[0].argmax(-1).tolist()
        right += sum(all(best[at + i - 1] == a for i, a in enumerate(answer)) for at, answer in spans)
        asked += len(spans)
    return right / asked


for task in TASKS:
    shown = " ".join(f"{length}: {accuracy(task, length):.3f}" for length in (512, 1024, 2048))
    print(f"{task:9} {shown}  without context: {accuracy(task, 64, blind=True):.3f}", flush=True)
with torch.no_grad():
    rows = torch.tensor([[BOS] + text[i : i + 511] for i in range(0, len(text) - 511, 1024)])
    logits = model(rows)[:, :-1]
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), rows[:, 1:].reshape(-1))
print(f"prose     {loss:.3f} nats per token of text never trained on")
