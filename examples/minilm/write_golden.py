# SPDX-License-Identifier: Apache-2.0
"""Makes test/Fixtures/minilm/expected.safetensors: PyTorch's embeddings of the fixture's sentences, f32 [20, 384].

    PYTHONPATH=python .venv/bin/python examples/minilm/write_golden.py       after ./dev setup --conformance
"""

import json

import numpy as np
from safetensors.numpy import save_file

import fetch
import pytorch
import text
from sluice import tools

FIXTURE = tools.ROOT / "test" / "Fixtures" / "minilm"


def main():
    model = fetch.fetch()
    sentences = json.loads((FIXTURE / "sentences.json").read_text())
    inputs = text.encode(text.load_tokenizer(model), sentences)
    # Without [CLS] and [SEP].
    lengths = inputs["attention_mask"].sum(1) - 2
    print("tokens:", *lengths)
    expected = pytorch.embed(model, inputs).astype(np.float32)
    save_file({"embeddings": expected, "tokens": lengths}, FIXTURE / "expected.safetensors")


if __name__ == "__main__":
    main()
