# SPDX-License-Identifier: Apache-2.0
"""check_golden SCRATCH: embeds the fixture's 20 sentences with the trained weights and compares with PyTorch's numbers.

Exit code 5 unless the cosine is at least 0.99999 for each of them.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import fetch
import text
from demo import LEAST_COSINE
from sluice import tools

FIXTURE = tools.ROOT / "test" / "Fixtures" / "minilm"


def main():
    model, artefact = fetch.fetch(), Path(sys.argv[1]).with_suffix(".sluice")
    tools.compile_model(model, artefact)
    sentences = json.loads((FIXTURE / "sentences.json").read_text())
    expected = load_file(FIXTURE / "expected.safetensors")
    inputs = text.encode(text.load_tokenizer(model), sentences)
    if (inputs["attention_mask"].sum(1) - 2).tolist() != expected["tokens"].tolist():
        tools.fail("the tokenizer cuts the fixture's sentences otherwise than when it was made", 5)
    found = tools.run_inputs(artefact, inputs, "--function", "embed")["embeddings"].astype(np.float64)
    reference = expected["embeddings"].astype(np.float64)
    if found.shape != reference.shape:
        tools.fail(f"expected embeddings of shape {reference.shape}, found {found.shape}", 5)
    cosines = (found * reference).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(reference, axis=-1)
    for cosine, tokens, sentence in zip(cosines, expected["tokens"], sentences):
        print(f"{cosine:.7f}  {tokens:3} tokens  {sentence[:60]}")
    if not cosines.min() >= LEAST_COSINE:
        tools.fail(f"sentence {cosines.argmin()} has cosine {cosines.min():.6f}, below {LEAST_COSINE}", 5)
    # Embeddings have length one, so a wrong scale shows here and not in the cosine.
    if not np.abs(np.linalg.norm(found, axis=-1) - 1).max() <= 1e-5:
        tools.fail("an embedding does not have length one", 5)


if __name__ == "__main__":
    try:
        main()
    except tools.ToolError as error:
        tools.fail(str(error), error.code)
