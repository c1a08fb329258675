# SPDX-License-Identifier: Apache-2.0
"""Seeded weights, bit for bit those that `sluicec --weights=random:SEED` means (docs/Contracts.md, section 5).

A value depends on the seed, the tensor's name in the checkpoint and the row-major index alone, so any part of any
tensor can be made anywhere: in C at load, in C++, and here for references.
"""

import numpy as np

ROLES = ("weight", "table", "scale", "bias")


def fnv1a64(data):
    """The 64-bit FNV-1a hash of |data| (bytes)."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def mix(z):
    """splitmix64's finaliser on an array of u64; arithmetic is modulo 2^64."""
    z = z ^ (z >> np.uint64(30))
    z = z * np.uint64(0xBF58476D1CE4E5B9)
    z = z ^ (z >> np.uint64(27))
    z = z * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(seed, name, count, first=0):
    """f32 [count]: the raw values in [-1, 1) of indices first, first + 1, ..."""
    with np.errstate(over="ignore"):
        start = mix(np.array([(seed & 0xFFFFFFFFFFFFFFFF) ^ fnv1a64(name.encode())], dtype=np.uint64))
        index = np.arange(first, first + count, dtype=np.uint64)
        z = mix(start + (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    # The upper 24 bits are exact in f32, so neither the product nor the difference rounds.
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


def to_bf16(values):
    """f32 rounded to bf16, to nearest even; u16 bit patterns. No NaN comes in here."""
    bits = values.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


def from_bf16(bits):
    """u16 bit patterns of bf16 as f32."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def random_tensor(seed, name, shape, role, dtype="f32"):
    """f32 |shape|: the values of the tensor called |name| in the checkpoint, rounded to |dtype| (f32, bf16, f16)."""
    if role not in ROLES:
        raise ValueError(f"role is one of {', '.join(ROLES)}, not '{role}'")
    count = int(np.prod(shape, dtype=np.int64))
    values = uniform(seed, name, count)
    if role in ("weight", "table"):
        values = values * np.float32(np.sqrt(3.0) * 1.2 / np.sqrt(float(shape[-1])))
    elif role == "scale":
        values = np.float32(1) + np.float32(0.2) * values
    else:
        values = np.float32(0.2) * values
    if dtype == "bf16":
        values = from_bf16(to_bf16(values))
    elif dtype == "f16":
        values = values.astype(np.float16).astype(np.float32)
    elif dtype != "f32":
        raise ValueError(f"dtype is f32, bf16 or f16, not '{dtype}'")
    return values.reshape(shape)


def role_of(name):
    """The role of a checkpoint's tensor, from the naming habits of Hugging Face models."""
    leaf = name.rsplit(".", 2)
    if name.endswith((".bias", "_bias", ".sinks")):
        return "bias"
    if "norm" in leaf[-2].lower() or leaf[-2].startswith("ln_"):
        return "scale"
    return "table" if "embed" in leaf[-2] else "weight"
