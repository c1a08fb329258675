# REQUIRES: target-cpu
# RUN: %python %s > %t.mlir
# RUN: sluice-check %t.mlir --target=reference
# RUN: sluice-check %t.mlir --target=cpu --against=reference --seed=7
# Softmax variants made from their formulas with NumPy and held to figures from elsewhere: ALiBi's slopes for 8 heads and for 12
# (no power of two), Gemma 2's soft cap and scale, GPT-OSS's sinks and window, DeepSeek-V3's scale with YaRN. Expectations are
# computed here from the queries and keys that the functions get.
import math

import numpy as np


def alibi(heads):
    """2^(-8/H (h + 1)); of a number that is no power of two, those of the lower power, then every second one of the doubled count."""
    power = 1 << (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 / power * (h + 1)) for h in range(power)]
    return slopes + [2.0 ** (-4.0 / power * (h + 1)) for h in range(2 * power)][0::2][: heads - power]


assert alibi(8) == [0.5**h for h in range(1, 9)] and alibi(8)[-1] == 0.00390625
assert np.allclose(alibi(12)[8:], [0.707107, 0.353553, 0.176777, 0.088388], atol=5e-7) and alibi(12)[:8] == alibi(8)
v3_scale = 192**-0.5 * (0.1 * math.log(40) + 1) ** 2
assert abs(v3_scale - 0.1352338) < 5e-8, v3_scale
gemma2_scale = {256: 0.0625, 144: 1 / 12}
for width, scale in gemma2_scale.items():
    assert abs(width**-0.5 - scale) < 1e-15

chance = np.random.default_rng(11)


def f32(values):
    return np.asarray(values, np.float32).astype(np.float64)


def attend(q, k, v, scale, cap=None, slopes=None, sinks=None, window=None):
    """[R, H, E] and [R, H], causal, in f64, a loop for each row and head."""
    rows, heads, _ = q.shape
    group = heads // k.shape[1]
    o, lse = np.zeros((rows, heads, v.shape[2])), np.zeros((rows, heads))
    for i in range(rows):
        for h in range(heads):
            scores = []
            first = 0 if window is None else max(0, i - window + 1)
            for j in range(first, i + 1):
                s = scale * float(q[i, h] @ k[j, h // group])
                s = cap * math.tanh(s / cap) if cap else s
                scores.append(s - slopes[h] * (i - j) if slopes is not None else s)
            most = max(scores + ([sinks[h]] if sinks is not None else []))
            total = sum(math.exp(s - most) for s in scores) + (math.exp(sinks[h] - most) if sinks is not None else 0)
            o[i, h] = sum(math.exp(s - most) / total * v[first + n, h // group] for n, s in enumerate(scores))
            lse[i, h] = most + math.log(total)
    return o, lse


def emit(name, heads, groups, size, scale, wide=1.0, rows=9, **variant):
    q, k, v = (f32(wide * chance.standard_normal((rows, n, size))) for n in (heads, groups, groups))
    lists = {what: f32(variant[what]) for what in ("slopes", "sinks") if what in variant}
    o, lse = attend(q, k, v, scale, **{**variant, **lists})
    types = {n: f"tensor<{rows}x{n}x{size}xf32>" for n in (heads, groups)}

    print(f"func.func @{name}(%q: {types[heads]} {{check.value = dense<{q.tolist()}> : {types[heads]}}},")
    print(f"    %k: {types[groups]} {{check.value = dense<{k.tolist()}> : {types[groups]}}},")
    print(f"    %v: {types[groups]} {{check.value = dense<{v.tolist()}> : {types[groups]}}}, %b: !sluice.batch {{check.rows = array<i64: {rows}>}})")
    print(f"    -> ({types[heads]} {{check.expect = dense<{o.tolist()}> : {types[heads]}}},")
    print(f"        tensor<{rows}x{heads}xf32> {{check.expect = dense<{lse.tolist()}> : tensor<{rows}x{heads}xf32>}}) {{")
    operands = operand_types = ""
    for what, values in lists.items():
        print(f"  %{what} = arith.constant dense<{values.tolist()}> : tensor<{heads}xf32>")
        operands += f" {what} %{what}"
        operand_types += f", tensor<{heads}xf32>"
    mask = "#sluice.causal" if "window" not in variant else f"#sluice.and<#sluice.causal, #sluice.window<{variant['window']}>>"
    cap = f", softcap = {variant['cap']!r} : f64" if "cap" in variant else ""
    # An op's slopes are multiplied by j - i.
    print(f"  %y:2 = sluice.attention %q, %k, %v batch %b mask {mask}{operands} {{scale = {scale!r} : f64{cap}}}"
          f" : ({types[heads]}, {types[groups]}, {types[groups]}, !sluice.batch{operand_types}) -> ({types[heads]}, tensor<{rows}x{heads}xf32>)")
    print(f"  return %y#0, %y#1 : {types[heads]}, tensor<{rows}x{heads}xf32>\n}}\n")


emit("alibi_8", 8, 8, 16, 0.25, slopes=alibi(8))
emit("alibi_12", 12, 4, 16, 0.25, slopes=alibi(12))
emit("gemma2_9b", 4, 2, 32, gemma2_scale[256], wide=8.0, cap=50.0)
emit("gemma2_27b", 4, 2, 32, gemma2_scale[144], wide=8.0, cap=50.0)
emit("gpt_oss", 8, 1, 16, 0.25, sinks=[-1.5, 0.0, 0.5, 3.0, -4.0, 1.25, 2.0, 0.125])
emit("gpt_oss_window", 8, 1, 16, 0.25, sinks=[-1.5, 0.0, 0.5, 3.0, -4.0, 1.25, 2.0, 0.125], window=4)
emit("deepseek_v3", 2, 2, 192, v3_scale, wide=0.5)
