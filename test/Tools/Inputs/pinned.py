# SPDX-License-Identifier: Apache-2.0
"""pinned ARTEFACT: what may be pinned is what the process may use, and more workers than that are refused."""

import os
import subprocess
import sys

artefact, cpus = sys.argv[1], sorted(os.sched_getaffinity(0))
last = cpus[-1]


def run(*options):
    def only_last():
        os.sched_setaffinity(0, {last})

    line = ["sluice-run", artefact, "--tokens=1,2,3", "--max-new=2", *options]
    return subprocess.run(line, capture_output=True, text=True, preexec_fn=only_last)


assert run("--threads=1", f"--pin={last}").returncode == 0
assert run("--threads=1", "--pin=cores").returncode == 0
done = run("--threads=2", "--pin=cores")
assert done.returncode == 1 and "2 workers, but this process may use 1 processors: give --threads=1" in done.stderr, done.stderr
if len(cpus) > 1:
    done = run("--threads=1", f"--pin={cpus[0]}")
    assert done.returncode == 1 and f"processor {cpus[0]} is not among the 1" in done.stderr, done.stderr
