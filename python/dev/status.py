# SPDX-License-Identifier: Apache-2.0
"""Makes the table of docs/Status.md from tests that ran: op x {oracle, CPU, CUDA, PNM}.

A cell is earned, never written: an op has its oracle when a test in test/Reference that uses the op passed, and a target
when a test that uses it ran `--target=TARGET` and passed. What ran is taken from lit's report (the commands that were
executed), so a RUN line that was skipped earns nothing.

    status.py REPORT.json [--tests FOLDER] [--write]      REPORT is what `lit -o` writes
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATUS = ROOT / "docs" / "Status.md"
BEGIN = "<!-- from here to the next mark: made by ./dev docs from the tests that ran -->"
END = "<!-- end of the made part -->"
COLUMNS = ("oracle", "cpu", "cuda", "pnm")
HEADINGS = {"oracle": "oracle", "cpu": "CPU", "cuda": "CUDA", "pnm": "PNM"}
# Folders of test/ whose tests compare a target's numbers with the oracle.
COMPARING = ("Numeric/", "Programs/")
YES, FAILS, SKIPPED, NONE = "yes", "fails", "skipped", "–"


def ops_of(dialect):
    """[(family, mnemonic)] in the order in which the dialect's table of contents lists its files."""
    ops = []
    for file in re.findall(r'include "dialects/Sluice/(\w+Ops)\.td"', (dialect / "Sluice.td").read_text()):
        text = (dialect / f"{file}.td").read_text()
        family = file.removesuffix("Ops").lower()
        ops += [(family, name) for name in re.findall(r'^def \w+ : \w*Op<"([\w.]+)"', text, re.MULTILINE)]
    return ops


def used_ops(source):
    """Mnemonics of the ops that a test's text uses, comments apart."""
    code = "\n".join(line.split("//")[0] for line in source.splitlines())
    # An attribute or a type is not an op: #sluice.x, !sluice.x.
    return set(re.findall(r"(?<![#!\w.])\"?sluice\.([a-z_]\w*(?:\.[a-z_]\w*)*)", code))


def columns_of(test):
    """The columns that a test speaks for, from its folder and from the commands that lit executed."""
    if test["name"].startswith("Reference/"):
        return {"oracle"}
    if not test["name"].startswith(COMPARING):
        return set()
    commands = [line for line in test["output"].splitlines() if "executed command: " in line]
    if test["code"] == "UNSUPPORTED":
        commands = [line for line in test["source"].splitlines() if "RUN:" in line]
    return set(re.findall(r"--target=(\w+)", "\n".join(commands))) & set(COLUMNS)


def load_tests(report, folder):
    """lit's report with each test's text."""
    tests = []
    for test in json.loads(report.read_text())["tests"]:
        name = test["name"].split(" :: ", 1)[1]
        path = folder / name
        if test["code"] != "EXCLUDED" and path.exists():
            tests.append({"name": name, "code": test["code"], "output": test["output"], "source": path.read_text()})
    return tests


def cells_of(ops, tests):
    """{(mnemonic, column): YES, FAILS, SKIPPED or NONE}."""
    codes = {}
    for test in tests:
        for name in used_ops(test["source"]):
            for column in columns_of(test):
                codes.setdefault((name, column), set()).add(test["code"])
    cells = {}
    for _, name in ops:
        for column in COLUMNS:
            found = codes.get((name, column), set())
            if found - {"PASS", "FLAKYPASS", "UNSUPPORTED"}:
                cells[name, column] = FAILS
            elif found & {"PASS", "FLAKYPASS"}:
                cells[name, column] = YES
            else:
                cells[name, column] = SKIPPED if found else NONE
    return cells


def table(ops, cells):
    lines = ["| family | op | " + " | ".join(HEADINGS[column] for column in COLUMNS) + " |", "|---|---|" + "---|" * 4]
    previous = None
    for family, name in ops:
        row = " | ".join(cells[name, column] for column in COLUMNS)
        lines.append(f"| {family if family != previous else ''} | `sluice.{name}` | {row} |")
        previous = family
    return lines


def stored_cells(text):
    """The cells that docs/Status.md has now."""
    cells = {}
    for match in re.finditer(r"^\| *\w* *\| `sluice\.([\w.]+)` \| (.*) \|$", text, re.MULTILINE):
        for column, value in zip(COLUMNS, match.group(2).split(" | ")):
            cells[match.group(1), column] = value.strip()
    return cells


def differences(text, cells):
    """Sentences on each cell where |text| (docs/Status.md) and the tests disagree. What this machine cannot run it
    cannot judge."""
    stored = stored_cells(text)
    wrong = [f"{name}, {column}: the tests say '{cells[name, column]}', the table '{stored.get((name, column))}'"
             for name, column in cells if cells[name, column] not in (SKIPPED, stored.get((name, column)))]
    return wrong + [f"{name}: there is no such op" for name in sorted({n for n, _ in stored} - {n for n, _ in cells})]


def compare(report, folder):
    """What ./dev test asks after a full run: [] when docs/Status.md says what the tests say."""
    ops = ops_of(ROOT / "dialects" / "Sluice")
    return differences(STATUS.read_text(), cells_of(ops, load_tests(report, folder)))


def write(text, ops, cells):
    """|text| with its made part made anew. A cell that cannot be judged here keeps its value."""
    stored = stored_cells(text)
    kept = {key: stored.get(key, NONE) if value == SKIPPED else value for key, value in cells.items()}
    before, rest = text.split(BEGIN)
    return before + "\n".join([BEGIN, "", *table(ops, kept), "", END]) + rest.split(END)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--tests", type=Path, default=ROOT / "test", help="folder that the report's names are relative to")
    parser.add_argument("--write", action="store_true", help="write docs/Status.md; otherwise the table is printed")
    arguments = parser.parse_args()
    ops = ops_of(ROOT / "dialects" / "Sluice")
    cells = cells_of(ops, load_tests(arguments.report, arguments.tests))
    if arguments.write:
        STATUS.write_text(write(STATUS.read_text(), ops, cells))
    else:
        print("\n".join(table(ops, cells)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
