"""Prose for the small model: cleans public-domain books, learns pieces for them (SentencePiece BPE), splits train from held-out."""
import os
import re
import sys
import unicodedata
from pathlib import Path

import sentencepiece

import vocabulary

BOOKS = sorted((vocabulary.HERE / "prose").glob("*.txt"))
HELD_OUT = 0.06  # the last share of each book is never trained on


def cleaned(raw: str) -> str:
    """A Project Gutenberg text without its header, licence, illustrations and typography."""
    text = unicodedata.normalize("NFKC", raw.lstrip("\ufeff"))
    start, end = re.search(r"\*\*\* ?START OF.*?\*\*\*", text), re.search(r"\*\*\* ?END OF", text)
    text = text[start.end() if start else 0 : end.start() if end else len(text)]
    text = text[max(text.find("FOREWORD\n"), 0) :]  # title pages
    notes = text.find("Transcriber")
    text = text[: notes if notes > len(text) // 2 else len(text)]
    for fancy, plain in {"“": '"', "”": '"', "‘": "'", "’": "'", "—": " - ", "–": "-", "…": "...", "_": ""}.items():
        text = text.replace(fancy, plain)
    text = re.sub(r"\[[^\]]{0,200}\]", " ", text).encode("ascii", "ignore").decode()
    return re.sub(r"\s+", " ", re.sub(r"[^A-Za-z0-9 .,;:!?'\"()\-\n]", " ", text)).strip()


def learn():
    """Writes prose.model, the pieces of the cleaned books."""
    os.chdir(vocabulary.HERE)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(part for book in BOOKS for part in book.read_text().split(". ")),
        model_prefix="prose",  # the file says it, so no path of a machine
        vocab_size=vocabulary.PIECES + 1,  # its <unk> takes no id of ours
        model_type="bpe", character_coverage=1.0, bos_id=-1, eos_id=-1, pad_id=-1, unk_id=0, hard_vocab_limit=True,
        normalization_rule_name="identity", minloglevel=2, num_threads=1, split_digits=True,
    )


def tokens():
    """The ids of all books: (train, held out)."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary.HERE / "prose.model"))
    train, held_out = [], []
    for book in BOOKS:
        text = book.read_text()
        cut = text.rfind(". ", 0, int(len(text) * (1 - HELD_OUT))) + 1
        for part, into in ((text[:cut], train), (text[cut:], held_out)):
            into += [vocabulary.UNK if i == 0 else vocabulary.PROSE0 + i - 1 for i in pieces.encode(part)]
    return train, held_out


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        (vocabulary.HERE / "prose").mkdir(exist_ok=True)
        (vocabulary.HERE / "prose" / path.name).write_text(cleaned(path.read_text()))
    BOOKS = sorted((vocabulary.HERE / "prose").glob("*.txt"))
    learn()
    print(*(len(part) for part in tokens()))
