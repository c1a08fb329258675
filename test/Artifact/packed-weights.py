# SPDX-License-Identifier: Apache-2.0
#
# Packed weights, byte by byte, against docs/Contracts.md section 3 said again in NumPy.
# RUN: rm -rf %t && mkdir %t
# RUN: %python %s write %t %S/Inputs/weights.mlir
# RUN: sluicec %t/weights.mlir --from=tensor -o %t/out.sluice
# RUN: %python %s check %t
# A tensor that the checkpoint lacks: bad input, all of them named, nothing written.
# RUN: %python %s remove %t
# RUN: %python %s refused %t
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

command, scratch = sys.argv[1], Path(sys.argv[2])


def bf16_bits(values):
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def sources():
    rng = np.random.default_rng(5)
    shapes = {"a": (19, 24), "b": (21, 24), "l.0.w": (20, 33), "l.1.w": (20, 33), "h": (17, 24), "l.0.n": (24,), "l.1.n": (24,)}
    tensors = {}
    for name, shape in shapes.items():
        values = rng.standard_normal(shape).astype(np.float32)
        if name.endswith(".w"):
            tensors[name] = ("BF16", bf16_bits(values))
        elif name == "h":
            tensors[name] = ("F16", values.astype(np.float16))
        else:
            tensors[name] = ("F32", values)
    return tensors


def write_checkpoint(tensors, path):
    header, data = {}, b""
    for name, (dtype, values) in tensors.items():
        raw = values.tobytes()
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def panel(weight, group):
    """[ceil(N/16)][ceil(K/g)][16][g], zero padded."""
    n, k = weight.shape
    padded = np.zeros((-(-n // 16) * 16, -(-k // group) * group), weight.dtype)
    padded[:n, :k] = weight
    return padded.reshape(padded.shape[0] // 16, 16, -1, group).transpose(0, 2, 1, 3).tobytes()


def block(raw):
    return raw + bytes(-len(raw) % 64)


def expected(tensors):
    value = {name: values for name, (_, values) in tensors.items()}
    return {
        "panel32": block(panel(np.concatenate([value["a"], value["b"]]), 1)),
        "panel16": block(panel(value["l.0.w"], 2)) + block(panel(value["l.1.w"], 2)),
        "half": block(panel(value["h"], 2)),
        "rows": block(value["l.0.n"].tobytes()) + block(value["l.1.n"].tobytes()),
    }


if command == "write":
    write_checkpoint(sources(), scratch / "model.safetensors")
    (scratch / "weights.mlir").write_text(Path(sys.argv[3]).read_text().replace("CHECKPOINT", str(scratch)))
elif command == "check":
    raw = (scratch / "out.sluice" / "weights.safetensors").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header, start = json.loads(raw[8 : 8 + length]), 8 + length
    manifest = json.loads((scratch / "out.sluice" / "manifest.json").read_text())
    want = expected(sources())
    assert [w["name"] for w in manifest["weights"]] == list(want), "the manifest's order is the module's"
    assert list(header) == list(want), f"the file has {list(header)}"
    for entry in manifest["weights"]:
        name = entry["name"]
        begin, end = (start + offset for offset in header[name]["data_offsets"])
        assert begin % 64 == 0, f"{name} starts at {begin}"
        assert end - begin == entry["bytes"] == len(want[name]), f"{name} has {end - begin} bytes, not {len(want[name])}"
        assert raw[begin:end] == want[name], f"{name} differs from the layout"
elif command == "remove":
    tensors = sources()
    del tensors["b"], tensors["l.1.n"]
    write_checkpoint(tensors, scratch / "model.safetensors")
elif command == "refused":
    before = sorted(scratch.rglob("*"))
    run = subprocess.run(
        ["sluicec", scratch / "weights.mlir", "--from=tensor", "-o", scratch / "other.sluice"], capture_output=True, text=True
    )
    assert run.returncode == 2, f"exit code {run.returncode}: {run.stderr}"
    assert "'b'" in run.stderr and "'l.1.n'" in run.stderr, run.stderr
    assert sorted(scratch.rglob("*")) == before, "something was left behind"
