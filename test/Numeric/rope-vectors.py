# REQUIRES: target-cpu
# RUN: %python %s > %t.mlir
# RUN: sluice-check %t.mlir --target=reference
# RUN: sluice-check %t.mlir --target=cpu --against=reference --seed=7
# Frequencies of rotary positions, made from the ops' text with NumPy and held to figures from elsewhere: of Llama 3.1, of
# DeepSeek-V3 and GPT-OSS (YaRN). Each becomes a function in which one pair of channels is (1, 0) and must turn to the
# cosine and the sine of its angle.
import math

import numpy as np


def power(theta, dims, i):
    exponent = np.float32(2 * i) / np.float32(dims)
    return float(np.float32(theta ** float(exponent)))


def plain(theta, dims, i):
    return float(np.float32(1 / power(theta, dims, i)))


def llama3(theta, dims, i, factor, low, high, original):
    f = plain(theta, dims, i)
    wavelength = 2 * math.pi / f
    if wavelength < original / high:
        return f
    if wavelength > original / low:
        return f / factor
    share = (original / wavelength - low) / (high - low)
    return (1 - share) * f / factor + share * f


def corner(theta, dims, original, turns):
    return dims * math.log(original / (2 * math.pi * turns)) / (2 * math.log(theta))


def yarn(theta, dims, i, factor, low, high):
    ramp = min(max((i - low) / (high - low), 0), 1)
    return ramp / (factor * power(theta, dims, i)) + (1 - ramp) * plain(theta, dims, i)


def emit(name, dims, pair, theta, scaling, frequency, amplitude=1.0, length=1):
    """One function. |frequency| gives a pair's; a step of one row is at position 1, one of more counts from 0."""
    positions = [1] if length == 1 else list(range(length))
    x = np.zeros((length, 1, dims))
    x[min(1, length - 1), 0, pair] = 1
    y = np.zeros_like(x)
    half = dims // 2
    for row, position in enumerate(positions):
        for i in range(half):
            angle = float(np.float32(position) * np.float32(frequency(i)))
            a, b = x[row, 0, i], x[row, 0, i + half]
            y[row, 0, i] = amplitude * (a * math.cos(angle) - b * math.sin(angle))
            y[row, 0, i + half] = amplitude * (b * math.cos(angle) + a * math.sin(angle))
    rows, ids = f"tensor<{length}x1x{dims}xf32>", f"tensor<{length}xi32>"
    needs = "dynamic" in scaling or "longrope" in scaling
    batch = f", %b: !sluice.batch {{check.rows = array<i64: {length}>}}" if needs else ""
    amplified = f", amplitude = {amplitude!r} : f64" if amplitude != 1.0 else ""
    print(f"func.func @{name}(%x: {rows} {{check.value = dense<{x.tolist()}> : {rows}}},")
    print(f"    %p: {ids} {{check.value = dense<{positions}> : {ids}}}{batch})")
    print(f"    -> ({rows} {{check.expect = dense<{y.tolist()}> : {rows}}}) {{")
    print(f"  %y = sluice.rope halves %x at %p{' batch %b' if needs else ''}"
          f" {{theta = {theta!r} : f64, scaling = #sluice.rope_{scaling}{amplified}}}"
          f" : ({rows}, {ids}{', !sluice.batch' if needs else ''}) -> {rows}")
    print(f"  return %y : {rows}\n}}\n")


figures = {0: 1.0, 20: 0.01656044, 28: 0.003211446, 29: 0.002166571, 30: 0.001371894, 34: 0.0001785078,
           35: 9.556212e-5, 40: 3.428102e-5, 63: 3.068926e-7}
for pair, figure in figures.items():
    def frequency(i):
        return llama3(5.0e5, 128, i, 8.0, 1.0, 4.0, 8192)
    assert abs(frequency(pair) / figure - 1) < 5e-7, (pair, frequency(pair))
    emit(f"llama3_{pair}", 128, pair, 5.0e5, "llama3<factor = 8.0, low = 1.0, high = 4.0, original = 8192>", frequency)

# DeepSeek-V3's ramp goes from pair 10 to pair 23; GPT-OSS does not round its ends.
raw = [corner(1.0e4, 64, 4096, turns) for turns in (32, 1)]
assert abs(raw[0] - 10.4722) < 5e-5 and abs(raw[1] - 22.5134) < 5e-5, raw
for pair in (0, 9, 10, 11, 17, 22, 23, 31):
    emit(f"v3_{pair}", 64, pair, 1.0e4, "yarn<factor = 40.0, fast = 32.0, slow = 1.0, original = 4096, corners = whole>",
         lambda i: yarn(1.0e4, 64, i, 40.0, 10, 23))
low, high = (corner(1.5e5, 64, 4096, turns) for turns in (32, 1))
assert abs(low - 8.092779) < 5e-7 and abs(high - 17.398025) < 5e-7, (low, high)
assert abs(0.1 * math.log(32) + 1 - 1.346574) < 5e-7
for pair in (0, 8, 9, 13, 17, 18, 31):
    emit(f"gpt_oss_{pair}", 64, pair, 1.5e5,
         "yarn<factor = 32.0, fast = 32.0, slow = 1.0, original = 4096, corners = exact>",
         lambda i: yarn(1.5e5, 64, i, 32.0, low, high), amplitude=0.1 * math.log(32) + 1)

for pair in (0, 1, 7, 15):
    emit(f"linear_{pair}", 32, pair, 1.0e4, "linear<factor = 4.0>", lambda i: plain(1.0e4, 32, i) / 4)
    emit(f"ntk_{pair}", 32, pair, 1.0e4, "ntk<factor = 4.0>", lambda i: plain(1.0e4 * 4 ** (32 / 30), 32, i))

# A sequence of 9 rows: longer than 8, not longer than 9. The frequency of dynamic grows with the length as that of another
# theta would; longrope has two lists.
short, long = [1.0, 1.25, 1.5, 2.0], [1.0, 3.0, 9.0, 33.0]
for pair in range(4):
    for original in (8, 9):
        growth = 2.0 * 9 / original - 1.0
        for i in range(4):
            other = plain(1.0e4 * growth ** (8 / 6), 8, i)
            assert abs(plain(1.0e4, 8, i) * growth ** (-2 * i / 6) / other - 1) < 2e-7
        emit(f"dynamic_{original}_{pair}", 8, pair, 1.0e4, f"dynamic<factor = 2.0, original = {original}>",
             lambda i: plain(1.0e4, 8, i) * growth ** (-2 * i / 6), length=9)
        divisors = long if original < 9 else short
        emit(f"longrope_{original}_{pair}", 8, pair, 1.0e4,
             f"longrope<short_factors = {short}, long_factors = {long}, original = {original}>",
             lambda i: 1 / (divisors[i] * power(1.0e4, 8, i)), amplitude=1.19, length=9)
