# RUN: %python %s
# The generator of seeded weights against its definition, written out again one value at a time with Python's integers.
import struct

import numpy as np
from sluice.random_weights import from_bf16, random_tensor, to_bf16, uniform

MASK = (1 << 64) - 1


def mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def raw(seed, name, index):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 & MASK
    z = mix(mix(seed ^ h) + (index + 1) * 0x9E3779B97F4A7C15 & MASK)
    return (z >> 40) * 2.0**-23 - 1.0


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


for seed, name in [(0, ""), (7, "model.layers.3.mlp.down_proj.weight"), (2**64 - 1, "é")]:
    expected = [raw(seed, name, i) for i in range(100)]
    assert uniform(seed, name, 100).tolist() == expected
    # Any part of a tensor can be made alone.
    assert uniform(seed, name, 3, first=97).tolist() == expected[97:]

u = [raw(5, "w", i) for i in range(6)]
sigma = f32(3**0.5 * 1.2 / 3**0.5)
assert random_tensor(5, "w", (2, 3), "weight").ravel().tolist() == [f32(x * sigma) for x in u]
assert random_tensor(5, "w", (6,), "scale").tolist() == [f32(1 + f32(f32(0.2) * x)) for x in u]
assert random_tensor(5, "w", (6,), "bias").tolist() == [f32(f32(0.2) * x) for x in u]

# bf16: ties go to the even neighbour.
one, step = 1.0, 2.0**-7
halfway = np.array([one + step / 2, one + 3 * step / 2, one + step / 2 + 2.0**-20], dtype=np.float32)
assert from_bf16(to_bf16(halfway)).tolist() == [one, one + 2 * step, one + step]
