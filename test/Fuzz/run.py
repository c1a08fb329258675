# SPDX-License-Identifier: Apache-2.0
"""Runs fuzzers: on the inputs that once failed (test/Regress), then on mutations of the seeds.

    run.py BUILD --seeds FOLDER [--runs N] [--only NAME]... [--random SEED] [--keep FOLDER] [--log FILE]

BUILD is the tree of the preset `fuzz`. The number of executions decides when a fuzzer ends, not the time. One line per
fuzzer on stdout. Exit code 4 when an input crashed, hung, leaked or was reported by a sanitizer: it is kept, and the line that
replays it is printed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HANG = 300  # seconds of the clock; the fuzzers themselves count processor time (Scratch.h)


def main():
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--seeds", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--random", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where the grown corpus stays")
    parser.add_argument("--log", type=Path, help="gets the last lines of every run")
    arguments = parser.parse_args()
    names = arguments.only or sorted(path.name for path in (arguments.build / "bin").glob("fuzz-*"))
    if not names:
        sys.exit(f"no fuzzers in {arguments.build}/bin")
    failed = False
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            failed |= not run(name, arguments, Path(folder))
    sys.exit(4 if failed else 0)


def run(name, arguments, scratch):
    corpus = (arguments.keep or scratch) / name
    corpus.mkdir(parents=True, exist_ok=True)
    regress = ROOT / "test/Regress" / name
    seeds = [folder for folder in (regress, arguments.seeds / name) if folder.is_dir()]
    program = arguments.build.resolve() / "bin" / name
    command = [program, f"-runs={arguments.runs}", f"-seed={arguments.random}", f"-timeout={HANG}", "-rss_limit_mb=4096"]
    command += [f"-report_slow_units={HANG}", "-print_final_stats=1", f"-artifact_prefix={scratch}/"]
    environment = dict(os.environ, SLUICE_FUZZ_SCRATCH=str(scratch) if not os.access("/dev/shm", os.W_OK) else "/dev/shm")
    # The packaged libraries are not instrumented: what they poison and unpoison does not fit together with what ours do.
    environment["ASAN_OPTIONS"] = "allow_user_poisoning=0:detect_leaks=1:quarantine_size_mb=16:" + environment.get("ASAN_OPTIONS", "")
    environment["TMPDIR"] = str(scratch)
    with open(scratch / "log", "wb") as log:
        code = subprocess.run([*map(str, command), str(corpus), *map(str, seeds)], stdout=log, stderr=log, env=environment).returncode
    text = (scratch / "log").read_text(errors="replace")
    done = re.search(r"stat::number_of_executed_units: (\d+)", text)
    peak = re.findall(r"cov: (\d+) ft: (\d+)", text)
    executions = int(done.group(1)) if done else 0
    print(
        f"{name}: {executions} executions, {peak[-1][0] if peak else 0} edges,"
        f" {'ok' if code == 0 else 'FAILED'}",
        flush=True,
    )
    if arguments.log:
        with open(arguments.log, "a") as log:
            tail = [line for line in text.splitlines() if line.startswith(("stat::", "Done", "#")) and "NEW" not in line and "REDUCE" not in line]
            log.write(f"$ {name} -runs={arguments.runs} -seed={arguments.random}\n" + "\n".join(tail[-9:]) + "\n\n")
    if code == 0:
        return True
    kept = Path("fuzz-failures")
    kept.mkdir(exist_ok=True)
    for pattern in ("crash-*", "timeout-*", "leak-*", "oom-*"):
        for path in scratch.glob(pattern):
            shutil.copy(path, kept / f"{name}-{path.name}")
            print(f"{name}: replay with: ASAN_OPTIONS={environment['ASAN_OPTIONS']} {program} {kept.resolve()}/{name}-{path.name}")
    print("\n".join(text.splitlines()[-60:]), flush=True)
    return False


main()
