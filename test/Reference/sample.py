# RUN: %python %s
# The numbers that sample.mlir pins, made again from the op's text with Python's integers and doubles.
import math

MASK = (1 << 64) - 1


def draw(logits, temperature, rng):
    state = (rng + 0x9E3779B97F4A7C15) & MASK
    z = state
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    z ^= z >> 31
    u = (z >> 11) * 2.0**-53
    weights = [math.exp((x - max(logits)) / temperature) for x in logits]
    total, chain = sum(weights), 0.0
    for v, weight in enumerate(weights):
        chain += weight
        if chain > u * total:
            return v, state - (1 << 64) if state >> 63 else state


assert draw([0.0, 1.0, 2.0], 1.0, 0) == (2, -7046029254386353131)
assert draw([0.0, 1.0, 2.0], 1.0, 3) == (1, -7046029254386353128)
assert draw([0.0, 1.0, 2.0], 100.0, 3) == (0, -7046029254386353128)
