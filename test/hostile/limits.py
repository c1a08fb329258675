# SPDX-License-Identifier: Apache-2.0
"""Compares docs/Limits.md with the code: every row that names a file and a constant gives that constant's value.

limits.py ROOT
"""

import re
import sys
from pathlib import Path

ROW = re.compile(r"^\| .* \| (\d+) \| `([^`]+)` `(\w+)` \|$", re.M)


def value_of(text, name):
    """The value of the constant |name| in C or C++ |text|: numbers, sums, products and shifts."""
    found = re.search(rf"\b{name}\s*=\s*([^;,}}]+)", text)
    if not found:
        return None
    expression = re.sub(r"\b(u?int\d+_t|size_t)\b\s*\(?|'", "", found.group(1))
    expression = re.sub(r"(?<=\d)[uUlL]+", "", expression).replace("(", "").replace(")", "")
    if not re.fullmatch(r"[\d\s<*+-]+", expression):
        return None
    return eval(expression)


def main():
    root = Path(sys.argv[1])
    rows = ROW.findall((root / "docs/Limits.md").read_text())
    wrong = 0
    for limit, path, name in rows:
        found = value_of((root / path).read_text(), name)
        if found != int(limit):
            print(f"docs/Limits.md says {limit} for {name}, {path} says {found}")
            wrong += 1
    print(f"{len(rows) - wrong} of {len(rows)} limits as documented")
    sys.exit(1 if wrong or len(rows) < 20 else 0)


main()
