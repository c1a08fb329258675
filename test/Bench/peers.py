# SPDX-License-Identifier: Apache-2.0
# The harness of bench/peers without any peer: the results' schema, tables and plots of planted numbers, the check for
# regressions with its exit codes, a worker's protocol, and the checkpoint that all engines share.
# RUN: %python %s %root %t
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT, OUT = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "bench"))

from peers import baseline, models, report, results, workloads  # noqa: E402

shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)


def refused(call, *words):
    """|call| must raise a ValueError that has all of |words|."""
    try:
        call()
    except ValueError as error:
        assert all(word in str(error) for word in words), error
        return
    raise AssertionError(f"nothing was refused; expected a message with {words}")


def planted(milliseconds, ceiling=100e9):
    """Samples as a rig returns them: five runs around a median."""
    seconds = [1e-3 * milliseconds * f for f in (1.0, 0.9, 1.1, 1.05, 0.95)]
    return {"seconds": seconds, "cpu": seconds, "ceilings": [ceiling] * 5, "iterations": 3}


# ---- entries: medians, quartiles, ratios ----
case = workloads.Case("gemm/f32/512x896x896", 512, 0.8e9, 4e6, ["fma"], "compute")
entry = results.entry(case, "sluice", planted(10), 2, "as it comes", 1e-6, {})
assert entry["name"] == "gemm/f32/512x896x896/sluice" and entry["run_type"] == "aggregate" and entry["time_unit"] == "ms"
assert (entry["real_time"], entry["q1"], entry["q3"], entry["min"]) == (10.0, 9.5, 10.5, 9.0), entry
assert entry["rate"] == 80.0 and entry["unit"] == "GFLOP/s" and entry["ceiling"] == 100.0 and abs(entry["ratio"] - 0.8) < 1e-9
stream = workloads.Case("gemm/f32/1x896x896", 1, 1.6e6, 3.2e6, ["read"], "memory")
assert results.entry(stream, "sluice", planted(0.1, 40e9), 2, "", 0.0, {})["rate"] == 32.0
step = workloads.Case("decode/bf16/m/batch1", {}, 1e9, 0, ["read"], "memory", 1, 1e6)
tokens = results.entry(step, "sluice", planted(40, 30e9), 2, "", 0.0, {"weight_bytes": 0.999e9})
assert tokens["unit"] == "tokens/s" and tokens["rate"] == 25.0 and tokens["bytes"] == 1e9 and tokens["floor_rate"] == 30.0
assert abs(tokens["ratio"] - 25 / 30) < 1e-4

# ---- the file: merged by name, checked when it is read ----
where = {"date": "2026-01-01T00:00:00+00:00", "cpu": "a < b & c", "num_cpus": 2, "threads": 2, "load_avg": [0.1, 0.1, 0.1], "commit": "0" * 12}
path = OUT / "planted.json"
absent = results.absent(case, "openblas", "not installed: ./dev setup --peers")
results.merge(path, [entry, results.entry(case, "torch", planted(8), 2, "eager", 2e-6, {}), absent], where)
document = results.merge(path, [results.entry(stream, "sluice", planted(0.1, 40e9), 2, "", 0.0, {}),
                                results.entry(stream, "torch", planted(0.2, 40e9), 2, "", 0.0, {}), tokens], where)
assert len(document["benchmarks"]) == 6
results.merge(path, [results.entry(case, "torch", planted(20), 2, "eager", 2e-6, {})], where | {"commit": "1" * 12})
document = results.load(path)
assert len(document["benchmarks"]) == 6 and document["benchmarks"][-1]["commit"] == "1" * 12
assert document["benchmarks"][0]["commit"] == "0" * 12
for key in ("cpu", "commit", "load_avg"):
    bad = {"context": {k: v for k, v in where.items() if k != key}, "benchmarks": []}
    refused(lambda: results.check(bad, "f.json"), "f.json", key)
for key in ("real_time", "repetitions", "engine"):
    bad = {"context": where, "benchmarks": [{k: v for k, v in entry.items() if k != key}]}
    refused(lambda: results.check(bad, "f.json"), "benchmarks[0]", key)
refused(lambda: results.check({"context": where, "benchmarks": [entry, entry]}, "f.json"), "benchmarks[1]", "twice")
(OUT / "broken.json").write_text("{\n  \"context\": ")
refused(lambda: results.load(OUT / "broken.json"), "broken.json:2", "no JSON")

# ---- tables and plots come from the file alone ----
written = report.write(document, path)
assert [p.name for p in written] == ["planted.md", "planted-roofline-f32.svg"], written
text = written[0].read_text()
assert "| openblas | – |  |  |  |  |  | not installed: ./dev setup --peers |" in text
assert "| sluice | 10 ms | 1 | 9 | 80 GFLOP/s | 80% |  | 1.0e-06 |" in text
assert "| torch | 20 ms | 2 | 18 | 40 GFLOP/s | 40% | 2.00x | 2.0e-06 |" in text
assert "| f32 GEMM, 512 rows, of the FMA ceiling | 0.9 | 0.80 | 0.80 | gemm/f32/512x896x896 | 0 of 1 |" in text, text
assert "| GEMM, at most 32 rows, against oneDNN/MKL through PyTorch | 1.3 | 2.00 | 2.00 | gemm/f32/1x896x896 | 1 of 1 |" in text
assert "Slower than the fastest peer in 0 of 3 cases" in text
svg = written[1].read_text()
assert svg.startswith("<svg") and svg.count("<circle") == 4 + 2 and "a &lt; b &amp; c" in svg  # four points, two names
lost = json.loads(json.dumps(document))
next(item for item in lost["benchmarks"] if item["name"].endswith("512x896x896/torch"))["real_time"] = 5.0
assert "Slower than the fastest peer in 1 of 3 cases" in report.summary(lost) and "| 0.50x | torch | 80% |" in report.summary(lost)
steps = [results.entry(workloads.Case(f"decode/bf16/m/batch{n}", {}, 1e9, 0, ["read"], "memory", n, 1e4), "sluice",
                       planted(40 + n, 30e9), 2, "", 0.0, {"weight_bytes": 1e9}) for n in (1, 8)]
start = results.entry(workloads.Case("start/bf16/m", {}, 0, 0, [], "time"), "sluice", planted(250, 0.0), 2, "", None, {})
assert start["unit"] == "s" and start["rate"] == 0.25 and "ratio" not in start
reached = {row[0]: row[1:] for row in report.goals({"context": where, "benchmarks": [*steps, start]})}
assert abs(reached["tokens/s of batch 8, against batch 1"][1][0][1] - 8 * 41 / 48) < 1e-3
assert reached["start to the first token, against 1 s"] == (1.0, [("start/bf16/m", 4.0)])
contexts = [results.entry(workloads.Case(f"context/bf16/m/{n}", {}, 1e9, 0, ["read"], "memory", 1, n * 1e4), "sluice",
                          planted(40 + n / 100, 30e9), 2, "", 0.0, {"weight_bytes": 1e9}) for n in (16, 1024, 16384)]
plot = report.context_plot({"context": where, "benchmarks": contexts})
assert plot.count("<circle") == 3 + 2 and plot.count("<polyline") == 2, plot

# ---- regressions ----
base_path = OUT / "baseline.json"
baseline.write(base_path, document)
base = baseline.load(base_path)
assert set(base["ratios"]) == {"gemm/f32/512x896x896", "gemm/f32/1x896x896", "decode/bf16/m/batch1"}


def scaled(factors):
    copy = json.loads(json.dumps(document))
    for item in copy["benchmarks"]:
        if item["engine"] == "sluice":
            item["ratio"] *= factors.get(item["case"], 1.0)
    return copy


def verdicts(factors):
    return {row[0]: row[3] for row in baseline.compare(base, scaled(factors), 0.05)}


assert set(verdicts({}).values()) == {"same"}
assert verdicts({"gemm/f32/1x896x896": 0.951})["gemm/f32/1x896x896"] == "same"
assert verdicts({"gemm/f32/1x896x896": 0.949})["gemm/f32/1x896x896"] == "regression"
assert verdicts({"gemm/f32/1x896x896": 1.2})["gemm/f32/1x896x896"] == "better"
refused(lambda: baseline.load(OUT / "planted.json"), "ratios")
(OUT / "zero.json").write_text('{"ratios": {"a": 0}}')
refused(lambda: baseline.load(OUT / "zero.json"), "ratio of a")


def check(*arguments):
    done = subprocess.run([sys.executable, ROOT / "bench" / "check.py", *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


(OUT / "slower.json").write_text(json.dumps(scaled({"decode/bf16/m/batch1": 0.9})))
code, said = check(path, "--baseline", base_path)
assert code == 0 and "0 of 3 cases lost more than 5%" in said, said
code, said = check(OUT / "slower.json", "--baseline", base_path)
assert code == 4 and "1 of 3 cases lost more than 5%" in said and said.startswith("regression decode/bf16/m/batch1"), said
assert check(OUT / "slower.json", "--baseline", base_path, "--allow", 15)[0] == 0
assert check(OUT / "slower.json", "--baseline", base_path, "--only", "gemm")[0] == 0
gone = scaled({})
gone["benchmarks"] = [item | {"why": "it fails"} if item["case"].startswith("decode") else item for item in gone["benchmarks"]]
(OUT / "gone.json").write_text(json.dumps(gone))
assert check(OUT / "gone.json", "--baseline", base_path)[0] == 4  # what no longer runs is no success
assert check(OUT / "broken.json", "--baseline", base_path)[0] == 2
assert check(OUT / "nothing-here.json", "--baseline", base_path)[0] == 2
assert check(OUT / "slower.json", "--baseline", base_path, "--update")[0] == 0
assert check(OUT / "slower.json", "--baseline", base_path)[0] == 0

# ---- cases: what the goals speak of is there, and the drawn shapes follow the seed ----
names = [case.name for work in workloads.gemm_list(["f32", "bf16"], 1, False) for case in work.cases]
assert len(names) == len(set(names))
assert sum(name.startswith("gemm/f32/512x") for name in names) == 12
assert {"gemm/f32/1000x1000x1000", "gemm/bf16/2000x2040x2040", "gemm/f32/17x4096x4096"} <= set(names)
other = [case.name for work in workloads.gemm_list(["f32", "bf16"], 2, False) for case in work.cases]
assert [n for n in names if "drawn" not in n] == [n for n in other if "drawn" not in n] and names != other
window = workloads.attention("bf16", 4, 2, 64, [600], 512, 1).cases[0]
seen = sum(min(i + 1, 512) for i in range(600))
assert window.flops == 4.0 * seen * 4 * 64

# ---- the check of numbers notices one wrong number ----
spec = {"n": 40, "k": 24, "dtype": "bf16", "seed": 3, "rows": [5]}
error = workloads.write_gemm(spec, OUT)
exact = np.load(OUT / "x.npy").astype(np.uint32), np.load(OUT / "w.npy").astype(np.uint32)
x, w = ((bits << 16).view(np.float32) for bits in exact)
good = (x @ w.T).astype(np.float32)
assert error(5, good) < 1e-6
good[3, 39] += 0.5
assert error(5, good) > 0.1 and error(5, good * np.nan) == float("inf") and error(5, good[:, :39]) == float("inf")
spec = {"heads": 4, "kv_heads": 2, "size": 8, "dtype": "f32", "seed": 3, "rows": [40], "window": 16, "scale": 0.5}
error = workloads.write_attention(spec, OUT)
q, k, v = (np.load(OUT / f"{name}.npy") for name in "qkv")
at = np.arange(40)
hidden = np.where((at[None] <= at[:, None]) & (at[:, None] - at[None] < 16), 0, -np.inf)
scores = np.einsum("ihd,jhd->hij", q, np.repeat(k, 2, 1)) * 0.5 + hidden
p = np.exp(scores - scores.max(-1, keepdims=True))
y = np.einsum("hij,jhd->ihd", p / p.sum(-1, keepdims=True), np.repeat(v, 2, 1))
assert error(40, y) < 1e-5 and error(40, np.roll(y, 1, 1)) > 0.1

# ---- the numpy model that whole models are checked against, on a toy; its checkpoint is a checkpoint ----
toy = {"vocab_size": 50, "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 3,
       "num_key_value_heads": 1, "rms_norm_eps": 1e-6, "rope_theta": 10000.0}
assert models.linear_elements(toy) == 50 * 24 + 2 * (40 * 24 + 24 * 24 + 3 * 32 * 24)
assert models.attention_flops(toy, 2, 3) == 4.0 * (3 + 1 + 3 + 2) * 24 * 2

# ---- a worker says why instead of dying ----
import os  # noqa: E402

environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "bench"), str(ROOT / "python")])}
talk = '{"do": "open", "spec": {"threads": 1}}\n{"do": "run", "case": "fma", "count": 1, "warm": false}\n{"do": "run", "case": "nonsense", "count": 1}\n'
done = subprocess.run([sys.executable, "-m", "peers.worker", "ceilings"], input=talk, capture_output=True, text=True, env=environment)
answers = [json.loads(line) for line in done.stdout.splitlines()]
assert [a["ok"] for a in answers] == [True, True, False] and answers[1]["seconds"] > 0 and "nonsense" in answers[2]["why"], done
done = subprocess.run([sys.executable, "-m", "peers.worker", "no_such_engine"], input=talk, capture_output=True, text=True, env=environment)
assert json.loads(done.stdout.splitlines()[0])["missing"]
