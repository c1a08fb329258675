# SPDX-License-Identifier: Apache-2.0
#
# --report of the compiler and of a run, and the timeline: the ops that --explain names, counted by hand where a number is
# checked; the page holds the data of the JSON; marks are of ops of the function that ran, and cover every one of them.
# RUN: rm -rf %t && mkdir %t
# RUN: sluicec %root/test/Fixtures/llama-bf16/model -o %t/m.sluice --weights=random:7 --report
# RUN: sluicec %root/test/Fixtures/llama-bf16/model --weights=random:7 --explain=json --ceilings=none > %t/explained.json
# RUN: sluice-run %t/m.sluice --tokens=1,2,3,4,5 --max-new=4 --ignore-eos --threads=2 --report=%t/run --trace 2> %t/log
# RUN: FileCheck %s --input-file=%t/log --check-prefix=LOG
# LOG: remark: wrote {{.*}}run/report.html
# LOG: remark: wrote the timeline to {{.*}}run/trace.json
# RUN: sluice-run %t/m.sluice --tokens=1,2,3,4,5 --max-new=4 --ignore-eos > %t/plain
# RUN: sluice-run %t/m.sluice --tokens=1,2,3,4,5 --max-new=4 --ignore-eos --trace=%t/alone.json 2> %t/log2 | diff - %t/plain
# RUN: %python %s %t

# RUN: FileCheck %s --input-file=%t/m.sluice/report/report.txt --check-prefix=TEXT
# TEXT: function step
# TEXT: because
# TEXT: inner loops: {{cycles of one iteration as llvm-mca simulates|llvm-mca was not found}}
# TEXT: linear_bf16_{{.*}} loop 1 {{.*}} instructions {{.*}} cycles
# TEXT: compile
# TEXT: code {{ *[0-9.]+}} s
# RUN: FileCheck %s --input-file=%t/run/report.txt --check-prefix=RUN-TEXT
# RUN-TEXT: 8 steps on 2 threads
# RUN-TEXT: function step, 4 steps
# RUN-TEXT: 12 {{ *}}layers.qkv {{ *}}linear
# RUN-TEXT: function sample, 4 steps

# An artefact whose manifest names no ops, and a report that cannot be written.
# RUN: sluice-make-fake %build/runtime/abi-suite/sluice_fake_model.so %t/fake.sluice
# RUN: not sluice-run %t/fake.sluice --tokens=1 --trace=%t/none.json 2>&1 | FileCheck %s --check-prefix=NO-OPS
# NO-OPS: its manifest names no ops, so a trace would have no names: compile the model again
# RUN: not sluice-run %t/m.sluice --tokens=1 --max-new=1 --report=%t/plain/under 2>&1 | FileCheck %s --check-prefix=PLACE
# PLACE: cannot make the folder {{.*}}plain/under for the report: Not a directory

import json
import re
import sys
from pathlib import Path

folder = Path(sys.argv[1])
explained = json.loads((folder / "explained.json").read_text())
built = json.loads((folder / "m.sluice/report/report.json").read_text())
ran = json.loads((folder / "run/report.json").read_text())
manifest = json.loads((folder / "m.sluice/manifest.json").read_text())
functions = [f["name"] for f in manifest["functions"]]

# One source of truth: the same ops, in the same order, with the same counts, everywhere.
shared = ["function", "op", "phase", "share", "times", "path", "dot", "dtype", "mask", "schedule", "reason", "weight_bytes"]
for op, *others in zip(manifest["ops"], explained["ops"], built["ops"], ran["ops"], strict=True):
    for other in others:
        assert [other[key] for key in shared] == [op[key] for key in shared], (op, other)
    assert op["memory"] == others[0]["memory"] and op["operations"] == others[0]["operations"], op

# By hand: 3 layers, hidden 64, 4 heads and 2 kv heads of 16, mlp 96, vocabulary 113 (8 panels of 16), bf16.
by_name = {(functions[op["function"]], op["phase"], op["op"]): op for op in ran["ops"]}
steps, rows, asked = 4, 5 + 3, 4
keys = sum(range(5, 9))
pairs = 5 * 6 // 2 + 6 + 7 + 8
qkv = by_name["step", "layers.qkv", "linear"]
assert qkv["measured"]["steps"] == steps and qkv["measured"]["runs"] == 3 * steps, qkv
assert qkv["measured"]["operations"] == 3 * rows * 2 * 128 * 64, qkv
assert qkv["measured"]["bytes"] == 3 * steps * 128 * 64 * 2, qkv
head = by_name["step", "head", "linear"]
assert head["measured"]["operations"] == asked * 2 * 113 * 64, head
assert head["measured"]["bytes"] == steps * 128 * 64 * 2, "panels are padded to 16 outputs"
attention = by_name["step", "attention", "attention"]
assert attention["measured"]["operations"] == 3 * (rows * 64 + pairs * 4 * (2 * 16 + 1 + 4 + 2 * 16)), attention
assert attention["measured"]["bytes"] == 3 * keys * 2 * 32 * 2, attention
for op in ran["ops"]:
    assert op["measured"]["seconds"] > 0, op
    assert op["measured"]["seconds"] >= op["measured"]["mean_s"] > 0, op
assert ran["ceilings"]["read_bytes_per_s"] > 0 and ran["ceilings"]["fma_ops_per_s"] > 0

# The page is whole: its data are those of the JSON, and nothing in them can end the element that they stand in.
for report in (folder / "m.sluice/report", folder / "run"):
    page = (report / "report.html").read_text()
    data = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S).group(1)
    assert "<" not in data
    assert json.loads(data) == json.loads((report / "report.json").read_text())
    assert not re.search(r'(src|href)="', page), "a page that needs nothing else"
assert {c["part"] for c in built["compile"]} >= {"model", "tensor", "placed", "target", "code", "link", "pack"}
for loop in built["mca"]["loops"]:
    assert loop["instructions"] > 0 and loop["cycles"] > 0 and loop["block_rthroughput"] > 0, loop

# The timeline: both workers did every op, as often as it runs, one after another.
trace = json.loads((folder / "run/trace.json").read_text())["traceEvents"]
spans = [e for e in trace if e["ph"] == "X"]
count = {}
for worker in (0, 1):
    mine = [e for e in spans if e["tid"] == worker]
    for a, b in zip(mine, mine[1:]):
        assert a["dur"] >= 0 and b["ts"] >= a["ts"] + a["dur"] - 0.002, (a, b)
    for event in mine:
        number = event["args"]["number"]
        op = ran["ops"][number]
        assert (event["name"], event["args"]["op"]) == (op["phase"], op["op"]), event
        count[worker, number] = count.get((worker, number), 0) + 1
for number, op in enumerate(ran["ops"]):
    for worker in (0, 1):
        assert count.get((worker, number), 0) == op["measured"]["runs"], (worker, op)
marks = [e for e in trace if e["ph"] == "i"]
assert [m["args"]["rows"] for m in marks if m["args"]["keys"] >= 5] == [5, 1, 1, 1], marks
assert len(json.loads((folder / "alone.json").read_text())["traceEvents"]) > 50
