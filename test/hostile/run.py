# SPDX-License-Identifier: Apache-2.0
"""Runs the hostile table: every row makes its inputs, runs one command and expects an exit code and a message.

    run.py BUILD MODULE [FILTER] [--show]

MODULE has GROUPS of rows (name, what to make, command, exit code, message). Beside what the row says, every run must end within
two minutes, must not end by a signal or an internal error, must print no control characters, and a failing one must
leave neither its output nor anything half-written. --show prints what the tools say instead.
"""

import importlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import inputs

LIMIT = 120  # seconds of the clock, on a loaded machine; none of them takes two of processor time
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
LEFTOVERS = ("out.sluice", "out.safetensors", "out.mlir", "*.partial-*", "*.part", "*.temp-stream-*", "*.tmp*")


def problems(row, environment, show):
    name, make, command, code, says, *rest = row
    expect = rest[0] if rest else {}
    with tempfile.TemporaryDirectory(prefix="hostile-") as root:
        folder = Path(root) / "case"
        folder.mkdir()
        make(folder)
        # A pipeline or a redirection is a row's business; the code is that of the tool.
        shell = ["bash", "-c", command] if expect.get("shell") else shlex.split(command)
        try:
            run = subprocess.run(
                shell, cwd=folder, env={**environment, **expect.get("env", {})}, capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL,
                preexec_fn=expect.get("before"),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [f"did not end within {LIMIT} s"]
        finally:
            os.system(f"chmod -R u+rwX '{folder}'")
        text = run.stderr.decode(errors="replace")
        if show:
            print(f"{name}: {run.returncode}{'' if run.returncode in (code if isinstance(code, list) else [code]) else f' (expected {code})'}\n    " + "\n    ".join(text.splitlines()[:4]))
        found = []
        codes = code if isinstance(code, list) else [code]
        if run.returncode not in codes:
            found.append(f"exit code {run.returncode}, expected {code}")
        for words in [says] if isinstance(says, str) else says:
            if words not in text:
                found.append(f"expected '{words}'")
        if codes[0] not in (0, 5) and not text.strip():
            found.append("said nothing")
        if "internal error" in text or "Assertion" in text:
            found.append("an internal error")
        if CONTROL.search(text):
            found.append("control characters on stderr")
        if codes[0] != 0 and not expect.get("keeps"):
            left = sorted(str(p.relative_to(folder)) for pattern in LEFTOVERS for p in folder.glob(pattern))
            if left:
                found.append(f"left {', '.join(left)}")
        for check in expect.get("checks", ()):
            if wrong := check(folder, run):
                found.append(wrong)
        return [f"{problem}; {command}\n        {text.strip()[:600]}" for problem in found]


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--show"]
    show = "--show" in sys.argv
    build, module = Path(arguments[0]).resolve(), importlib.import_module(arguments[1])
    pattern = re.compile(arguments[2] if len(arguments) > 2 else "")
    inputs.fake_template(build)
    environment = dict(os.environ, PATH=f"{build}/bin:{os.environ['PATH']}", LC_ALL="C.UTF-8")
    rows = [(f"{group}/{row[0]}", *row[1:]) for group, table in module.GROUPS.items() for row in table]
    names = [row[0] for row in rows]
    if len(set(names)) != len(names):
        sys.exit("a name stands twice: " + ", ".join(sorted({name for name in names if names.count(name) > 1})))
    rows = [row for row in rows if pattern.search(row[0])]
    with ThreadPoolExecutor(1 if show else 2) as pool:
        results = list(pool.map(lambda row: problems(row, environment, show), rows))
    bad = [(row[0], result) for row, result in zip(rows, results) if result]
    for name, result in bad:
        for problem in result:
            print(f"{name}: {problem}")
    print(f"{len(rows) - len(bad)} of {len(rows)} hostile inputs as expected")
    sys.exit(1 if bad or not rows else 0)


main()
