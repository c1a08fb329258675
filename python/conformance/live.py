# SPDX-License-Identifier: Apache-2.0
"""live CASE SCRATCH: runs the case against the float64 reference computed here and now.

Hugging Face writes the checkpoint, sluicec compiles it, and every result must be within the case's bound; then each
planted variant of the reference must be out of ten times the bound; then the greedy tokens must agree; then the same
model with generated weights must give the same bits as the one with the file.
"""

import copy
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from conformance import reference
from conformance.case import (GREEDY_COUNT, GREEDY_DISTINCT, PLANTED_FACTOR, Case, check_greedy, check_results, results,
                              worst_row)
from sluice import tools

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def write_checkpoint(case, model, folder):
    """What save_pretrained writes, with the files of a sentence encoder beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(case.model, folder)
    # A copy: rounding a model to bf16 and back would round its rotary frequencies too.
    copy.deepcopy(model).to(DTYPES[case.dtype]).save_pretrained(folder)


def check_planted(case, found):
    name = "logits" if case.kind == "decoder" else "last_hidden_state"
    mask = case.inputs()["attention_mask"]
    for planted in case.planted:
        wrong = reference.evaluate(case, reference.build(case, planted), planted)
        ratio, _ = worst_row(found[name], wrong[name], mask)
        print(f"{case.name}: planted {planted}: {ratio:.1e}")
        if ratio <= PLANTED_FACTOR * case.bound:
            tools.fail(f"{case.name}: the planted '{planted}' went unnoticed: it differs by {ratio:.1e} only", 5)


def check_close_choices(case, model, artefact):
    """Below f32, greedy tokens may turn where logits are close: each choice must be as good as the best, but for the
    bound on either of the two."""
    found = tools.generate(artefact, case.greedy, GREEDY_COUNT, "--ignore-eos")
    logits = reference.logits_of(model, case.greedy + found[:-1])[len(case.greedy) - 1 :]
    scale = np.sqrt((logits**2).mean(axis=-1))
    loss = (logits.max(axis=-1) - logits[np.arange(len(found)), found]) / scale
    print(f"{case.name}: greedy: worst choice loses {loss.max():.1e} of the rms, {len(set(found))} distinct tokens")
    if not loss.max() <= 2 * case.bound:
        tools.fail(f"{case.name}: greedy token {loss.argmax()} is {loss.max():.1e} of the rms below the best", 5)


def main():
    case, scratch = Case.load(sys.argv[1]), Path(sys.argv[2])
    model = reference.build(case)
    checkpoint = scratch.with_suffix(".model")
    write_checkpoint(case, model, checkpoint)
    artefact, seeded = scratch.with_suffix(".sluice"), scratch.with_suffix(".seeded.sluice")
    tools.compile_model(checkpoint, artefact)
    found = results(case, artefact)
    check_results(case, found, reference.evaluate(case, model))
    check_planted(case, found)

    if case.greedy and case.dtype == "f32":
        expected, _ = reference.greedy(model, case.greedy, GREEDY_COUNT)
        if len(set(expected)) < GREEDY_DISTINCT:
            tools.fail(f"{case.name}: only {len(set(expected))} distinct greedy tokens, expected {GREEDY_DISTINCT}", 5)
        check_greedy(case, artefact, expected)
    elif case.greedy:
        check_greedy(case, artefact)
        check_close_choices(case, model, artefact)

    tools.compile_model(case.model, seeded, case.random_weights())
    for name, array in results(case, seeded).items():
        if array.tobytes() != found[name].tobytes():
            tools.fail(f"{case.name}: {name} has other bits with generated weights than with the same in a file", 5)


if __name__ == "__main__":
    try:
        main()
    except tools.ToolError as error:
        tools.fail(str(error), error.code)
