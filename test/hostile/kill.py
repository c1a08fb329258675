# SPDX-License-Identifier: Apache-2.0
"""Kills sluicec at random moments of a compile.

    kill.py BUILD FOLDER TIMES [SEED]

After each kill -9 the output must be absent or byte for byte what an undisturbed compile writes; every fourth time there is an
older artefact at its place, which may also still be there, whole. TIMES is the number of compiles that a kill -9 found running;
half as many are ended by SIGTERM, which may clean up, in between. At the end one more compile must succeed and leave nothing but
its output.
"""

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from inputs import llama


def digest(folder):
    """All names and contents below |folder|."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path.relative_to(folder)).encode() + b"\0" + (path.read_bytes() if path.is_file() else b"/"))
    return found.hexdigest()


def main():
    build, folder, times = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), int(sys.argv[3])
    dice = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    llama()(folder)
    out = folder / "out.sluice"
    command = [build / "bin/sluicec", "model", "-o", "out.sluice", "--cpu=x86-64-v3"]

    def compile_to(extra=()):
        return subprocess.run([*command, *extra], cwd=folder, capture_output=True, text=True)

    began = time.monotonic()
    run = compile_to()
    whole_time = time.monotonic() - began
    if run.returncode != 0:
        sys.exit(f"the undisturbed compile failed: {run.stderr}")
    whole = digest(out)
    shutil.rmtree(out)
    if compile_to(["--max-seq=7"]).returncode != 0 or digest(out) == whole:
        sys.exit("expected another artefact with --max-seq=7")
    older = folder / "older"
    out.rename(older)
    old = digest(older)

    absent = replaced = kept = turn = 0
    hit = {signal.SIGKILL: 0, signal.SIGTERM: 0}
    while hit[signal.SIGKILL] < times:
        turn += 1
        if turn > 5 * times + 20:
            sys.exit(f"only {hit[signal.SIGKILL]} of {turn} compiles were still running when they were to be killed")
        shutil.rmtree(out, ignore_errors=True)
        has_old = turn % 4 == 3
        if has_old:
            shutil.copytree(older, out)
        # Mostly late moments: there the artefact is written.
        moment = whole_time * (dice.uniform(0, 1) if turn % 2 else dice.uniform(0.6, 1))
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=moment)
            whole_time = (time.monotonic() - began + whole_time) / 2  # the machine's pace changes
        except subprocess.TimeoutExpired:
            sent = signal.SIGTERM if turn % 3 == 2 else signal.SIGKILL
            process.send_signal(sent)
            # SIGTERM is caught: one that comes when the work is done ends in 0.
            if process.wait() == -signal.SIGKILL or sent == signal.SIGTERM:
                hit[sent] += 1
        if not out.exists():
            absent += 1
            if has_old:
                sys.exit(f"turn {turn}: the older artefact is gone")
        elif (found := digest(out)) == whole:
            replaced += 1
        elif has_old and found == old:
            kept += 1
        else:
            sys.exit(f"turn {turn}: out.sluice is neither whole nor absent: {sorted(str(p) for p in out.rglob('*'))}")
    run = compile_to()
    if run.returncode != 0 or digest(out) != whole:
        sys.exit(f"the compile after all that failed: {run.stderr}")
    left = sorted(path.name for path in folder.iterdir() if path.name not in ("model", "out.sluice", "older"))
    if left:
        sys.exit(f"left behind: {', '.join(left)}")
    print(
        f"{hit[signal.SIGKILL]} kills, {hit[signal.SIGTERM]} terminations: {absent} times absent, {replaced} whole, {kept} the older"
        " one; then a compile succeeded"
    )


main()
