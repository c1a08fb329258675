# SPDX-License-Identifier: Apache-2.0
#
# Properties of attention over random shapes and values, through the C API, for twelve programs of different heads, sizes, types,
# caps and masks. A sequence is n keys and then m queries, which see the keys alone (prefixes = n):
# - split anywhere, the parts merge by their logarithms of sums (lse) to the whole, within rounding;
# - a query's bits are the same whatever else is in the batch, in whatever order its sequences stand, however many threads
#   there are, and whatever hidden keys lie behind the visible ones, NaN included.
# 25 cases of each program here, 220 with --long. A planted mistake (a merge that forgets one part's lse) must be found.
# RUN: rm -rf %t && mkdir %t && %python %s %t 25
import ctypes
import sys
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_void_p
from pathlib import Path

import numpy as np
from sluice import runtime
from sluice.tools import run_tool

#   name: (query heads, kv heads, key size, value size, result's type, operands after prefixes, attributes)
PROGRAMS = {
    "mha": (4, 4, 16, 16, "f32", "", ""),
    "gqa": (6, 2, 16, 24, "f32", "", ""),
    "mqa": (5, 1, 8, 40, "f32", "", ""),
    "one": (1, 1, 1, 1, "f32", "", ""),
    "odd": (3, 3, 7, 5, "f32", "", ""),
    "wide": (2, 1, 192, 128, "f32", "", ""),
    "many": (14, 2, 64, 64, "f32", "", ""),
    "capped": (4, 2, 32, 32, "f32", "", ", softcap = 3.0 : f64"),
    "halved": (4, 2, 32, 32, "bf16", "", ""),
    "halved_mqa": (8, 1, 24, 16, "bf16", "", ", softcap = 20.0 : f64"),
    "narrow_values": (3, 1, 48, 2, "f32", "", ""),
    "latent": (4, 1, 72, 64, "f32", "", ""),
}


class Arg(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("data", c_void_p), ("dim0", c_int64)]


def program(name, heads, groups, key, value, result, operands, attributes):
    q, k, v = f"tensor<?x{heads}x{key}xf32>", f"tensor<?x{groups}x{key}xf32>", f"tensor<?x{groups}x{value}xf32>"
    out = f"tensor<?x{heads}x{value}x{result}>"
    return f"""func.func @{name}(%q: {q} {{sluice.name = "q"}}, %k: {k} {{sluice.name = "k"}}, %v: {v} {{sluice.name = "v"}},
    %p: tensor<?xi32> {{sluice.name = "p"}}, %b: !sluice.batch {{sluice.name = "batch"}})
    -> ({out} {{sluice.name = "o"}}, tensor<?x{heads}xf32> {{sluice.name = "lse"}}) attributes {{sluice.export}} {{
  %y:2 = sluice.attention %q, %k, %v batch %b mask #sluice.prefixes prefixes %p{operands} {{scale = {key ** -0.5:.9e} : f64{attributes}}}
    : ({q}, {k}, {v}, !sluice.batch, tensor<?xi32>) -> ({out}, tensor<?x{heads}xf32>)
  return %y#0, %y#1 : {out}, tensor<?x{heads}xf32>
}}
"""


scratch, count = Path(sys.argv[1]), int(sys.argv[2])
source = scratch / "split.mlir"
header = 'module attributes {sluice.name = "split", sluice.kind = "op", sluice.random_seed = 1 : i64} {\n'
source.write_text(header + "".join(program(name, *what) for name, what in PROGRAMS.items()) + "}\n")
run_tool("sluicec", source, "--from=tensor", "-o", scratch / "split.sluice")
library = runtime.library()
library.sluice_session_call.argtypes = [c_void_p, c_char_p, POINTER(runtime.Part), c_int32, POINTER(Arg), c_int32]
model = runtime.Artefact(scratch / "split.sluice")


def session(threads):
    options = runtime.SessionOptions(threads=threads, max_rows=4096, max_seqs=8, poison=True)
    made = c_void_p()
    runtime.call("sluice_session_create", model.handle, ctypes.byref(options), ctypes.byref(made))
    return made


sessions = [session(1), session(2)]


def run(which, name, sequences):
    """|sequences|: (q [m, H, D], k [n, G, D], v [n, G, E], hidden k, hidden v). Gives (o, lse) of each one's queries."""
    heads, groups, key, value, result, *_ = PROGRAMS[name]
    qs, ks, vs, visible, parts, places = [], [], [], [], [], []
    at = 0
    for q, k, v, hidden_k, hidden_v in sequences:
        n, m, h = len(k), len(q), len(hidden_k)
        ks += [k, hidden_k, np.full((m, groups, key), np.nan, np.float32)]
        vs += [v, hidden_v, np.full((m, groups, value), np.nan, np.float32)]
        qs += [np.ones((n + h, heads, key), np.float32), q]
        visible.append(n)
        parts.append(runtime.Part(count=n + h + m))
        places.append((at + n + h, at + n + h + m))
        at += n + h + m
    o = np.full((at, heads, value), 7, np.float32 if result == "f32" else np.uint16)
    lse = np.full((at, heads), 7, np.float32)
    data = {"q": np.concatenate(qs), "k": np.concatenate(ks), "v": np.concatenate(vs), "p": np.array(visible, np.int32), "o": o, "lse": lse}
    data = {key: np.ascontiguousarray(array) for key, array in data.items()}
    args = (Arg * 6)(*[Arg(key.encode(), array.ctypes.data, len(array)) for key, array in data.items()])
    status = library.sluice_session_call(sessions[which], name.encode(), (runtime.Part * len(parts))(*parts), len(parts), args, 6)
    assert status == 0, library.sluice_last_error()
    o, lse = data["o"], data["lse"]
    return [(o[a:b], lse[a:b]) for a, b in places]


def widened(o):
    return o.astype(np.float64) if o.dtype == np.float32 else (o.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def merge(parts, forget=False):
    """The whole's result and lse out of those of its parts."""
    lses = np.stack([lse.astype(np.float64) for _, lse in parts])
    most = lses.max(axis=0)
    with np.errstate(invalid="ignore"):
        weights = np.where(np.isneginf(lses), 0, np.exp(lses - np.where(np.isneginf(most), 0, most)))
    if forget:
        weights[-1] = 1
    total = weights.sum(axis=0)
    o = sum(w[..., None] * widened(part) for w, (part, _) in zip(weights, parts)) / np.maximum(total, 1e-300)[..., None]
    with np.errstate(divide="ignore"):
        return o, most + np.log(total)


chance = np.random.default_rng(20)
found = merged = same = 0
for name, (heads, groups, key, value, result, *_) in PROGRAMS.items():
    worst = 0.0
    for case in range(count):
        n, m = int(chance.choice([1, 2, 15, 16, 17, 100, 255, 256, 257, 300, 520])), int(chance.integers(1, 6))
        n += int(chance.integers(0, 30)) * (case % 2)
        wide = float(chance.choice([0.3, 1.0, 3.0]))

        def draw(rows, width, of):
            return (wide * chance.standard_normal((rows, of, width))).astype(np.float32)

        q, k, v, none = draw(m, key, heads), draw(n, key, groups), draw(n, value, groups), (draw(0, key, groups), draw(0, value, groups))
        alone, = run(0, name, [(q, k, v, *none)])

        # Split anywhere, in two or more.
        cuts = sorted({int(c) for c in chance.integers(0, n + 1, int(chance.integers(1, 4)))})
        edges = [0, *cuts, n]
        parts = run(1, name, [(q, k[a:b], v[a:b], *none) for a, b in zip(edges, edges[1:])])
        o, lse = merge(parts)
        # Each part is rounded to the result's type, and its scores by f32; values are |wide| wide.
        bound = (2.0 ** -8 * 4 if result == "bf16" else 4e-5 * (1 + wide * wide)) * wide * 4
        apart = np.abs(o - widened(alone[0])).max()
        assert apart <= bound, (name, case, n, cuts, apart, bound)
        assert np.abs(lse - alone[1]).max() <= 4e-5 * (1 + np.abs(alone[1]).max()), (name, case, n, cuts)
        worst = max(worst, apart / bound)
        merged += 1
        if len(edges) > 2 and edges[-2] < n and edges[-2] > 0 and n > 2:
            wrong, _ = merge(parts, forget=True)
            found += np.abs(wrong - widened(alone[0])).max() > bound

        # The same bits in company, behind and before others, with hidden keys behind the visible ones, on any threads.
        company = []
        for _ in range(int(chance.integers(1, 5))):
            others = int(chance.integers(0, 40))
            company.append((draw(int(chance.integers(1, 4)), key, heads), draw(others, key, groups), draw(others, value, groups), *none))
        h = int(chance.integers(0, 300))
        hidden = np.full((h, groups, key), np.nan, np.float32), draw(h, value, groups)
        place = int(chance.integers(0, len(company) + 1))
        company.insert(place, (q, k, v, *hidden))
        for which in (0, 1):
            again = run(which, name, company)[place]
            assert again[0].tobytes() == alone[0].tobytes() and again[1].tobytes() == alone[1].tobytes(), (name, case, n, h, which)
            same += 1
    assert 0 < worst, f"{name}: the whole and its parts never differ in a bit: nothing was merged"
for made in sessions:
    library.sluice_session_release(made)
model.close()
assert found > merged // 4, (found, merged)
print(f"{len(PROGRAMS)} programs, {merged} splits merged, {same} runs with the same bits, {found} planted mistakes found")
