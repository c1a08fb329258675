# SPDX-License-Identifier: Apache-2.0
"""exit-code.py CODE COMMAND...: runs the command and fails unless it exits with exactly CODE."""

import subprocess
import sys

code = subprocess.run(sys.argv[2:]).returncode
if code != int(sys.argv[1]):
    sys.exit(f"exit-code.py: expected exit code {sys.argv[1]}, found {code}: {' '.join(sys.argv[2:])}")
