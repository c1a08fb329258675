# SPDX-License-Identifier: Apache-2.0
"""Results as data, in Google Benchmark's JSON schema. One entry per engine and case, a median; what the schema has no
name for stands beside it:

  engine, case     what was measured; `name` is case/engine
  real_time, q1, q3, min   ms per call (time_unit), over `repetitions` interleaved runs of `iterations` calls
  rate, unit       GFLOP/s or GB/s or tokens/s, from the median
  ceiling, ratio   the machine's ceiling beside it (same unit) and the median of the runs' ratios to it
  discarded        repetitions that did not count because somebody else had a core (rig.py)
  disturbed        true when that was so for nearly all of them, and so they did count
  error            largest difference from the reference, in parts of its root mean square
  why              instead of times, where an engine did not get to run
"""

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from peers.rig import quartiles

HERE = Path(__file__).resolve().parent
SCHEMA = {"name": str, "run_name": str, "run_type": str, "engine": str, "case": str}
TIMED = {"repetitions": int, "threads": int, "iterations": int, "real_time": (int, float), "cpu_time": (int, float),
         "time_unit": str, "q1": (int, float), "q3": (int, float), "min": (int, float), "rate": (int, float), "unit": str}


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True).stdout.strip()


def commit():
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":!/bench/results")
    return git("rev-parse", "--short=12", "HEAD") + ("-changed" if changed else "")


def context(cores, threads):
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)$", info, re.MULTILINE)
    return {
        "date": now(),
        "host_name": platform.node(),
        "executable": "bench/peers.py",
        "cpu": model.group(1) if model else platform.machine(),
        "cpu_flags": sorted(f for f in (flags.group(1).split() if flags else []) if f.startswith(("avx", "amx", "fma"))),
        "num_cpus": os.cpu_count(),
        "cores": sorted(cores),
        "threads": threads,
        "load_avg": [round(x, 2) for x in os.getloadavg()],
        "commit": commit(),
    }


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def absent(case, engine, why):
    return {"name": f"{case.name}/{engine}", "run_name": f"{case.name}/{engine}", "run_type": "aggregate", "engine": engine,
            "case": case.name, "error_occurred": True, "error_message": why, "why": why}


def entry(case, engine, samples, threads, settings, error, facts):
    """An entry from the seconds per call and the ceilings' rates beside them. Whole models count tokens, and the bytes of
    their own format of weights."""
    moved = case.bytes or facts.get("weight_bytes", 0) + case.kv_bytes
    compute = case.bound == "compute"
    unit = "s" if case.bound == "time" else "tokens/s" if case.tokens else "GFLOP/s" if compute else "GB/s"
    amount = case.tokens or 1e-9 * (case.flops if compute else moved)
    seconds = samples["seconds"]
    low, middle, high = quartiles(seconds)
    work = case.flops if compute else moved
    ratios = sorted(work / s / c for s, c in zip(seconds, samples["ceilings"], strict=True) if c)
    ceilings = sorted(samples["ceilings"])
    name = f"{case.name}/{engine}"
    result = {"name": name, "run_name": name, "run_type": "aggregate", "aggregate_name": "median", "engine": engine,
              "case": case.name, "repetitions": len(seconds), "threads": threads, "iterations": samples["iterations"],
              "real_time": 1e3 * middle, "cpu_time": 1e3 * quartiles(samples["cpu"])[1], "time_unit": "ms",
              "q1": 1e3 * low, "q3": 1e3 * high, "min": 1e3 * min(seconds), "rate": middle if unit == "s" else amount / middle, "unit": unit,
              "flops": case.flops, "bytes": moved, "bound": case.bound,
              "ceiling_name": "+".join(case.ceiling), "error": error, "settings": settings,
              "discarded": samples.get("discarded", 0)}
    if samples.get("disturbed"):
        result["disturbed"] = True
    if ratios:
        result |= {"ceiling": 1e-9 * ceilings[len(ceilings) // 2], "ceiling_unit": "GFLOP/s" if compute else "GB/s",
                   "ratio": ratios[len(ratios) // 2]}
    if case.tokens and not compute and ratios:
        result["floor_rate"] = case.tokens * ceilings[len(ceilings) // 2] / moved  # what its bytes allow
    return rounded(result)


def rounded(value):
    """Five digits are more than any of these numbers is good for."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def load(path):
    """A results file, checked. ValueError says what is wrong."""
    try:
        document = json.loads(Path(path).read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: no JSON: {error.msg}") from None
    check(document, path)
    return document


def check(document, path):
    """ValueError unless |document| is what this module writes."""
    if not isinstance(document, dict) or not isinstance(document.get("context"), dict) or not isinstance(document.get("benchmarks"), list):
        raise ValueError(f"{path}: expected an object with \"context\" and \"benchmarks\"")
    for key in ("date", "cpu", "num_cpus", "threads", "load_avg", "commit"):
        if key not in document["context"]:
            raise ValueError(f"{path}: context has no \"{key}\"")
    names = set()
    for index, item in enumerate(document["benchmarks"]):
        wanted = SCHEMA if "why" in item else SCHEMA | TIMED
        for key, kind in wanted.items():
            if not isinstance(item.get(key), kind) or isinstance(item.get(key), bool):
                raise ValueError(f"{path}: benchmarks[{index}]: \"{key}\" is {item.get(key)!r}")
        if item["name"] in names:
            raise ValueError(f"{path}: benchmarks[{index}]: {item['name']} stands there twice")
        names.add(item["name"])


def merge(path, entries, where, best=None):
    """Writes |entries| and the |best| ceilings seen into the results at |path|; those of the same name are replaced. Each keeps its own date, commit
    and load, since a file may be filled in several runs."""
    path = Path(path)
    document = load(path) if path.exists() else {"context": where, "benchmarks": []}
    stamp = {"date": where["date"], "commit": where["commit"], "load_avg": where["load_avg"]}
    fresh = {item["name"]: item | stamp for item in entries}
    kept = [item for item in document["benchmarks"] if item["name"] not in fresh]
    best = document["context"].get("best_ceilings", {}) | (best or {})
    document = {"context": where | {"best_ceilings": rounded(best)}, "benchmarks": kept + list(fresh.values())}
    check(document, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
    return document
