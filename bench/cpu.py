# SPDX-License-Identifier: Apache-2.0
"""./dev bench cpu: what compiled code reaches of this machine's ceilings, each measured next to it in the same minutes.

  f32 and bf16 GEMM 1024 x 1024 x 1024, one core, against the peak of that core's multiply-add instructions
  decode of a bf16 Llama of Qwen2.5-0.5B's shape (seeded weights), two threads, against the read bandwidth
  compile time of that 24-layer model, and of the same with two layers

Never in CI: the numbers are the machine's as much as ours. Results go to bench/results as Google-Benchmark JSON, with
machine and commit. Exit code 0 even when a floor is missed, unless --gate is given (then 4).
"""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sluice import tools

HERE = Path(__file__).resolve().parent
SHAPE = HERE / "cpu" / "qwen2.5-0.5b-shape"
# What this change of the project promises; raised when met.
FLOORS = {"gemm f32 1024": 0.85, "gemm bf16 1024": 0.85, "decode bf16, 2 threads": 0.80}
COMPILE_SECONDS = 10.0
COMPILE_RATIO = 1.3


@dataclass
class Row:
    name: str
    value: float
    unit: str
    ceiling: float = 0.0
    ceiling_name: str = ""
    floor: float = 0.0  # least ratio to the ceiling
    most: float = 0.0  # largest value

    @property
    def ratio(self):
        return self.value / self.ceiling if self.ceiling else 0.0

    @property
    def missed(self):
        return self.ratio < self.floor or (self.most and self.value > self.most)

    def __str__(self):
        line = f"{self.name:44} {self.value:10.2f} {self.unit:9}"
        if self.ceiling:
            line += f" {100 * self.ratio:5.1f}% of {self.ceiling:.1f} {self.unit} ({self.ceiling_name})"
        if self.floor:
            line += f", floor {100 * self.floor:.0f}%"
        if self.most:
            line += f" at most {self.most:g}"
        return line + ("   BELOW THE FLOOR" if self.missed and self.floor else "   TOO MUCH" if self.missed else "")


def gemm(repetitions):
    """The kernels alone, between the peaks of the same moments in one process."""
    out = tools.run_tool("sluice-bench-linear", f"--repetitions={repetitions}", "--shapes=1024x1024x1024",
                         "--types=f32,bf16", "--json")[0]
    rows = []
    for entry in json.loads(out)["benchmarks"]:
        key = f"gemm {entry['name'].split('/')[1]} 1024"
        rows.append(Row(key, entry["GFLOP_per_s"], "GFLOP/s", entry["GFLOP_per_s"] / entry["of_peak"], "peak",
                        FLOORS.get(key, 0.0)))
    return rows


def decode(artefact, threads, rounds, generate):
    """What `sluice-run bench` says: it interleaves a plain read loop with the steps, so the ceiling is of the moment."""
    out = tools.run_tool("sluice-run", "bench", artefact, "--prompt", 16, "--generate", generate, "--batch", 1,
                         "--threads", threads, "--repetitions", rounds, "--format=json")[0]
    entries = json.loads(out)["benchmarks"]
    steps = [entry for entry in entries if entry["name"].startswith("decode/") and entry["run_type"] == "iteration"]
    if not steps:
        tools.fail(f"bench cpu: sluice-run bench reports no decode; it has {[e['name'] for e in entries]}", 4)
    # The ratio first, then its median: numerator and denominator are from the same moment.
    median = sorted(steps, key=lambda step: step["GB_per_s"] / step["roof_GB_per_s"])[len(steps) // 2]
    key = f"decode bf16, {threads} threads"
    return [Row("decode", statistics.median(step["tokens_per_s"] for step in steps), "tokens/s"),
            Row(key, median["GB_per_s"], "GB/s", median["roof_GB_per_s"], "read, interleaved", FLOORS[key])]


def compile_times(scratch, rounds):
    """(rows, artefact): the model and its two-layer twin, compiled in turn."""
    twin = scratch / "twin"
    shutil.copytree(SHAPE, twin, dirs_exist_ok=True)
    config = json.loads((twin / "config.json").read_text())
    config["num_hidden_layers"] = 2
    (twin / "config.json").write_text(json.dumps(config, indent=2))
    full, small = [], []
    for _ in range(rounds):
        full.append(tools.compile_model(SHAPE, scratch / "full.sluice", "--weights=random:1"))
        small.append(tools.compile_model(twin, scratch / "twin.sluice", "--weights=random:1"))
    seconds, twin_seconds = statistics.median(full), statistics.median(small)
    return [Row("compile, 24 layers", seconds, "s", most=COMPILE_SECONDS),
            Row("compile, 2 layers", twin_seconds, "s"),
            Row("compile, 24 layers / 2 layers", seconds / twin_seconds, "x", most=COMPILE_RATIO)], scratch / "full.sluice"


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True).stdout.strip()


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": model.group(1) if model else platform.machine(),
        "num_cpus": os.cpu_count(),
        "load_avg": list(os.getloadavg()),
        "commit": git("rev-parse", "--short=12", "HEAD") + ("-changed" if git("status", "--porcelain") else ""),
    }


def as_json(context, rows):
    return {"context": context, "benchmarks": [
        {"name": row.name, "value": row.value, "unit": row.unit,
         **({"ceiling": row.ceiling, "ceiling_name": row.ceiling_name, "ratio": row.ratio} if row.ceiling else {})}
        for row in rows]}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench cpu", description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20, help="of the kernels (default 20)")
    parser.add_argument("--rounds", type=int, default=5, help="of decode and compile (default 5)")
    parser.add_argument("--generate", type=int, default=32, help="tokens to decode in a round (default 32)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gate", action="store_true", help="exit code 4 when a floor is missed")
    arguments = parser.parse_args()

    context = machine()
    if context["load_avg"][0] > 0.5:
        print(f"the machine is busy (load {context['load_avg'][0]:.1f}); the ratios suffer", file=sys.stderr)
    scratch = tools.build_folder() / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    rows = gemm(arguments.repetitions)
    compiled, artefact = compile_times(scratch, min(arguments.rounds, 3))
    FLOORS.setdefault(f"decode bf16, {arguments.threads} threads", 0.0)
    rows += decode(artefact, arguments.threads, arguments.rounds, arguments.generate) + compiled

    print(f"{context['cpu']}, commit {context['commit']}, load {context['load_avg'][0]:.2f}")
    for row in rows:
        print(row)
    result = HERE / "results" / f"cpu-{context['commit']}.json"
    result.parent.mkdir(exist_ok=True)
    result.write_text(json.dumps(as_json(context, rows), indent=1) + "\n")
    print(f"results: {result.relative_to(tools.ROOT)}", file=sys.stderr)
    return 4 if arguments.gate and any(row.missed for row in rows) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except tools.ToolError as error:
        tools.fail(f"bench cpu: {error}", error.code)
