#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes generate_expected.inc: seeded weights as docs/Contracts.md (sections 3 and 5) defines them, computed with NumPy.

Shares nothing with the runtime but that page. Run it with --check to compare with the header that is there.
"""
import math
import os
import sys

import numpy as np

U64 = np.uint64
MASK = (1 << 64) - 1


def fnv1a64(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def mix(z):
    z = z ^ (z >> U64(30))
    z = z * U64(0xBF58476D1CE4E5B9)
    z = z ^ (z >> U64(27))
    z = z * U64(0x94D049BB133111EB)
    return z ^ (z >> U64(31))


def source(seed, name, role, shape):
    """The f32 values of one source tensor, in its own shape."""
    count = math.prod(shape)
    index = np.arange(1, count + 1, dtype=U64)
    start = mix(np.array([(seed & MASK) ^ fnv1a64(name.encode())], dtype=U64))
    z = mix(start + index * U64(0x9E3779B97F4A7C15))
    u = (z >> U64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
    if role in ("weight", "table"):
        value = u * np.float32(math.sqrt(3) * 1.2 / math.sqrt(shape[-1]))
    elif role == "scale":
        value = np.float32(1) + np.float32(0.2) * u
    else:
        value = np.float32(0.2) * u
    assert value.dtype == np.float32
    return value.reshape(shape)


def rounded(value, dtype):
    """To the element's bytes, nearest even."""
    if dtype == "f32":
        return value
    if dtype == "f16":
        return value.astype(np.float16)
    bits = value.view(np.uint32).astype(np.uint64)
    low, high = bits & U64(0xFFFF), bits >> U64(16)
    up = (low > 0x8000) | ((low == 0x8000) & (high & U64(1) == 1))
    return (high + up).astype(np.uint16)


def pack(block, layout, group):
    """One block as docs/Contracts.md section 3 lays it out, padded to 64 bytes."""
    if layout == "panel":
        n, k = block.shape
        padded = np.zeros((-(-n // 16) * 16, -(-k // group) * group), dtype=block.dtype)
        padded[:n, :k] = block
        block = padded.reshape(padded.shape[0] // 16, 16, padded.shape[1] // group, group).transpose(0, 2, 1, 3)
    data = np.ascontiguousarray(block).tobytes()
    return data + bytes(-len(data) % 64)


def widened(value, dtype):
    """What rounded() stored, as f32."""
    if dtype == "bf16":
        return (value.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return value.astype(np.float32)


def encode(block, bits, group):
    """One block as codes and scales: section 8, laid out as section 3 says."""
    n, k = block.shape
    half, per_word = 1 << (bits - 1), 32 // bits
    panels, groups = -(-n // 16), -(-k // group)
    data = b""
    padded = np.zeros((panels * 16, groups * group), dtype=np.float32)
    padded[:n, :k] = block
    for panel in range(panels):
        values = padded[panel * 16 : panel * 16 + 16].reshape(16, groups, group)
        low, high = values.min(axis=2), values.max(axis=2)
        extreme = np.where(-low >= high, low, high)
        scale = widened(rounded(extreme * np.float32(-1 / half), "bf16"), "bf16")
        scale = np.where(scale == 0, np.float32(0), scale)
        quotient = values / np.where(scale == 0, np.float32(1), scale)[:, :, None]
        code = np.where(scale[:, :, None] == 0, 0, np.clip(np.rint(quotient), -half, half - 1)).astype(np.int64)
        stored = (code + half).astype(np.uint8).reshape(16, -1, per_word).transpose(1, 0, 2)
        if bits == 4:
            stored = stored[:, :, :4] | stored[:, :, 4:] << 4
        bits16 = (scale.view(np.uint32) >> np.uint32(16)).astype(np.uint16).T
        scales = np.ascontiguousarray(bits16).tobytes()
        data += np.ascontiguousarray(stored).tobytes() + scales + bytes(-len(scales) % 64)
    return data + bytes(-len(data) % 64)


CASES = [
    # label, dtype, layout, role, seed, stack, columns (None: vectors), sources
    ("panel_f32", "f32", "panel", "weight", 7, 0, 5, [("lm_head.weight", 18)]),
    ("panel_bf16_joined_stack", "bf16", "panel", "weight", 11, 3, 7,
     [("model.layers.{}.self_attn.q_proj.weight", 13), ("model.layers.{}.self_attn.k_proj.weight", 8),
      ("model.layers.{}.self_attn.v_proj.weight", 20)]),
    ("panel_f16_subnormals", "f16", "panel", "weight", -3, 0, 512, [("big.weight", 160)]),
    ("panel_bf16_even", "bf16", "panel", "weight", 1 << 62, 12, 64, [("model.layers.{}.mlp.down_proj.weight", 32)]),
    ("rows_scale_stack", "f32", "rows", "scale", 7, 3, None, [("model.layers.{}.input_layernorm.weight", 37)]),
    ("rows_bias_joined", "bf16", "rows", "bias", 7, 2, None, [("h.{}.q.bias", 31), ("h.{}.k.bias", 33)]),
    ("rows_table_f16", "f16", "rows", "table", 99, 0, 3, [("embed_tokens.weight", 50001)]),
    ("rows_table_bf16", "bf16", "rows", "table", 0, 0, 48, [("wte.weight", 1000), ("wpe.weight", 777)]),
    # and codes: bits, inputs that share a scale
    ("int8_f32_odd", "f32", "panel", "weight", 7, 0, 45, [("lm_head.weight", 18)], 8, 32),
    ("int8_bf16_joined_stack", "bf16", "panel", "weight", 11, 3, 300,
     [("model.layers.{}.self_attn.q_proj.weight", 13), ("model.layers.{}.self_attn.k_proj.weight", 8),
      ("model.layers.{}.self_attn.v_proj.weight", 20)], 8, 128),
    ("int4_bf16_stack", "bf16", "panel", "weight", 1 << 62, 12, 64, [("model.layers.{}.mlp.down_proj.weight", 32)], 4, 32),
    ("int4_f16_wide", "f16", "panel", "weight", -3, 0, 1100, [("big.weight", 33)], 4, 1024),
    ("int4_f32_few", "f32", "panel", "table", 5, 0, 9, [("tiny.weight", 1)], 4, 64),
]


def render():
    out = ["/* SPDX-License-Identifier: Apache-2.0", " *",
           " * generate_expected.inc: written by generate_expected.py; do not edit.", " */"]
    for label, dtype, layout, role, seed, stack, columns, sources, *codes in CASES:
        group = 2 if dtype in ("bf16", "f16") else 1
        data = b""
        for block in range(max(stack, 1)):
            parts = [source(seed, name.replace("{}", str(block)), role, (rows,) if columns is None else (rows, columns))
                     for name, rows in sources]
            values = rounded(np.concatenate(parts), dtype)
            data += encode(widened(values, dtype), *codes) if codes else pack(values, layout, group)
        names = ", ".join(f'{{"{name}", {rows}}}' for name, rows in sources)
        out.append(f'{{"{label}", SLUICE_DTYPE_{dtype.upper()}, {str(layout == "panel").lower()}, '
                   f'SLUICE_ROLE_{role.upper()}, {seed & MASK}u, {stack}, {columns or 0}, {len(sources)}, {{{names}}},')
        code_bits, code_group = codes or (0, 0)
        first = ", ".join(f"0x{byte:02x}" for byte in data[:16])
        out.append(f" {len(data)}, 0x{fnv1a64(data):016x}u, {{{first}}}, {code_bits}, {code_group}}},")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "generate_expected.inc")
    with np.errstate(over="ignore"):
        text = render()
    if sys.argv[1:] == ["--check"]:
        if open(path).read() != text:
            sys.exit(f"{path} is not what generate_expected.py computes")
        print("the header is what the script computes")
    else:
        open(path, "w").write(text)
