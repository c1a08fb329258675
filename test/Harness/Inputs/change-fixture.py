# SPDX-License-Identifier: Apache-2.0
"""change-fixture.py CASE TENSOR INDEX FACTOR: multiplies one stored number of a golden fixture; the index as 1,5,40."""

import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file

folder, name, index, factor = sys.argv[1:]
path = Path(folder, "expected.safetensors")
tensors = load_file(path)
place = tuple(map(int, index.split(",")))
before = tensors[name][place]
tensors[name][place] = (before * float(factor)).astype(before.dtype)
assert tensors[name][place] != before, "the number did not change; take another place"
save_file(tensors, path)
