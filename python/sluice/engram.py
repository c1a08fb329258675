# SPDX-License-Identifier: Apache-2.0
"""Builds the table that maps a tokenizer's ids to the compressed ids of n-gram memories.

    python -m sluice.engram tokenizer.json -o compression.safetensors --expect 99092

Tokens that read alike (case, accents, runs of white space) share an id, so that an n-gram is found however it is
written. The table is one i32 tensor, `engram.compression` [tokens], with its number of ids in the file's metadata
(`engram.ids`). That number is part of every hash, so --expect refuses a tokenizer that leads to another one.
"""

import argparse
import hashlib
import json
import os
import re
import struct
import sys
import unicodedata
from pathlib import Path

#: Characters with the property White_Space. Python's str.strip() takes four control characters more.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" \
              "\u2028\u2029\u202f\u205f\u3000"
#: Stands for a lone space while the ends are stripped; a character for private use that texts do not have.
LONE_SPACE = "\ue000"
TENSOR = "engram.compression"


class BadTable(ValueError):
    """A tokenizer or a table that the hashes were not made for."""


def normalise(text):
    """What two tokens have to share for one id; may be empty."""
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
    text = "".join(c for c in text if not unicodedata.category(c).startswith("M"))
    text = "".join(c.lower() for c in text)  # by character: no final sigma
    text = re.sub("[ \t\r\n]+", " ", text)
    if text == " ":
        text = LONE_SPACE
    return text.strip(WHITE_SPACE).replace(LONE_SPACE, " ")


def compression_table(tokens, decode, token_of):
    """A list of `tokens` compressed ids; new ids come in the order of the tokens.

    `decode(id)` gives the text of one id, special tokens included; `token_of(id)` the tokenizer's own string for it,
    which stands for tokens that are no text of their own (parts of a UTF-8 sequence).
    """
    seen, table = {}, []
    for token in range(tokens):
        text = decode(token)
        if "\ufffd" in text:
            key = token_of(token)
        else:
            key = normalise(text) or text
        table.append(seen.setdefault(key, len(seen)))
    return table


def table_of_tokenizer(path):
    """The table of a tokenizer.json (Hugging Face `tokenizers`), added tokens included."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises nothing more exact
        raise BadTable(f"{path}: not a tokenizer.json: {error}") from error
    return compression_table(tokenizer.get_vocab_size(with_added_tokens=True),
                             lambda token: tokenizer.decode([token], skip_special_tokens=False),
                             lambda token: tokenizer.id_to_token(token) or "")


def check_table(table, tokens=None, ids=None):
    """Raises BadTable unless `table` has `tokens` entries and leads to `ids` compressed ids."""
    count = 0
    for token, entry in enumerate(table):
        if not 0 <= entry <= count:
            raise BadTable(f"token {token} has the compressed id {entry}, expected 0 to {count}: new ids come in the "
                           "order of the tokens")
        count = max(count, entry + 1)
    if tokens is not None and len(table) != tokens:
        raise BadTable(f"the table has {len(table)} entries, expected one for each of {tokens} tokens")
    if ids is not None and count != ids:
        raise BadTable(f"the table leads to {count} ids, but the hashes were made for {ids}: use the tokenizer that "
                       "the model was trained with")
    return count


def digest(table):
    """SHA-256 of the table as little-endian i32, by which tables are compared."""
    return hashlib.sha256(struct.pack(f"<{len(table)}i", *table)).hexdigest()


def write_table(path, table):
    """Writes the table as safetensors, whole or not at all."""
    data = struct.pack(f"<{len(table)}i", *table)
    header = {"__metadata__": {"engram.ids": str(check_table(table)), "engram.sha256": digest(table)},
              TENSOR: {"dtype": "I32", "shape": [len(table)], "data_offsets": [0, len(data)]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 64)
    partial = Path(f"{path}.part")
    try:
        partial.write_bytes(struct.pack("<Q", len(text)) + text + data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m sluice.engram", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", help="tokenizer.json")
    parser.add_argument("-o", "--output", help="the safetensors file to write; without it only the sizes are printed")
    parser.add_argument("--tokens", type=int, help="how many tokens the model has")
    parser.add_argument("--expect", type=int, help="how many compressed ids the hashes were made for")
    options = parser.parse_args(arguments)
    try:
        table = table_of_tokenizer(options.tokenizer)
        ids = check_table(table, options.tokens, options.expect)
        if options.output:
            write_table(options.output, table)
    except (BadTable, OSError) as error:
        print(f"engram: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"tokens": len(table), "ids": ids, "sha256": digest(table)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
