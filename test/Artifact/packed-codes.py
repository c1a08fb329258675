# SPDX-License-Identifier: Apache-2.0
#
# Codes and scales, byte by byte, against docs/Contracts.md sections 3 and 8 said again in NumPy; numbers worked out by
# hand; what has no codes is refused; errors are reported.
# RUN: rm -rf %t && mkdir %t
# RUN: %python %s write %t %S/Inputs/codes.mlir
# RUN: sluicec %t/codes.mlir --from=tensor -o %t/out.sluice 2> %t/remarks
# RUN: %python %s check %t
# RUN: %python %s refused %t
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

command, scratch = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "runtime" / "abi-suite"))
from generate_expected import encode, rounded, widened  # noqa: E402


def sources():
    rng = np.random.default_rng(5)
    shapes = {"a": (19, 75), "b": (21, 75), "l.0.w": (20, 130), "l.1.w": (20, 130), "h": (17, 75)}
    tensors = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    a = tensors["a"]
    a[0, :32] = 0  # no scale
    a[1] = -0.0
    a[2, :32] = 0
    a[2, 0], a[2, 1] = 127, -127  # both signs of the extreme: the negative one decides
    a[3, :32] = np.float32(1e-45)  # the scale underflows
    a[4, :32] *= np.float32(1e29)
    a[5, :32] *= np.float32(1e-37)
    a[6, :32] = np.arange(32) - 16 + np.float32(0.5)  # ties
    a[7, 74] = 3  # the last, short group
    return tensors


def write_checkpoint(tensors):
    header, data = {}, b""
    for name, values in tensors.items():
        dtype = "bf16" if name.endswith(".w") else "f16" if name == "h" else "f32"
        raw = rounded(values, dtype).tobytes()
        header[name] = {"dtype": dtype.upper(), "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    (scratch / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def expected(tensors):
    bf16 = {name: widened(rounded(tensors[name], "bf16"), "bf16") for name in ("l.0.w", "l.1.w")}
    return {
        "joined": encode(np.concatenate([tensors["a"], tensors["b"]]), 8, 32),
        "stacked": encode(bf16["l.0.w"], 4, 64) + encode(bf16["l.1.w"], 4, 64),
        "half": encode(tensors["h"].astype(np.float16).astype(np.float32), 4, 64),
    }


if command == "write":
    write_checkpoint(sources())
    (scratch / "codes.mlir").write_text(Path(sys.argv[3]).read_text().replace("CHECKPOINT", str(scratch)))
elif command == "check":
    raw = (scratch / "out.sluice" / "weights.safetensors").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header, start = json.loads(raw[8 : 8 + length]), 8 + length
    manifest = json.loads((scratch / "out.sluice" / "manifest.json").read_text())
    with np.errstate(all="ignore"):
        want = expected(sources())
    packed = {}
    for entry in manifest["weights"]:
        name = entry["name"]
        begin, end = (start + offset for offset in header[name]["data_offsets"])
        packed[name] = raw[begin:end]
        assert end - begin == entry["bytes"] == len(want[name]), f"{name} has {end - begin} bytes, not {len(want[name])}"
        assert packed[name] == want[name], f"{name} differs from the layout"
    encoding = manifest["weights"][0]["encoding"]
    assert encoding == {"element": "i8", "scale": "bf16", "rows": 1, "columns": 32}, encoding
    # By hand: row 2 of the first panel. The extreme is -127, so the scale is 127/128, 127 would be code 128 and is held at
    # 127, -127 is -128; zeros lie as 128. 75 inputs are 3 groups of 32, 8 words each.
    first = packed["joined"]
    assert list(first[2 * 4 : 2 * 4 + 4]) == [255, 0, 128, 128], list(first[8:12])
    scales = np.frombuffer(first[3 * 32 * 16 : 3 * 32 * 16 + 32], dtype=np.uint16)
    assert widened(scales, "bf16")[2] == np.float32(127 / 128)
    assert scales[0] == scales[1] == scales[3] == 0, "all zero: the scale is +0"
    remarks = (scratch / "remarks").read_text()
    report = {entry["param"]: entry for entry in json.loads((scratch / "out.sluice" / "report" / "quantize.json").read_text())}
    assert list(report) == ["joined", "stacked", "half"], list(report)
    for name, bits, group in (("joined", 8, 32), ("stacked", 4, 64), ("half", 4, 64)):
        assert f"sluicec: quantize: {name}: int{bits} in groups of {group}, rms error " in remarks, remarks
    stacked = np.stack([widened(rounded(sources()[n], "bf16"), "bf16") for n in ("l.0.w", "l.1.w")])
    # int4 of normal numbers in groups of 64 is off by about a tenth of their size.
    assert 0.08 < report["stacked"]["relative_error"] < 0.12, report["stacked"]
    assert report["stacked"]["numbers"] == stacked.size and report["stacked"]["measured_layers"] == 2
elif command == "refused":
    for value in (np.nan, np.inf, -np.inf, np.float32(2.0**100)):
        tensors = sources()
        tensors["b"][20, 74] = value
        write_checkpoint(tensors)
        other = scratch / "other.sluice"
        # --allow-nonfinite lets such numbers into dense weights; a code cannot hold them.
        run = subprocess.run(["sluicec", scratch / "codes.mlir", "--from=tensor", "--allow-nonfinite", "-o", other],
                             capture_output=True, text=True)
        assert run.returncode == 2, f"exit code {run.returncode}: {run.stderr}"
        assert "tensor 'b': expected numbers below 2^100 to quantize, but element [20, 74]" in run.stderr, run.stderr
        assert not other.exists(), "something was left behind"
