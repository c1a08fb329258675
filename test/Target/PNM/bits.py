# SPDX-License-Identifier: Apache-2.0
"""The functions of the commands give the bits of the code for processors, whatever the machine's size.

REQUIRES: target-cpu
RUN: rm -rf %t && mkdir %t && %python %s %t

Both follow the reduction rule (docs/Contracts.md, section 4); they share the polynomial of exp and nothing else. Also
here: what the functions touched is what the enumeration of accesses says.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from sluice.random_weights import from_bf16, random_tensor, to_bf16

FOLDER = Path(sys.argv[1])
CUT = 256

OPS = """
#i8 = #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>
module attributes {sluice.kind = "op", sluice.name = "ops", sluice.random_seed = 7 : i64} {
sluice.param @w role weight : tensor<37x45xf32> from ["w"] rows [37]
sluice.param @h role weight : tensor<40x96xbf16> from ["h"] rows [40]
sluice.param @c role weight : tensor<24x80xf32, #i8> from ["c"] rows [24]
sluice.param @gate role weight : tensor<56x32xf32> from ["gate", "up"] rows [28, 28]
sluice.param @down role weight : tensor<32x28xf32> from ["down"] rows [32]
func.func @f32(%x: tensor<?x45xf32> {sluice.name = "x"}) -> (tensor<?x37xf32> {sluice.name = "y"}) attributes {sluice.export} {
  %w = sluice.param.use @w : tensor<37x45xf32>
  %y = sluice.linear %x, %w : (tensor<?x45xf32>, tensor<37x45xf32>) -> tensor<?x37xf32>
  return %y : tensor<?x37xf32>
}
func.func @bf16(%x: tensor<?x96xbf16> {sluice.name = "x"}) -> (tensor<?x40xf32> {sluice.name = "y"}) attributes {sluice.export} {
  %w = sluice.param.use @h : tensor<40x96xbf16>
  %y = sluice.linear %x, %w : (tensor<?x96xbf16>, tensor<40x96xbf16>) -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}
func.func @int8(%x: tensor<?x80xf32> {sluice.name = "x"}) -> (tensor<?x24xf32> {sluice.name = "y"}) attributes {sluice.export} {
  %w = sluice.param.use @c : tensor<24x80xf32, #i8>
  %y = sluice.linear %x, %w inputs int8 : (tensor<?x80xf32>, tensor<24x80xf32, #i8>) -> tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}
func.func @expert(%x: tensor<?x32xf32> {sluice.name = "x"}) -> (tensor<?x32xf32> {sluice.name = "y"}) attributes {sluice.export} {
  %g = sluice.param.use @gate : tensor<56x32xf32>
  %d = sluice.param.use @down : tensor<32x28xf32>
  %a = sluice.linear %x, %g : (tensor<?x32xf32>, tensor<56x32xf32>) -> tensor<?x56xf32>
  %h = sluice.activation silu %a gated : (tensor<?x56xf32>) -> tensor<?x28xf32>
  %y = sluice.linear %h, %d : (tensor<?x28xf32>, tensor<32x28xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
func.func @attend(%q: tensor<?x6x16xf32> {sluice.name = "q"}, %k: tensor<?x2x16xf32> {sluice.name = "k"}, %v: tensor<?x2x16xf32> {sluice.name = "v"}, %b: !sluice.batch {sluice.name = "b"}) -> (tensor<?x6x16xf32> {sluice.name = "y"}) attributes {sluice.export} {
  %y = sluice.attention %q, %k, %v batch %b mask #sluice.causal {scale = 0.25 : f64}
    : (tensor<?x6x16xf32>, tensor<?x2x16xf32>, tensor<?x2x16xf32>, !sluice.batch) -> tensor<?x6x16xf32>
  return %y : tensor<?x6x16xf32>
}
}
"""


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def compiled(function, inputs):
    """What the processor's code gives; tensors of u16 are bf16."""
    path = FOLDER / "cpu.safetensors"
    header, body, at = {}, b"", 0
    for name, value in inputs.items():
        data = np.ascontiguousarray(value).tobytes()
        dtype = {"uint16": "BF16", "float32": "F32", "int32": "I32", "int64": "I64"}[str(value.dtype)]
        header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [at, at + len(data)]}
        body, at = body + data, at + len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    run("sluice-run", FOLDER / "ops.sluice", "--inputs", path, "--outputs", FOLDER / "cpu-out.safetensors", "--function", function, "--threads=1")
    return load_file(FOLDER / "cpu-out.safetensors")["y"]


def simulated(program, memories):
    """What the commands give, and the report. Conservation is checked on every run."""
    file, inputs, outputs = (FOLDER / name for name in ("p.pnm", "pnm.safetensors", "pnm-out.safetensors"))
    file.write_text(program)
    save_file({name: np.frombuffer(np.ascontiguousarray(value).tobytes(), dtype=np.uint8) for name, value in memories.items()}, inputs)
    report = json.loads(run("sluice-pnm", "simulate", file, "--inputs", inputs, "--outputs", outputs, "--report=json"))
    assert report["bytes"]["memory_read"] == report["touched"]["memory_read"], report
    assert report["bytes"]["memory_written"] == report["touched"]["memory_written"], report
    parts = sum(part["value"] for part in report["energy"].values())
    assert abs(parts - report["joules"]["value"]) <= 1e-12 * parts
    assert report["ns"] >= report["bound_ns"] and all(busy <= 1 + 1e-12 for busy in report["busy"].values())
    first, count = (int(program.split(f"{key}=")[1].split()[0]) for key in ("first", "count"))
    for device in range(first, first + count):
        trace(file, inputs, device, report)
    assert sum(TRACED) == report["bytes"]["memory_moved"], (TRACED, report["bytes"])
    TRACED.clear()
    return load_file(outputs), report


TRACED = []


def trace(file, inputs, device, report):
    out = FOLDER / "trace"
    run("sluice-pnm", "trace", file, "--inputs", inputs, "--format=dramsim3", f"--device={device}", "-o", out)
    TRACED.append(32 * len(out.read_text().splitlines()))


def same(ours, theirs):
    ours, theirs = (np.ascontiguousarray(x, dtype=np.float32).reshape(-1).view(np.uint32) for x in (ours, theirs))
    assert ours.shape == theirs.shape and (ours == theirs).all(), f"{(ours != theirs).sum()} of {ours.size} differ"


HEAD = "pnm 1\nmachine cxl_lpddr5x_pnm\ngroup 1 first={first} count={count}\n"


def matrix(dice, devices):
    head = HEAD.format(first=8 - devices, count=devices)
    flags = "flags=[event,broadcast]" if devices > 1 else "flags=[event]"
    n = int(dice.integers(1, 5))

    def gemv(dtype, shape, x, weights, extra="", type1="f32"):
        program = head + (
            f"memory w tier=pnm group=1 shard=rows mut=frozen dtype={dtype} {extra}dims=[{shape[0]},{shape[1]}]\n"
            f"memory x tier=host dtype={type1} dims=[{n},{shape[1]}]\nmemory y tier=host dtype=f32 dims=[{n},{shape[0]}]\n"
            f"gemv group=1 src0=w src1=x dst=y n0={shape[0]} n1={n} n2={shape[1]} type0={dtype} type1={type1} acc=f32 id=1 {flags}\n"
            "host_wait id=1\ntoken n0=1\n"
        )
        return simulated(program, {"w": weights, "x": x})[0]["y"]

    x = dice.standard_normal((n, 45), dtype=np.float32)
    same(gemv("f32", (37, 45), x, random_tensor(7, "w", [37, 45], "weight")), compiled("f32", {"x": x}))
    x16 = to_bf16(dice.standard_normal((n, 96), dtype=np.float32))
    weights = to_bf16(random_tensor(7, "h", [40, 96], "weight"))
    same(gemv("bf16", (40, 96), x16, weights, type1="bf16"), compiled("bf16", {"x": x16}))
    x = dice.standard_normal((n, 80), dtype=np.float32)
    x[0, 3] = 40
    same(gemv("i8", (24, 80), x, encoded(random_tensor(7, "c", [24, 80], "weight")), "columns=32 "), compiled("int8", {"x": x}))


def encoded(weights):
    """Codes and then bf16 scales, by docs/Contracts.md, section 8 (codes and scales)."""
    codes, scales = np.zeros(weights.shape, np.int8), np.zeros((len(weights), 3), np.uint16)
    for row in range(len(weights)):
        for group in range(3):
            part = weights[row, group * 32 : (group + 1) * 32]
            extreme = part[np.argmax(np.abs(part))]
            if (part == -np.abs(extreme)).any():
                extreme = -np.abs(extreme)
            scales[row, group] = to_bf16(np.array([extreme * np.float32(-1 / 128)], np.float32))[0]
            scale = from_bf16(scales[row, group : group + 1])[0]
            if scale:
                codes[row, group * 32 : group * 32 + len(part)] = np.clip(np.rint(part / scale), -128, 127)
    return np.concatenate([codes.reshape(-1).view(np.uint8), scales.reshape(-1).view(np.uint8)])


def pad(*parts):
    """An argument block: its parts start at multiples of 64 bytes."""
    block = b""
    for part in parts:
        block += b"\0" * (-len(block) % 64) + np.ascontiguousarray(part).tobytes()
    return np.frombuffer(block, np.uint8)


def experts(dice, devices):
    flags = "flags=[event,broadcast]" if devices > 1 else "flags=[event]"
    tokens, pairs, number = 3, 7, 4
    x = dice.standard_normal((tokens, 32), dtype=np.float32)
    expert = np.concatenate([random_tensor(7, name, shape, "weight").reshape(-1) for name, shape in (("gate", [28, 32]), ("up", [28, 32]), ("down", [32, 28]))])
    weights = np.stack([dice.standard_normal(expert.shape, dtype=np.float32) for _ in range(number)])
    weights[2] = expert
    routed = np.stack([dice.integers(0, tokens, pairs), dice.integers(0, number, pairs)], 1).astype(np.int32)
    routed[4, 1] = 2
    block = pad(x, routed)
    program = HEAD.format(first=0, count=devices) + (
        f"memory w tier=pnm group=1 shard=experts mut=frozen dtype=f32 dims=[{number},84,32]\n"
        f"memory a tier=host dtype=u8 dims=[{len(block)}]\nmemory y tier=host dtype=f32 dims=[{pairs},32]\n"
        f"expert_gemv group=1 src0=w src1=a dst=y n0={pairs} n1={tokens} n2=28 type0=f32 type1=f32 acc=f32 id=1 {flags}\nhost_wait id=1\n"
    )
    y = simulated(program, {"w": weights, "a": block})[0]["y"]
    theirs = compiled("expert", {"x": x})
    for pair in np.flatnonzero(routed[:, 1] == 2):
        same(y[pair], theirs[routed[pair, 0]])


def attention(dice, devices, bf16):
    heads, query_heads, size, slots = 2, 6, 16, int(dice.choice([16, 32, 64, 256]))
    tokens = int(dice.choice([1, 17, 255, 256, 257, 700]))
    store = to_bf16 if bf16 else lambda x: x
    q = dice.standard_normal((tokens, query_heads, size), dtype=np.float32)
    k, v = (store(dice.standard_normal((tokens, heads, size), dtype=np.float32)) for _ in "kv")
    # Over tensors the processor's code has f32 only; numbers of bf16 are the same numbers there.
    wide_k, wide_v = (from_bf16(x) if bf16 else x for x in (k, v))
    theirs = compiled("attend", {"q": q, "k": wide_k, "v": wide_v, "sequence_lengths": np.array([tokens], np.int32)})[-1]
    pages = -(-tokens // slots)
    # A cut stays on a device: cuts change places, pages inside one keep together.
    per_cut = CUT // slots
    cuts = dice.permutation(-(-pages // per_cut) + 2)
    table = np.array([cuts[p // per_cut] * per_cut + p % per_cut for p in range(pages)], np.int32)
    total = len(cuts) * per_cut
    slot = np.array([table[t // slots] * slots + t % slots for t in range(tokens)], np.int32)
    rows, args = pad(k, v, slot), pad(q[-1], table)
    dtype, wide = ("bf16", 2) if bf16 else ("f32", 4)
    flags = "event,broadcast" if devices > 1 else "event"
    fence = "fence,event,broadcast" if devices > 1 else "fence,event"
    rooms = -(-tokens // CUT)
    program = HEAD.format(first=0, count=devices) + (
        f"memory kv tier=pnm group=1 shard=pages mut=append layout=hnd dtype={dtype} dims=[{total},{heads},{slots},{size}]\n"
        f"memory new tier=host dtype=u8 dims=[{len(rows)}]\nmemory args tier=host dtype=u8 dims=[{len(args)}]\n"
        f"memory states tier=host dtype=f32 dims=[{rooms},{query_heads},{4 + size}]\nmemory o tier=host dtype=f32 dims=[{query_heads},{size}]\n"
        f"kv_append group=1 src1=new dst=kv n0={tokens} type1={dtype} layout=hnd id=1 flags=[{flags}]\n"
        f"attn_partial group=1 src0=kv src1=args dst=states n0={pages} n1={tokens} type0={dtype} acc=f32 layout=hnd scale=0.25 aux={query_heads} id=2 flags=[{fence}]\n"
        f"host_wait id=2\nmerge_states src0=states dst=o n0={rooms} n1={query_heads} n2={size} acc=f32 flags=[normalised]\n"
    )
    out, report = simulated(program, {"new": rows, "args": args})
    same(out["o"], theirs)
    assert report["bytes"]["memory_read"] == 2 * tokens * heads * size * wide


(FOLDER / "ops.mlir").write_text(OPS)
run("sluicec", FOLDER / "ops.mlir", "--from=tensor", "--cpu=x86-64-v3", "-o", FOLDER / "ops.sluice")
dice = np.random.default_rng(3)
for devices in (1, 3, 8):
    matrix(dice, devices)
    experts(dice, min(devices, 4))
    attention(dice, devices, False)
    attention(dice, devices, True)
