# SPDX-License-Identifier: Apache-2.0
"""exit_code.py CODE [--stdout=closed|FILE] COMMAND...: runs COMMAND, which must end with CODE and say so in one line of
stderr that has "error:"; passes stderr on to stdout."""
import os
import subprocess
import sys

expected, command = int(sys.argv[1]), sys.argv[2:]
stdout, before = subprocess.PIPE, None
if command[0].startswith("--stdout="):
    where = command.pop(0).split("=", 1)[1]
    if where == "closed":
        stdout, before = None, lambda: os.close(1)
    else:
        stdout = open(where, "w")
done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=before, timeout=60)
print(done.stderr, end="")
if done.returncode != expected:
    sys.exit(f"exit code {done.returncode}, expected {expected}")
if sum("error:" in line for line in done.stderr.splitlines()) != 1:
    sys.exit("expected one line with 'error:'")
