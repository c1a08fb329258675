# SPDX-License-Identifier: Apache-2.0
"""The table of compressed ids: which tokens share one, what is refused, and the written file.

RUN: %python %s %t
"""
import json
import struct
import subprocess
import sys
from pathlib import Path

from sluice import engram

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

# ---- normalise: each step, and their order ----
for text, want in [
    ("Hello", "hello"),
    ("  caf\u00e9\t\r\n now ", "cafe now"),  # accents, runs of white space, both ends
    ("\ufb01n", "fin"),  # a ligature, by NFKC
    ("\u0130", "i"),  # a capital with a dot: lower case first gives a combining dot, so accents go before
    (" ", " "), ("\n\n", " "), ("\u3000", " "),  # a lone space stays; an ideographic one is a space by NFKC
    ("\u2028", ""),  # white space that is no run of spaces is stripped to nothing
    ("\x1f", "\x1f"),  # a control character, though Python's strip() would take it
    ("\u0301", ""), ("\u03a3", "\u03c3"), ("", ""),
]:
    found = engram.normalise(text)
    assert found == want, (text, found, want)

# ---- compression_table: first seen, first numbered ----
texts = ["<pad>", "The", "the", " the", "\ufffd", "\ufffd", "\u0301", "THE", "\u2028", "x"]
names = ["<pad>", "The", "the", "Gthe", "<0xE2>", "<0x82>", "acute", "THE", "ls", "x"]
table = engram.compression_table(len(texts), texts.__getitem__, names.__getitem__)
# Parts of a UTF-8 sequence stay apart by their names; what normalises to nothing stands for itself.
assert table == [0, 1, 1, 1, 2, 3, 4, 1, 5, 6], table
assert engram.check_table(table, tokens=10, ids=7) == 7

for wrong, tokens, ids, part in [
    ([0, 1, 3], None, None, "token 2 has the compressed id 3"),
    ([0, -1], None, None, "token 1 has the compressed id -1"),
    ([0, 1], 3, None, "2 entries, expected one for each of 3"),
    ([0, 1], 2, 3, "leads to 2 ids, but the hashes were made for 3"),
]:
    try:
        engram.check_table(wrong, tokens, ids)
        raise SystemExit(f"{wrong} was taken")
    except engram.BadTable as error:
        assert part in str(error), error

# ---- the command: a tokenizer of our own, with words that differ by case and accents ----
vocabulary = {"[UNK]": 0, "Caf\u00e9": 1, "cafe": 2, "CAFE": 3, "tea": 4, "Tea": 5, "42": 6}
tokenizer = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": None,
             "post_processor": None, "decoder": None, "added_tokens": [
                 {"id": 0, "content": "[UNK]", "single_word": False, "lstrip": False, "rstrip": False,
                  "normalized": False, "special": True}],
             "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}}
(out / "tokenizer.json").write_text(json.dumps(tokenizer))


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "sluice.engram", *map(str, arguments)], capture_output=True, text=True)


done = run(out / "tokenizer.json", "-o", out / "table.safetensors", "--tokens", 7, "--expect", 4)
assert done.returncode == 0, done.stderr
expected = [0, 1, 1, 1, 2, 2, 3]
assert json.loads(done.stdout) == {"tokens": 7, "ids": 4, "sha256": engram.digest(expected)}, done.stdout
raw = (out / "table.safetensors").read_bytes()
size = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8:8 + size])
assert size % 64 == 0 and header["engram.compression"]["shape"] == [7], header
assert header["__metadata__"]["engram.ids"] == "4"
assert list(struct.unpack("<7i", raw[8 + size:])) == expected

done = run(out / "tokenizer.json", "-o", out / "other.safetensors", "--expect", 5)
assert done.returncode == 2 and "leads to 4 ids, but the hashes were made for 5" in done.stderr, done
assert not (out / "other.safetensors").exists()
(out / "bad.json").write_text("{")
done = run(out / "bad.json")
assert done.returncode == 2 and "not a tokenizer.json" in done.stderr, done
assert run(out / "none.json").returncode == 2
