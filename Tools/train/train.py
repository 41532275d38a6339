"""Trains the small model on a mixture of tasks that need a long context; seeded, and resumable at any time.

    python train.py --out run.pt [--hours 2] [--threads 1] [--length 2048] [--seed 0]

Rows are short at first and double whenever the tasks are learnt at the present length, up to `--length`; then lengths are mixed.
"""
import argparse
import math
import os
import random
import time

import torch
import torch.nn.functional as F

import prose as books
from model import Model, Shape
from tasks import TASKS, sequence

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", default="run.pt")
parser.add_argument("--hours", type=float, default=2)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--length", type=int, default=2048)
parser.add_argument("--tokens", type=int, default=8192, help="tokens of one step")
parser.add_argument("--rate", type=float, default=3e-3)
parser.add_argument("--rush", action="store_true", help="cool down over the whole of --hours")
parser.add_argument("--grow", type=float, default=0.9, help="mean accuracy at which rows double")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

torch.set_num_threads(options.threads)
torch.manual_seed(options.seed)
rng = random.Random(options.seed)
text, _ = books.tokens()


def prose(length):
    start = rng.randrange(len(text) - length)
    return text[start : start + length]


model = Model(Shape())
matrices = [p for b in model.blocks for p in b.parameters() if p.dim() == 2]
others = [p for p in model.parameters() if all(p is not m for m in matrices)]
optimizers = [
    torch.optim.Muon(matrices, lr=options.rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
    torch.optim.AdamW(others, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.0),
]
state = {"step": 0, "seconds": 0.0, "length": 64, "accuracy": {t: 0.0 for t in (*TASKS, "repeats")}}
if os.path.exists(options.out):
    saved = torch.load(options.out, weights_only=False)
    model.load_state_dict(saved["model"])
    for optimizer, s in zip(optimizers, saved["optimizers"]):
        optimizer.load_state_dict(s)
    state = saved["state"]
    rng.seed(options.seed + state["step"])
    print("resumed at step", state["step"], "rows of", state["length"])


def save():
    saved = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "state": state, "shape": model.config()}
    torch.save(saved, options.out + ".new")
    os.replace(options.out + ".new", options.out)


began, since = time.time(), 0
while (elapsed := time.time() - began) < options.hours * 3600:
    length, accuracy, step = state["length"], state["accuracy"], state["step"]
    if length == options.length:  # long rows are dear: most of the rest is learnt on shorter ones
        length = rng.choice((256, 512, 1024, length))
    early = min(accuracy.values()) < 0.5
    weights = {"repeats": 0.35 if early else 0.08, "prose": 0.12 if early else 0.4}
    for task in TASKS:  # what is not learnt yet is practised more
        weights[task] = 0.1 + 0.6 * (1 - accuracy[task])
    kinds = rng.choices(list(weights), weights=weights.values(), k=options.tokens // length)
    rows = [sequence(kind, length, rng, prose) for kind in kinds]
    tokens, mask = torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])[:, 1:]

    rate = options.rate * min(1, (step + 1) / 50)
    rate *= max(0.05, 1 - max(0, elapsed / (options.hours * 3600) - (0 if options.rush else 0.6)) / (1 if options.rush else 0.4))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
    logits = model(tokens[:, :-1])
    losses = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1), reduction="none").view(mask.shape)
    parts = {k: losses[mask == k].mean() for k in (1, 2, 3) if (mask == k).any()}
    loss = sum(part * (0.5 if k == 3 else 1) for k, part in parts.items())
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()

    right = logits.argmax(-1) == tokens[:, 1:]
    for kind in set(kinds) - {"prose"}:
        of_kind = torch.tensor([k == kind for k in kinds])[:, None] & ((mask == 1) | (mask == 2))
        if of_kind.any():
            accuracy[kind] += 0.1 * (right[of_kind].float().mean().item() - accuracy[kind])
    state["step"] += 1
    state["seconds"] += (time.time() - began) - elapsed
    since += 1
    if step % 20 == 0:
        shown = " ".join(f"{k} {a:.3f}" for k, a in accuracy.items())
        print(step, length, f"{state['seconds']:.0f}s", shown, f"prose {parts[3].item() if 3 in parts else math.nan:.3f}", flush=True)
    if step % 100 == 99:
        save()
    if state["length"] < options.length and since > 20 and sum(accuracy[t] for t in TASKS) / len(TASKS) > options.grow:
        state["length"], since = length * 2, 0
        print("rows of", state["length"], f"at {state['seconds']:.0f}s", flush=True)
save()
