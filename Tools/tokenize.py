#!/usr/bin/env python3
"""Write the token ids of a text for `kvc score --tokens`, as {"tokens": [...]}.

    python3 Tools/tokenize.py path/to/tokenizer.json text.txt -o tokens.json

takes the tokenizer of a Hugging Face folder; needs the package `tokenizers`
(Tools/requirements.txt).
"""

if __name__ != "__main__":
    # This file's name hides Python's own module from the tools beside it: who imports it gets that one.
    import importlib.machinery
    import sys
    import sysconfig

    own = importlib.machinery.PathFinder.find_spec("tokenize", [sysconfig.get_path("stdlib")])
    own.loader.exec_module(sys.modules[__name__])
else:
    import argparse
    import json
    import pathlib

    from tokenizers import Tokenizer

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tokenizer", type=pathlib.Path, help="tokenizer.json, or its folder")
    parser.add_argument("text", type=pathlib.Path, help="a UTF-8 text")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="where to write; else standard output")
    parser.add_argument("--plain", action="store_true", help="add no tokens that begin or end a text")
    parser.add_argument("--most", type=int, help="write only so many, the first ones")
    options = parser.parse_args()

    path = options.tokenizer
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json" if path.is_dir() else path))
    text = options.text.read_text(encoding="utf-8")
    ids = tokenizer.encode(text, add_special_tokens=not options.plain).ids[: options.most]
    result = json.dumps({"tokens": ids}) + "\n"
    if options.output:
        options.output.write_text(result, encoding="utf-8")
    else:
        print(result, end="")
