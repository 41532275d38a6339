"""The tasks that judge a cache: contexts with questions, drawn from a seed. Sources/KVHost/Tasks draws the same kinds for evaluation.

A statement is `name value <end>`; prose stands between statements. A question follows its context and is answered by the next tokens:

    recall     <ask> name -> value
    lookup     <key> -> value value value (one passkey);  <ask> name name -> value;  <ask> <hop> name -> name value (two look-ups)
    fewshot    <ask> name name name -> label (examples `name name name label <end>` stand in the context)
    repeated   <ask> name -> value, where a fact was stated one to four times (the more often, the likelier it is asked)
"""
import random

from vocabulary import ASK, BOS, END, HOP, KEY, LABEL0, LABELS, NAME0, NAMES, SIZE, VALUE0, VALUES

NAME_IDS = range(NAME0, NAME0 + len(NAMES))
VALUE_IDS = range(VALUE0, VALUE0 + len(VALUES))
LABEL_IDS = range(LABEL0, LABEL0 + len(LABELS))
TASKS = ("recall", "lookup", "fewshot", "repeated")


def among_prose(statements, length, prose, rng):
    """The statements in random order, with prose of random lengths between them: `length` tokens, less if prose is None."""
    rng.shuffle(statements)
    room = length - 1 - sum(map(len, statements))
    cuts = sorted(rng.randint(0, max(room, 0)) for _ in statements)
    tokens, last = [BOS], 0
    for cut, statement in zip(cuts, statements):
        tokens += prose(cut - last) + statement
        last = cut
    return tokens + prose(max(room, 0) - last)


def recall(length, rng, prose, share):
    facts = dict(zip(rng.sample(NAME_IDS, min(max(2, int(length * share / 3)), 200)), rng.choices(VALUE_IDS, k=200)))
    context = among_prose([[n, v, END] for n, v in facts.items()], length, prose, rng)
    return context, lambda: (lambda n: ([ASK, n], [facts[n]]))(rng.choice(list(facts)))


def repeated(length, rng, prose, share):
    facts, times, room = {}, {}, int(length * share / 3)
    for n in rng.sample(NAME_IDS, 200):
        times[n] = rng.randint(1, 4)
        facts[n] = rng.choice(VALUE_IDS)
        room -= times[n]
        if room <= 0:
            break
    context = among_prose([[n, v, END] for n, v in facts.items() for _ in range(times[n])], length, prose, rng)
    return context, lambda: (lambda n: ([ASK, n], [facts[n]]))(rng.choices(list(facts), weights=times.values())[0])


def lookup(length, rng, prose, share):
    room = int(length * share)
    count = max(1, min(room // 11, 60))
    names = iter(rng.sample(NAME_IDS, min(4 * count, len(NAMES))))
    firsts = rng.sample(NAME_IDS, max(2, count // 2))
    key = rng.choices(VALUE_IDS, k=3)
    pairs, hops, ends = {}, {}, {}
    for _ in range(count):
        pairs[rng.choice(firsts), rng.choice(firsts)] = rng.choice(VALUE_IDS)
        taken = set(firsts)
        hop = [n for n in (next(names, None), next(names, None)) if n is not None and n not in taken]
        if len(hop) == 2:
            hops[hop[0]], ends[hop[1]] = hop[1], rng.choice(VALUE_IDS)
    statements = [[KEY, *key, END]] + [[a, b, v, END] for (a, b), v in pairs.items()]
    statements += [[HOP, a, b, END] for a, b in hops.items()] + [[b, v, END] for b, v in ends.items()]

    def question():
        kind = rng.random()
        if kind < 0.15:
            return [KEY], key
        if kind < 0.6 or not hops:
            (a, b), v = rng.choice(list(pairs.items()))
            return [ASK, a, b], [v]
        a = rng.choice(list(hops))
        return [ASK, HOP, a], [hops[a], ends[hops[a]]]

    return among_prose(statements, length, prose, rng), question


def fewshot(length, rng, prose, share):
    classes = rng.randint(3, 8)
    features = rng.sample(NAME_IDS, 4 * classes)
    labels = rng.sample(LABEL_IDS, classes)

    def example(noise):
        c = rng.randrange(classes)
        names = rng.sample(features[4 * c : 4 * c + 4], 3)
        return [n if rng.random() >= noise else rng.choice(NAME_IDS) for n in names], labels[c]

    statements = [[*names, label, END] for names, label in (example(0.1) for _ in range(max(4, int(length * share / 5))))]
    context = among_prose(statements, length, prose, rng)

    def question():
        names, label = example(0)
        return [ASK, *names], [label]

    return context, question


MAKERS = {"recall": recall, "lookup": lookup, "fewshot": fewshot, "repeated": repeated}


def case(task, length, rng, prose, share):
    """One context of `length` tokens, `share` of them in statements, and a function that draws its questions."""
    return MAKERS[task](length, rng, prose, share)


def repeats(length, rng):
    """A run of random tokens, repeated at random distances: what induction is learnt from. (tokens, loss mask)"""
    run = [rng.randrange(NAME0, SIZE) for _ in range(rng.randint(6, length // 2 - 2))]
    tokens, mask = [], []
    while len(tokens) < length:
        gap = [rng.randrange(NAME0, SIZE) for _ in range(rng.randint(0, 6))]
        mask += [0] * len(gap) + [0 if not mask else 0] + [2 if tokens else 0] * (len(run) - 1)
        tokens += gap + run
    return tokens[:length], mask[:length]


def sequence(kind, length, rng, prose):
    """Tokens and loss mask of one training row: 0 nothing, 1 answers, 2 repeats, 3 prose."""
    if kind == "repeats":
        return repeats(length, rng)
    if kind == "prose":
        return [BOS] + prose(length - 1), [0] + [3] * (length - 1)
    share = rng.uniform(0.25, 0.9) if rng.random() < 0.5 else rng.uniform(0.05, 0.25)
    if kind == "fewshot":
        share = max(share, 0.4)
    tokens, question = case(kind, int(length * rng.uniform(0.6, 0.8)), rng, prose, share)
    mask = [0] * len(tokens)
    while len(tokens) < length:
        ask, answer = question()
        tokens = tokens + ask + answer + [END]
        mask += [0] * len(ask) + [1] * len(answer) + [0]
    return tokens[:length], mask[:length]
