# SPDX-License-Identifier: Apache-2.0
#
# Whole models keep the bits of a row: alone and whole on one thread, or in a random batch, in chunks, in forks, on two threads,
# with pages in a random order. Fourteen compiled programs of every family of decoders, of windows, scaled positions, caps,
# groups of heads and codes. 6 random batches of 2 to 6 sequences for each here, 220 with --long. (That a difference is found is
# shown by runtime/batch_invariance_can_fail.) This is the first half; properties-rest.test has the other.
# RUN: rm -rf %t && mkdir %t && %python %s %root/test/Fixtures %t 6 0 7
import re
import sys
from pathlib import Path

from sluice.tools import run_tool

PROGRAMS = [
    ("gemma2-alternating", []),
    ("gemma3-pattern", []),
    ("gpt2-odd", []),
    ("llama-linear", []),
    ("llama-mha-tied", []),
    ("llama-mqa-bias", []),
    ("llama-yarn-exact", []),
    ("mistral-window", []),
    ("mistral-bf16", []),
    ("phi3-short", []),
    ("qwen2-upper-window", []),
    ("qwen3-windows", []),
    ("llama-gqa", ["--quantize=int8"]),
    ("qwen3-full", ["--quantize=int4w"]),
]
fixtures, scratch, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
PROGRAMS = PROGRAMS[int(sys.argv[4]) : int(sys.argv[5])]
batches = rows = 0
for name, options in PROGRAMS:
    artefact = scratch / f"{name}{''.join(options)}.sluice"
    run_tool("sluicec", fixtures / name / "model", "--weights=random:5", "-o", artefact, *options)
    # Raises, with the command that repeats it, when a row differs.
    said, _, _ = run_tool("batch_invariance", artefact, "--batches", count, "--seed", len(name), timeout=7200)
    found = re.search(r"(\d+) batches, .* (\d+) rows compared, 0 differ", said)
    assert found, said
    batches += int(found.group(1))
    rows += int(found.group(2))
assert batches >= 2 * len(PROGRAMS) * int(count) and rows > 100 * len(PROGRAMS)
print(f"{len(PROGRAMS)} programs, {batches} batches, {rows} rows with the same bits")
