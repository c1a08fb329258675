# SPDX-License-Identifier: Apache-2.0
"""Random programs on a target and against the oracle: sluice-smith writes them, sluice-check compares.

    python python/dev/smith.py --count 100 [--first SEED] [--target cpu] [--jobs N] [--keep FOLDER]

Each program runs with a few batches that all have, and with one of its own. The last line
on stdout is "N programs, N numbers, N failed"; each failure comes with the commands that replay and shrink it. Exit codes:
0 ok, 1 usage, 5 a program failed (4 when one could not be run at all).
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from sluice.tools import build_folder

# A ragged batch with an empty sequence and a single row; one row after more keys than a cut holds; many rows; nothing.
USUAL = "--rows=5,0,1,18 --past=7,3,0,33 --rows=1 --past=300 --rows=37 --past=0 --rows=0,0 --past=0,5".split()
SLOW = 1800  # seconds for one program; the usual one takes half a second


def run_one(seed, folder, target):
    """(numbers compared, "") of a good program, (0, what it said) of another one."""
    bin_folder = build_folder() / "bin"
    program = Path(folder, f"smith-{seed}.mlir")
    made = subprocess.run([bin_folder / "sluice-smith", f"--seed={seed}", "-o", program], capture_output=True, text=True)
    if made.returncode != 0:
        return 0, f"sluice-smith --seed={seed}: exit code {made.returncode}: {made.stderr.strip()[:2000]}"
    sizes = USUAL + re.search(r"^// check: (.*)$", program.read_text(), re.M).group(1).split()
    command = ["sluice-check", str(program), f"--target={target}", "--against=reference", *sizes]
    try:
        done = subprocess.run([bin_folder / command[0], *command[1:]], capture_output=True, text=True, timeout=SLOW)
        code, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        code, said = "none", f"ran longer than {SLOW} s"
    if code != 0:
        replay = " ".join([command[0], program.name, *command[2:]])
        return 0, (
            f"seed {seed}: exit code {code}\n{said.strip()[:3000]}\n"
            f"  replay: sluice-smith --seed={seed} -o {program.name} && {replay}\n"
            f"  shrink: ./dev reduce {program.name} -- {replay.replace(program.name + ' ', '')}"
        )
    numbers = int(re.search(r"(\d+) numbers, all agree", said).group(1))
    program.unlink()
    return numbers, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="programs (100)")
    parser.add_argument("--first", type=int, default=0, help="the first one's seed; the others follow (0)")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", help="a folder where programs that fail stay")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.count)
    numbers = failed = broken = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or scratch
        os.makedirs(folder, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for compared, trouble in pool.map(lambda seed: run_one(seed, folder, arguments.target), seeds):
                numbers += compared
                failed += bool(trouble)
                broken += bool(trouble) and "exit code 5\n" not in trouble
                if trouble:
                    print(trouble, flush=True)
    print(f"{arguments.count} programs, {numbers} numbers, {failed} failed")
    return 4 if broken else 5 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
