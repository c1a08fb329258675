# SPDX-License-Identifier: Apache-2.0
"""exits.py CODE COMMAND ...: runs the command and succeeds when it exits with CODE; its output goes through."""

import subprocess
import sys

code = subprocess.run(sys.argv[2:]).returncode
if code != int(sys.argv[1]):
    print(f"expected exit code {sys.argv[1]}, but found {code}", flush=True)
    sys.exit(1)
