# SPDX-License-Identifier: Apache-2.0
"""write_golden CASE...: makes inputs.safetensors and expected.safetensors of each case with the float64 reference.

    PYTHONPATH=python .venv/bin/python -m conformance.write_golden test/Fixtures/*/

Refuses a case that could not tell right from wrong: a planted variant within ten times the bound, greedy tokens that
repeat, or a greedy choice so close that rounding may turn it.
"""

import sys

import numpy as np
from safetensors.numpy import save_file

from conformance import reference
from conformance.case import GREEDY_COUNT, GREEDY_DISTINCT, PLANTED_FACTOR, Case, worst_row
from sluice import tools

# In rms of the logits. Of two logits within twice the bound, f32 may prefer either.
LEAST_MARGIN = 2.0


def check_planted(case, expected, mask):
    for planted in case.planted:
        wrong = reference.evaluate(case, reference.build(case, planted), planted)
        name = next(iter(expected))
        ratio, _ = worst_row(wrong[name], expected[name], mask)
        print(f"{case.name}: planted {planted}: {ratio:.2e}")
        if ratio <= PLANTED_FACTOR * case.bound:
            tools.fail(f"{case.name}: '{planted}' differs by {ratio:.1e} only; make the case hotter", 5)


def main():
    for folder in sys.argv[1:]:
        case = Case.load(folder)
        save_file(case.make_inputs(), case.folder / "inputs.safetensors")
        model = reference.build(case)
        results = reference.evaluate(case, model)
        check_planted(case, results, case.inputs()["attention_mask"])
        stored = {name: array.astype(np.float32) for name, array in results.items()}
        if case.greedy:
            tokens, margin = reference.greedy(model, case.greedy, GREEDY_COUNT)
            distinct = len(set(tokens))
            print(f"{case.name}: greedy: {distinct} distinct tokens, least margin {margin:.1e}")
            if distinct < GREEDY_DISTINCT:
                tools.fail(f"{case.name}: only {distinct} distinct greedy tokens; take another seed", 5)
            if case.dtype == "f32" and margin <= LEAST_MARGIN * case.bound:
                tools.fail(f"{case.name}: a greedy choice is as close as {margin:.1e}; take another seed", 5)
            stored["greedy"] = np.array(tokens, dtype=np.int64)
        save_file(stored, case.folder / "expected.safetensors")


if __name__ == "__main__":
    main()
