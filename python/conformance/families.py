# SPDX-License-Identifier: Apache-2.0
"""families: what each built-in family is compared with, and that it is not less than versions.lock records.

    PYTHONPATH=python .venv/bin/python -m conformance.families

Prints a line per family: *HF* and how many cases compare it with `transformers` of the version in versions.lock (their
stored numbers need no PyTorch), or *not compared*. Fails when a family has fewer cases than recorded, when a case has no
stored numbers or no live test, or when the pinned version is another one. A case more is recorded by raising its number.
"""

import json
import re
import sys
from pathlib import Path

from sluice import tools

ROOT = tools.ROOT


def read_lock():
    """name -> version or number, in the file's order."""
    lines = [line.split("#")[0].split() for line in (ROOT / "versions.lock").read_text().splitlines()]
    for line in lines:
        if len(line) not in (0, 2):
            tools.fail(f"versions.lock: expected NAME VALUE, found '{' '.join(line)}'", 5)
    return dict(line for line in lines if line)


def pinned(package):
    text = (ROOT / "python" / "requirements-conformance.txt").read_text()
    found = re.search(rf"^{package}==(\S+)", text, re.MULTILINE)
    return found.group(1) if found else None


def cases_by_family():
    """model_type -> names of the cases that have stored numbers and are compared live too."""
    found = {}
    for path in sorted((ROOT / "test" / "Fixtures").glob("*/case.json")):
        name = path.parent.name
        for needed in (path.parent / "expected.safetensors", ROOT / "test" / "Fixtures" / f"{name}.test",
                       ROOT / "test" / "conformance" / f"{name}.test"):
            if not needed.exists():
                tools.fail(f"case {name} lacks {needed.relative_to(ROOT)}", 5)
        config = json.loads((path.parent / "model" / "config.json").read_text())
        found.setdefault(config["model_type"], []).append(name)
    return found


def main():
    lock, cases = read_lock(), cases_by_family()
    for package in ("transformers", "torch"):
        if lock.get(package) != pinned(package):
            tools.fail(f"versions.lock says {package} {lock.get(package)}, requirements-conformance.txt {pinned(package)}", 5)
    families = sorted(path.stem for path in (ROOT / "lib" / "Model" / "families").glob("*.yaml") if path.stem != "keys")
    missing = [name for name in cases if name not in families]
    if missing:
        tools.fail(f"cases of families that are not built in: {', '.join(missing)}", 5)
    less = []
    for family in families:
        count, recorded = len(cases.get(family, [])), int(lock.get(f"conformance.{family}", 0))
        how = f"HF ({count} cases, transformers {lock['transformers']})" if count else "not compared"
        print(f"{family}: {how}")
        if count < recorded:
            less.append(f"{family} has {count} cases, versions.lock records {recorded}")
    if less:
        tools.fail("; ".join(less), 5)


if __name__ == "__main__":
    sys.exit(main())
