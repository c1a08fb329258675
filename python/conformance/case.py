# SPDX-License-Identifier: Apache-2.0
"""A conformance case: what is in its folder, and how a result is compared with a reference.

    CASE/model/config.json      what Hugging Face would read (a sentence encoder has its other files beside it)
    CASE/case.json              seed, kind, bound, lengths and padding of the batch, planted variants, greedy prompt
    CASE/inputs.safetensors     input_ids, attention_mask, ... i64 [B, T]
    CASE/expected.safetensors   what the float64 reference gave, rounded to f32, and its greedy tokens
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from sluice import tools

# A planted wrong variant must be this much worse than what is allowed, or the case cannot tell right from wrong.
PLANTED_FACTOR = 10.0
GREEDY_COUNT = 64
GREEDY_DISTINCT = 20


@dataclass
class Case:
    folder: Path
    kind: str  # decoder or encoder
    seed: int  # of the weights and the inputs
    # Per row: max |difference| <= bound * rms(reference row). 5e-5 in f32. In bf16, where each row that a linear layer
    # reads is rounded to 8 bits, 4e-2: Hugging Face's own bf16 run of such a case is 5e-2 to 7e-2 from its float64 run.
    bound: float
    dtype: str = "f32"
    lengths: list = field(default_factory=list)  # visible tokens of each sequence of the batch
    padding: str = "right"
    planted: list = field(default_factory=list)
    greedy: list = field(default_factory=list)  # the prompt; decoders only
    embed: bool = False  # has the function embed
    spread_positions: bool = False  # gives position_ids, with gaps
    # Rotary angles depend on how long the sequence is in the step that appends a key: what was decoded token by token
    # has other keys than what was prefilled at once, here and in the reference.
    grows: bool = False

    @staticmethod
    def load(folder):
        folder = Path(folder)
        return Case(folder=folder, **json.loads((folder / "case.json").read_text()))

    @property
    def model(self):
        return self.folder / "model"

    @property
    def name(self):
        return self.folder.name

    def config(self):
        return json.loads((self.model / "config.json").read_text())

    def inputs(self):
        return load_file(self.folder / "inputs.safetensors")

    def expected(self):
        return load_file(self.folder / "expected.safetensors")

    def random_weights(self):
        return f"--weights=random:{self.seed}"

    def make_inputs(self):
        """The batch of the case, from its seed. Padding is filled with a token that exists, not with zeros."""
        rng = np.random.default_rng(self.seed)
        config = self.config()
        batch, length = len(self.lengths), max(self.lengths)
        ids = rng.integers(0, config["vocab_size"], (batch, length))
        mask = np.zeros((batch, length), dtype=np.int64)
        for row, visible in zip(mask, self.lengths):
            row[slice(length - visible, None) if self.padding == "left" else slice(visible)] = 1
        inputs = {"input_ids": ids.astype(np.int64), "attention_mask": mask}
        if self.kind == "encoder":
            types = config.get("type_vocab_size", 2)
            inputs["token_type_ids"] = rng.integers(0, types, (batch, length)).astype(np.int64)
        if self.spread_positions:
            step = config["max_position_embeddings"] // length
            inputs["position_ids"] = np.tile(np.arange(length, dtype=np.int64) * step, (batch, 1))
        return inputs


def worst_row(result, reference, mask):
    """The largest max|difference| / rms(reference row) over the rows that |mask| shows, and that row's index."""
    result, reference = np.asarray(result, np.float64), np.asarray(reference, np.float64)
    if result.shape != reference.shape:
        tools.fail(f"expected shape {reference.shape}, found {result.shape}", 5)
    rows = np.asarray(mask, bool)
    difference = np.abs(result - reference).max(axis=-1)
    scale = np.sqrt((reference**2).mean(axis=-1))
    ratio = np.where(rows, difference / scale, 0.0)
    ratio[rows & ~np.isfinite(ratio)] = np.inf
    worst = np.unravel_index(np.argmax(ratio), ratio.shape)
    return float(ratio[worst]), tuple(int(i) for i in worst)


def check_rows(case, what, result, reference, mask):
    """Fails with code 5 when a visible row is out of bound, or a hidden one is not zero."""
    ratio, row = worst_row(result, reference, mask)
    print(f"{case.name}: {what}: worst row {row} at {ratio:.2e} of its rms, bound {case.bound:.0e}")
    if not ratio <= case.bound:
        tools.fail(f"{case.name}: {what}: row {row} differs by {ratio:.3e} of its rms, more than {case.bound:.0e}", 5)
    hidden = ~np.asarray(mask, bool)
    if np.any(np.asarray(result)[hidden] != 0):
        tools.fail(f"{case.name}: {what}: a row of a hidden token is not zero", 5)


def check_greedy(case, artefact, expected=None):
    """The greedy tokens of paged decoding must be those of one prefill of them all, and the reference's where given."""
    found = tools.generate(artefact, case.greedy, GREEDY_COUNT, "--ignore-eos")
    if len(found) != GREEDY_COUNT:
        tools.fail(f"{case.name}: paged decode: expected {GREEDY_COUNT} tokens, found {len(found)}", 5)
    whole = np.array([case.greedy + found[:-1]], dtype=np.int64)
    logits = tools.run_inputs(artefact, {"input_ids": whole})["logits"]
    prefilled = logits[0, len(case.greedy) - 1 :].argmax(axis=-1).tolist()
    for what, tokens in (("the reference's", expected), ("prefill's", None if case.grows else prefilled)):
        if tokens is None or tokens == found:
            continue
        first = next((i for i, (a, b) in enumerate(zip(tokens, found)) if a != b), min(len(tokens), len(found)))
        tools.fail(f"{case.name}: paged decode agrees with {what} {len(tokens)} tokens up to token {first} only", 5)
    ways = "by decode" if case.grows else "by decode and by prefill"
    print(f"{case.name}: greedy: {len(found)} tokens, {len(set(found))} distinct, {ways}")


def results(case, artefact):
    """What the artefact computes for the case's inputs: name -> array."""
    inputs = case.inputs()
    out = dict(tools.run_inputs(artefact, inputs, "--function", "forward") if case.kind == "encoder"
               else tools.run_inputs(artefact, inputs))
    if case.embed:
        out.update(tools.run_inputs(artefact, inputs, "--function", "embed"))
    return out


def check_results(case, found, reference):
    """Compares every tensor of |reference| that the case is about."""
    mask = case.inputs()["attention_mask"]
    name = "logits" if case.kind == "decoder" else "last_hidden_state"
    check_rows(case, name, found[name], reference[name], mask)
    if case.embed:
        check_rows(case, "embeddings", found["embeddings"], reference["embeddings"], np.ones(len(mask)))
