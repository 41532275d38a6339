"""The vocabulary of the small model: control tokens, whole words for names, values and labels, then pieces of prose.

Ids are fixed by their order here: 0 <pad>, 1 <s>, 2 </s>, 3 <ask>, 4 <hop>, 5 <key>, 6 <end>, 7 <unk>, 8... names, then values, then
labels, then the pieces that SentencePiece learnt from the prose (prose.model beside this file).
"""
from pathlib import Path

HERE = Path(__file__).parent
CONTROLS = ["<pad>", "<s>", "</s>", "<ask>", "<hop>", "<key>", "<end>", "<unk>"]
PAD, BOS, EOS, ASK, HOP, KEY, END, UNK = range(8)
WORDS = {line.split(":")[0]: line.split(":")[1].split() for line in (HERE / "words.txt").read_text().splitlines() if line}
NAMES, VALUES, LABELS = WORDS["names"], WORDS["values"], WORDS["labels"]
NAME0 = len(CONTROLS)
VALUE0 = NAME0 + len(NAMES)
LABEL0 = VALUE0 + len(VALUES)
PROSE0 = LABEL0 + len(LABELS)
SIZE = 1024
PIECES = SIZE - PROSE0
