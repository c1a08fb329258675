# SPDX-License-Identifier: Apache-2.0
#
# Text that streams: for tokens of whole texts, of random bytes and of both mixed, after prompts that end anywhere, the pieces
# joined are what decoding everything at once adds; no piece ends within a character that later tokens complete. (Where bytes
# make no characters, byte_fallback's decoder spoils the good ones among them too; a stream has them out by then.)
# RUN: env PYTHONPATH=%root/python:%S/Inputs %python %s
import random

import tiny
from sluice.text import Detokenizer

chance = random.Random(5)
texts = ["the lazy dog! été", "你好世界 🎉🦊 здравствуй", "a🎉b", "\u0301e\u200d🦊", " two  blanks", "\n\n"]
held = broken = 0
for is_fallback, tokenizer in enumerate((tiny.byte_level(), tiny.byte_fallback())):
    size = tokenizer.get_vocab_size()
    for case in range(400):
        kind = case % 4
        tokens = []
        for _ in range(chance.randrange(1, 6)):
            if kind in (0, 2):
                tokens += tokenizer.encode(chance.choice(texts), add_special_tokens=False).ids
            if kind in (1, 2):
                tokens += [chance.randrange(size) for _ in range(chance.randrange(1, 5))]
            if kind == 3:
                whole = tokenizer.encode(chance.choice(texts), add_special_tokens=False).ids
                tokens += whole[: chance.randrange(len(whole) + 1)]
        cut = chance.randrange(len(tokens) + 1) if kind in (0, 3) else 0
        before, new = tokens[:cut], tokens[cut:]
        stream = Detokenizer(tokenizer, before)
        pieces = [stream.feed(token) for token in new]
        assert not any(piece.endswith("\ufffd") for piece in pieces), "half a character"
        held += pieces.count("")
        pieces.append(stream.finish())
        whole = tokenizer.decode(tokens)
        known = tokenizer.decode(before)
        joined = "".join(pieces)
        broken += "\ufffd" in joined
        if is_fallback and kind != 0:
            assert joined.replace("\ufffd", "") or not whole.replace("\ufffd", "").removeprefix(
                known.replace("\ufffd", "")
            )
        elif known.endswith("\ufffd"):
            assert whole.endswith(joined) and whole.startswith(known.rstrip("\ufffd")), (known, pieces, whole)
            assert kind != 0 or known.rstrip("\ufffd") + joined == whole, (known, pieces, whole)
        else:
            assert known + joined == whole, (before, new, pieces, whole)
assert held > 200 and broken > 50, (held, broken)
