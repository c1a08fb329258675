# SPDX-License-Identifier: Apache-2.0
"""The Python front of Sluice: a compiled decoder, its tokenizer and its chat template.

    from sluice import Model

    with Model("path/to/qwen2") as model:                 # a Hugging Face directory or an artefact
        for piece in model.stream("Once upon a time", max_new_tokens=32):
            print(piece, end="", flush=True)
        print(model.score("The sky is blue.").total)

`python -m sluice run MODEL --prompt "..."` is the same from a shell. Everything is pure Python over the C runtime
(runtime/include/sluice-rt/runtime.h); what needs a tokenizer imports `tokenizers` when it is first used, and what needs a
chat template imports `jinja2`.
"""

from .errors import BadInput, CannotCompile, RunTimeFailure, SluiceError, Usage
from .model import Model, Sampling, Score

__all__ = ["BadInput", "CannotCompile", "Model", "RunTimeFailure", "Sampling", "Score", "SluiceError", "Usage"]
