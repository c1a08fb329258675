# SPDX-License-Identifier: Apache-2.0
"""./dev reduce FILE -- COMMAND...: shrinks FILE while COMMAND FILE still fails as it does now, by exit code.

A crash (a signal) counts as another failure than an error message. The result goes to FILE.reduced.mlir.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from sluice import tools


def main():
    source, command = Path(sys.argv[1]), sys.argv[3:]
    environment = dict(os.environ, PATH=f"{tools.build_folder() / 'bin'}{os.pathsep}{os.environ['PATH']}")
    code = subprocess.run([*command, source], env=environment, capture_output=True).returncode
    if code == 0:
        tools.fail(f"dev reduce: '{shlex.join([*command, str(source)])}' succeeds, so there is nothing to look for", 1)
    # The shell reports a signal as 128 more than its number; Python as its negative.
    wanted = 128 - code if code < 0 else code
    result = source.with_suffix(".reduced.mlir")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "interesting.sh")
        # sluice-reduce takes 1 for "still interesting".
        script.write_text(f'#!/bin/sh\n{shlex.join(command)} "$1" >/dev/null 2>&1\n[ $? -eq {wanted} ] && exit 1\nexit 0\n')
        script.chmod(0o755)
        # First whole functions and ops, then what the canonicaliser can fold. Input and output must be two files.
        smaller = Path(folder, "smaller.mlir")
        steps = [(source, f"--reduction-tree=traversal-mode=0 test={script}", smaller),
                 (smaller, f"--opt-reduction-pass=opt-pass=canonicalize test={script}", result)]
        for before, step, after in steps:
            done = subprocess.run(["sluice-reduce", before, step, "-o", after], env=environment,
                                  capture_output=True, text=True)
            if done.returncode != 0:
                tools.fail(f"dev reduce: sluice-reduce failed: {done.stderr.strip()}", 4)
    print(f"{result}: {len(result.read_text().splitlines())} lines of {len(source.read_text().splitlines())}, "
          f"still exit code {code}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
