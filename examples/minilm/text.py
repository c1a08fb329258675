# SPDX-License-Identifier: Apache-2.0
"""From sentences to what the encoder takes: token ids, a mask, token types. The only part of the demo that is not ours
is the tokenizer library; it follows the model's tokenizer.json."""

import json

import numpy as np
from tokenizers import Tokenizer


def load_tokenizer(model):
    """The tokenizer of the model folder, cutting where the sentence encoder was trained to cut."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    limit = json.loads((model / "sentence_bert_config.json").read_text())["max_seq_length"]
    tokenizer.enable_truncation(limit)
    return tokenizer


def encode(tokenizer, sentences):
    """name -> i64 [B, T]. Shorter sentences are padded with id 0, which the mask hides."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(sentences)]
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
