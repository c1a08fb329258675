# SPDX-License-Identifier: Apache-2.0
"""The machines that ship are complete, give the published peaks, and a file that is wrong is refused with its line.

RUN: %python %s
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MACHINES = ROOT / "lib" / "Machine" / "pnm"


def run(*arguments):
    done = subprocess.run(["sluice-pnm", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def machine(name, *changes):
    code, out, err = run("machine", name, *(f"--set={change}" for change in changes))
    assert code == 0, err
    return json.loads(out)


def shipped():
    code, out, err = run("machines")
    assert code == 0, err
    names = [line.split()[0] for line in out.splitlines()]
    assert names == sorted(path.stem for path in MACHINES.glob("*.yaml")) and len(names) == 9, names
    for name in names:
        text = machine(name)
        for key, quantity in [*text["quantities"].items(), *text["curves"].items()]:
            assert quantity["grade"] in ("P", "P-run", "S", "I", "M", "fit") and len(quantity["source"]) > 2, (name, key)
            if quantity.get("value") is not None:
                assert quantity["lo"] <= quantity["value"] <= quantity["hi"], (name, key)
    # Nobody knows what a read of flash costs, so nothing is written there.
    assert machine("hbf_gen1")["quantities"]["energy.dram_read"]["value"] is None


def peaks():
    """V1, V2 and V3 of the validation table."""
    default = machine("cxl_lpddr5x_pnm")
    assert abs(default["derived"]["device_bandwidth"] / 1.0945e12 - 1) < 0.01
    assert abs(default["derived"]["device_flops"] / 8.2e12 - 1) < 0.01
    assert default["quantities"]["capacity.device_bytes"]["value"] == 512e9
    aim = machine("gddr6_aim_cent")
    assert aim["quantities"]["dram.channel_bandwidth"]["value"] == 512e9
    assert abs(aim["derived"]["device_bandwidth"] / 16.384e12 - 1) < 0.01
    for level, times, energy in (("bank", 9, 0.55), ("bg", 3, 1.56), ("buffer", 1, 3.29)):
        attacc = machine(f"hbm3_attacc_{level}")
        assert abs(attacc["derived"]["device_bandwidth"] / (times * 670.4e9) - 1) < 0.02
        assert abs(attacc["quantities"]["energy.dram_read"]["value"] / energy - 1) < 0.02


def changes():
    assert machine("hbf_gen1", "energy.dram_read=8")["quantities"]["energy.dram_read"]["value"] == 8
    scaled = machine("cxl_lpddr5x_pnm", "power.static_w=x2")["quantities"]["power.static_w"]
    assert (scaled["value"], scaled["lo"], scaled["hi"], scaled["grade"]) == (80, 40, 150, "I")
    for change, words in (
        ("power.static=3", "did you mean 'power.static_w'"), ("dram.row_bytes=9", "power of two"),
        ("link.bandwidth=x-1", "a factor above 0"), ("link.bandwidth=fast", "found 'fast'"),
        ("link.bandwidth=unknown", "cannot be unknown"), ("dram.stream_efficiency=1.01", "expected 1e-06 to 1"),
        ("topology.devices=1e400", "topology.devices"), ("topology.devices=nan", "topology.devices"),
    ):  # fmt: skip
        code, _, err = run("machine", "cxl_lpddr5x_pnm", f"--set={change}")
        assert code == 2 and words in err, (change, code, err)
    code, _, err = run("machine", "hbf_gen1", "--set=energy.dram_read=x2")
    assert code == 2 and "is unknown, so it cannot be scaled" in err, err


GOOD = (MACHINES / "cxl_lpddr5x_pnm.yaml").read_text()
WRONG = [  # what is searched for, what it becomes, what is said, of which key the line is
    (", grade: S, source: \"CXL-PNM, HPCA'24 (summary): per package\"", ", source: \"x\"", "dram.channel_bandwidth lacks its grade", "channel_bandwidth"),
    ("devices: {value: 8, grade: S", "devices: {value: 8, grade: sure", "has the grade 'sure', expected one of P,", "devices"),
    ("devices: {value: 8, grade: S, source: \"CXL-PNM, HPCA'24 (summary): appliance of 8 modules\"", "devices: {value: 8, grade: S, source: \"\"", "lacks its source", "devices"),
    ("devices: {value: 8", "devices: {value: -8", "topology.devices is -8, expected 1 to 65536", "devices"),
    ("devices: {value: 8", "devices: {value: 8.5", "expected a whole number", "devices"),
    ("devices: {value: 8", "devices: {value: 1e999", "to be a number, found '1e999'", "devices"),
    ("devices: {value: 8", "devices: {value: nan", "to be a number, found 'nan'", "devices"),
    ("devices: {value: 8", "devices: {value: '8'", "to be a number", "devices"),
    ("devices: {value: 8", "devices: {value: null", "is null, but it cannot be unknown", "devices"),
    ("devices: {value: 8,", "devices: {", "lacks its value", "devices"),
    ("devices: {value: 8", "devices: {value: [8]", "found a list", "devices"),
    ("devices: {value: 8", "devises: {value: 8", "did you mean 'devices'?", "devises"),
    ("devices: {value: 8", "devices: {unit: m, value: 8", "has 'unit', expected value, source, grade, lo, hi", "devices"),
    ("  devices: {value: 8, grade: S, source: \"CXL-PNM, HPCA'24 (summary): appliance of 8 modules\"}\n", "", "lacks topology.devices", None),
    ("devices: {value: 8, grade: S, source: \"CXL-PNM, HPCA'24 (summary): appliance of 8 modules\"}", "devices: 8", "is '8', expected {value, source, grade}", "devices"),
    ("access_bytes: {value: 32", "access_bytes: {value: 48", "power of two", "access_bytes"),
    ("latency_ns: {value: 60", "latency_ns: {value: 130", "in its own range, 40 to 120", "latency_ns"),
    ("lo: 40, hi: 120", "lo: 120, hi: 40", "in its own range", "latency_ns"),
    ("lo: 40, hi: 120", "lo: 40", "one end of a range", "latency_ns"),
    ("stream_efficiency: {value: 0.88", "stream_efficiency: {value: 1.2", "expected 1e-06 to 1", "stream_efficiency"),
    ("writable: {value: 1", "writable: {value: 0.5", "expected a whole number", "writable"),
    ("item_bytes: [32, 64", "item_bytes: [64, 64", "expected ascending sizes", "item_bytes"),
    ("bank: [0.458, ", "bank: [", "has 8 numbers for 9 item sizes", None),
    ("bank: [0.458, ", "bank: [1.458, ", "expected 1e-06 to 1", "bank"),
    ("link: {value: 4.4, grade: P, lo: 4, hi: 6", "link: {value: null, grade: P, lo: 4, hi: 6", "is unknown and has a range", "  link: {value: null"),
    ("energy:\n", "enery:\n", "did you mean 'energy'?", "enery"),
    ("schema: 1", "schema: 2", "expected 1", "schema"),
    ("name: cxl_lpddr5x_pnm", "title: x", "a machine has no section 'title'", "title"),
    ("tiles: {value: 32", "tiles: {value: 32, value: 32", "value", "tiles"),
    ("schema: 1", "schema: &a 1", "", "schema"),
    ("schema: 1\n", "", "expected 'schema: 1'", None),
]  # fmt: skip


def wrong():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bad.yaml"
        for before, after, words, key in WRONG:
            assert GOOD.count(before) == 1, before
            text = GOOD.replace(before, after)
            file.write_text(text)
            code, out, err = run("machine", file)
            assert code == 2 and words in err and not out, (before, after, code, err)
            if key:
                number = next(i for i, line in enumerate(text.splitlines(), 1) if key in line and not line.startswith("#"))
                assert re.search(rf"bad\.yaml:{number}:\d+: error: ", err), (key, number, err)
        for content in (b"", b"\0" * 100, bytes(range(256)), b"[" * 100000, b"a: " * 100000, GOOD.encode()[:1000]):
            file.write_bytes(content)
            code, out, err = run("machine", file)
            assert code == 2 and "error" in err and not out, (content[:20], code, err)
    code, _, err = run("machine", "cxl_lpddr5_pnm")
    assert code == 2 and "did you mean 'cxl_lpddr5x_pnm'" in err, err


shipped()
peaks()
changes()
wrong()
