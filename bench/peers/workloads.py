# SPDX-License-Identifier: Apache-2.0
"""What is measured: shapes, their random data (written once for all engines), the reference for the check, and what each
case costs at least (operations, bytes)."""

import random
from dataclasses import dataclass, field

import numpy as np

from peers import models
from sluice import random_weights as rw

# Linear layers of three models: outputs x inputs. Joined as Sluice joins them: q with k and v, gate with up.
MODEL_SHAPES = {
    "qwen2.5-0.5b": [(1152, 896), (896, 896), (9728, 896), (896, 4864)],
    "llama-3.2-1b": [(3072, 2048), (2048, 2048), (16384, 2048), (2048, 8192)],
    "llama-3-8b": [(6144, 4096), (4096, 4096), (14336, 4096), (4096, 14336)],
}
# rows, outputs, inputs
ODD_SHAPES = [(1000, 1000, 1000), (2000, 2040, 2040), (17, 4096, 4096)]
FEW_ROWS = [1, 2, 4, 8, 16, 32]
MANY_ROWS = 512

MODELS = ("qwen2.5-0.5b", "llama-3.2-1b")
PROMPT, PREFILL = 16, 512
CONTEXTS = [16, 1024, 2048, 4096, 8192, 16384]

GEMM_DTYPES = ("f32", "bf16", "int8")
ATTENTION_DTYPES = ("bf16",)
MODEL_DTYPES = ("bf16", "int8", "int4")

# How far from the reference a result may be, as a part of the results' root mean square, before it is not timed. bf16
# results are themselves rounded; int8 rounds rows to 8 bits. For models: of the whole vector of logits, after all layers.
ERROR_BOUNDS = {"f32": 1e-4, "bf16": 3e-2, "int8": 1e-1}
MODEL_ERROR_BOUNDS = {"f32": 1e-3, "bf16": 1e-1, "int8": 2e-1, "int4": 8e-1}
CEILINGS = {"f32": ["fma"], "bf16": ["fma", "dpbf16"], "int8": ["dpbusd"]}
BYTES = {"f32": 4, "bf16": 2, "int8": 1, "int4": 0.5625}


@dataclass
class Case:
    """One thing that is timed. |key| is what the engine is told; |flops| and |bytes| are the least it can cost."""

    name: str
    key: object
    flops: float
    bytes: float
    ceiling: list
    bound: str  # "compute" or "memory": which of the two the ratio is of
    tokens: int = 0  # of one call, of whole models
    kv_bytes: float = 0.0  # read besides the weights, whose size each engine says


@dataclass
class Workload:
    name: str
    spec: dict
    cases: list = field(default_factory=list)
    engines: tuple = ()
    dtype: str = "f32"


def relative_error(result, exact):
    """The largest difference as a part of the exact values' root mean square; infinite when something is not a number."""
    if result.shape != exact.shape:
        return float("inf")
    worst = float(np.max(np.abs(result - exact)) / np.sqrt(np.mean(np.square(exact))))
    return worst if np.isfinite(worst) else float("inf")


def gemm(dtype, rows, n, k, seed, label="gemm"):
    """One weight, several numbers of rows. More rows than 64 make it a matter of arithmetic, fewer of memory."""
    weight_bytes = n * k * BYTES[dtype]
    few = [m for m in rows if m <= 64]
    # Where memory is what counts, as many copies as caches cannot hold.
    copies = max(2, min(64, int(np.ceil(400e6 / weight_bytes)))) if few else 2
    spec = {"kind": "gemm", "dtype": dtype, "n": n, "k": k, "rows": rows, "seed": seed, "copies": copies}
    work = Workload(f"{label}/{dtype}/{n}x{k}", spec, dtype=dtype)
    for m in rows:
        flops, moved = 2.0 * m * n * k, weight_bytes + m * k * BYTES[dtype] + 4 * m * n
        work.cases.append(Case(f"{label}/{dtype}/{m}x{n}x{k}", m, flops, moved, CEILINGS[dtype] if m > 64 else ["read"],
                               "compute" if m > 64 else "memory"))
    return work


def gemm_list(dtypes, seed, quick):
    """The twelve model shapes at many and at few rows, the odd shapes, and each again drawn within 7 from |seed|."""
    result, draw = [], random.Random(seed)

    def near(number):
        return max(1, number + draw.randint(-7, 7))

    models = {"qwen2.5-0.5b": MODEL_SHAPES["qwen2.5-0.5b"]} if quick else MODEL_SHAPES
    for dtype in dtypes:
        for shapes in models.values():
            for n, k in shapes:
                result.append(gemm(dtype, [MANY_ROWS], n, k, seed))
                result.append(gemm(dtype, [1, 8, 32] if quick else FEW_ROWS, n, k, seed))
        for m, n, k in ODD_SHAPES[:1] if quick else ODD_SHAPES:
            result.append(gemm(dtype, [m], n, k, seed))
        if not quick:
            for n, k in [shape for shapes in models.values() for shape in shapes][::2]:
                result.append(gemm(dtype, [near(MANY_ROWS)], near(n), near(k), seed, "gemm-drawn"))
            for m, n, k in ODD_SHAPES:
                result.append(gemm(dtype, [near(m)], near(n), near(k), seed, "gemm-drawn"))
    return result


def write_gemm(spec, folder):
    """x.npy, w.npy for engines; returns error(case, result): f64 reference, some columns."""
    n, k, dtype, seed = spec["n"], spec["k"], spec["dtype"], spec["seed"]
    most = max(spec["rows"])
    x = rw.uniform(seed, "x", most * k).reshape(most, k)
    w = rw.random_tensor(seed, "w0.weight", (n, k), "weight", "bf16" if dtype == "bf16" else "f32")
    if dtype == "bf16":
        bits = rw.to_bf16(x)
        np.save(folder / "x.npy", bits)
        np.save(folder / "w.npy", rw.to_bf16(w))
        x = rw.from_bf16(bits)
    else:
        np.save(folder / "x.npy", x)
        np.save(folder / "w.npy", w)
    columns = np.sort(np.random.default_rng(seed).choice(n, min(n, 48), replace=False))
    exact = x.astype(np.float64) @ w[columns].astype(np.float64).T
    return lambda case, result: relative_error(result[:, columns], exact[:case]) if result.shape == (case, n) else float("inf")


def attention(dtype, heads, kv_heads, size, rows, window, seed):
    spec = {"kind": "attention", "dtype": dtype, "heads": heads, "kv_heads": kv_heads, "size": size, "rows": rows,
            "window": window, "seed": seed, "scale": size**-0.5}
    mask = f"window{window}" if window else "causal"
    work = Workload(f"attention/{dtype}/{mask}/{heads}h{kv_heads}g{size}d", spec, dtype=dtype)
    for m in rows:
        seen = m * (m + 1) / 2 if not window or window >= m else window * (window + 1) / 2 + (m - window) * window
        moved = BYTES[dtype] * size * m * (heads + 2 * kv_heads) + 4 * size * m * heads
        work.cases.append(Case(f"{work.name}/{m}", m, 4.0 * seen * heads * size, moved, CEILINGS[dtype], "compute"))
    return work


def attention_list(dtypes, seed, quick):
    rows = [512] if quick else [512, 1024, 2048, 4096]
    shapes = [(14, 2, 64)] if quick else [(14, 2, 64), (32, 8, 64), (32, 8, 80), (32, 8, 128)]
    return [attention(dtype, h, g, d, rows[1:] if window else rows, window, seed) for dtype in dtypes for h, g, d in shapes
            for window in ((0,) if quick else (0, 512))]


def write_attention(spec, folder):
    """q.npy, k.npy, v.npy as [rows, heads, size]; returns error(case, result): f64 reference, some rows."""
    most, size, dtype, seed = max(spec["rows"]), spec["size"], spec["dtype"], spec["seed"]
    arrays = {}
    for name, heads in (("q", spec["heads"]), ("k", spec["kv_heads"]), ("v", spec["kv_heads"])):
        values = rw.uniform(seed, name, most * heads * size).reshape(most, heads, size) * np.float32(2)
        if dtype == "bf16":
            bits = rw.to_bf16(values)
            np.save(folder / f"{name}.npy", bits)
            values = rw.from_bf16(bits)
        else:
            np.save(folder / f"{name}.npy", values)
        arrays[name] = values.astype(np.float64)
    group = spec["heads"] // spec["kv_heads"]

    def error(case, result):
        picked = np.unique(np.concatenate([[0, case - 1], np.random.default_rng(seed).integers(0, case, 14)]))
        out = np.zeros((len(picked), spec["heads"], size))
        for i, row in enumerate(picked):
            first = max(0, row + 1 - spec["window"]) if spec["window"] else 0
            for head in range(spec["heads"]):
                scores = arrays["k"][first:row + 1, head // group] @ arrays["q"][row, head] * spec["scale"]
                p = np.exp(scores - scores.max())
                out[i, head] = p @ arrays["v"][first:row + 1, head // group] / p.sum()
        return relative_error(result[picked], out)

    return error


def model_list(dtypes, quick):
    """Decode and prefill of whole models, and decode after longer and longer contexts."""
    result = []
    for dtype in dtypes:
        for model in MODELS[:1] if quick else MODELS:
            c = models.config(model)
            spec = {"kind": "model", "dtype": dtype, "model": model}
            work = Workload(f"model/{dtype}/{model}", dict(spec), dtype=dtype)
            for batch in (1, 8):
                work.cases.append(Case(f"decode/{dtype}/{model}/batch{batch}", {"do": "decode", "batch": batch, "past": PROMPT},
                                       batch * models.flops_per_token(c, True), 0, ["read"], "memory", batch,
                                       batch * (PROMPT + 8) * models.kv_bytes_per_token(c)))
            flops = PREFILL * models.flops_per_token(c, False) + models.attention_flops(c, PREFILL) + 2.0 * c["vocab_size"] * c["hidden_size"]
            work.cases.append(Case(f"prefill/{dtype}/{model}/{PREFILL}", {"do": "prefill", "rows": PREFILL}, flops, 0,
                                   CEILINGS.get(dtype, CEILINGS["int8"]), "compute", PREFILL))
            result.append(work)
        work = Workload(f"context/{dtype}/{MODELS[0]}", {"kind": "model", "dtype": dtype, "model": MODELS[0]}, dtype=dtype)
        c = models.config(MODELS[0])
        for past in CONTEXTS[:2] if quick else CONTEXTS:
            work.cases.append(Case(f"{work.name}/{past}", {"do": "decode", "batch": 1, "past": past}, models.flops_per_token(c, True), 0,
                                   ["read"], "memory", 1, past * models.kv_bytes_per_token(c)))
        result.append(work)
    return result


def time_list(quick):
    """What takes a process once: compiling, starting. |key| is the engines' function, the number of rounds, and what it returns."""
    result = []
    for model in MODELS[:1] if quick else MODELS:
        for word, rounds in (("compile", 3), ("start", 5)):
            work = Workload(f"{word}/bf16/{model}", {"kind": word, "model": model}, dtype="bf16")
            work.cases.append(Case(work.name, {"what": word + "_seconds", "rounds": rounds, "result": word}, 0, 0, [], "time"))
            result.append(work)
    return result


def write_model(spec, _):
    """Nothing to write but the checkpoint; returns error(case, result) of the logits after a short prompt."""
    exact = models.reference(spec["model"])
    return lambda case, result: float(np.sqrt(np.mean(np.square(result - exact)) / np.mean(np.square(exact))))
