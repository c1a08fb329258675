# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of a build: ctest (unit tests, C programs) and lit (everything else), and adds up what they report.

The last line on stdout is "N passed, N failed, N skipped". Skipped tests are listed with their reasons before it. Exit
code 0 when nothing failed, 1 when the filter is wrong or matches nothing, 4 when a test failed.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path

import status

ROOT = Path(__file__).resolve().parents[2]
LIT = "/usr/lib/llvm-22/bin/lit"


@dataclass
class Result:
    name: str
    status: str  # passed, failed, skipped
    detail: str = ""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(command):
    say("+ " + " ".join(command))
    return subprocess.run(command, cwd=ROOT).returncode


def run_ctest(build, pattern, jobs, scratch):
    """Unit tests and C programs. ctest knows its tests by name only."""
    listed = json.loads(
        subprocess.run(
            ["ctest", "--test-dir", str(build), "--show-only=json-v1"], check=True, capture_output=True, text=True
        ).stdout
    )
    names = [test["name"] for test in listed["tests"] if pattern.search(test["name"])]
    if not names:
        return []
    report = scratch / "ctest.xml"
    command = ["ctest", "--test-dir", str(build), "--output-on-failure", "-j", str(jobs), "--output-junit", str(report)]
    if len(names) < len(listed["tests"]):
        command += ["-R", "^(" + "|".join(re.escape(name) for name in names) + ")$"]
    run(command)
    results = []
    for case in xml.parse(report).getroot().iter("testcase"):
        skipped = case.find("skipped")
        if case.get("status") == "run":
            results.append(Result(case.get("name"), "passed"))
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            reason = (skipped.get("message") if skipped is not None else None) or case.get("status")
            results.append(Result(case.get("name"), "skipped", said_reason(case.findtext("system-out")) or reason))
        else:
            results.append(Result(case.get("name"), "failed"))
    # A test that ctest did not report did not run: that is a failure, not silence.
    missing = set(names) - {result.name for result in results}
    return results + [Result(name, "failed", "not reported by ctest") for name in sorted(missing)]


def said_reason(output):
    """What a test printed on why it skips: googletest's line after "file:line: Skipped", or a line that says so."""
    lines = [line.strip() for line in (output or "").splitlines() if line.strip() and not line.startswith("[")]
    for index, line in enumerate(lines):
        if line.endswith(": Skipped") and index + 1 < len(lines):
            return lines[index + 1]
    return next((line for line in lines if line.lower().startswith("skip")), "")


LIT_STATUS = {
    "PASS": "passed",
    "FLAKYPASS": "passed",
    "XFAIL": "passed",
    "UNSUPPORTED": "skipped",
    "SKIPPED": "failed",  # lit was interrupted before it
}


def skip_reason(output):
    lacking = re.search(r"unavailable features: (.*)", output)
    if lacking:
        return "lacks " + lacking.group(1)
    return output.strip().splitlines()[-1] if output.strip() else "unsupported here"


def run_lit(build, pattern, jobs, is_long, scratch):
    report = scratch / "lit.json"
    command = [sys.executable, LIT, str(build / "test"), "-j", str(jobs), "-v", "-o", str(report)]
    command += ["--allow-empty-runs"]
    if pattern.pattern:
        command += ["--filter", pattern.pattern]
    if is_long:
        command += ["--param", "long=1"]
    code = run(command)
    if not report.exists():
        # An empty run writes no report and counts as success.
        return [] if code == 0 else [Result("lit", "failed", f"exit code {code} and no report")]
    tests = [test for test in json.loads(report.read_text())["tests"] if test["code"] != "EXCLUDED"]
    results = []
    for test in tests:
        status = LIT_STATUS.get(test["code"], "failed")
        detail = skip_reason(test["output"]) if status == "skipped" else ""
        results.append(Result(test["name"].split(" :: ", 1)[1], status, detail))
    return results


def run_status(report, write):
    """docs/Status.md against what just ran: a test like any other."""
    if write:
        subprocess.run([sys.executable, status.__file__, str(report), "--write"], check=True)
    stale = status.compare(report, ROOT / "test")
    for line in stale:
        print(f"docs/Status.md: {line}")
    return Result("docs/Status.md", "failed" if stale else "passed", "stale; run ./dev docs" if stale else "")


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__.splitlines()[0])
    parser.add_argument("filter", nargs="?", default="", help="regular expression on a test's path or name")
    parser.add_argument("--long", action="store_true", help="also the long tests")
    parser.add_argument("--write-status", action="store_true", help="make docs/Status.md from what ran")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder whose tests to run")
    arguments = parser.parse_args()
    try:
        # People type paths as the shell completes them; lit names tests relative to test/.
        pattern = re.compile(re.sub(r"^(\./)?test/", "", arguments.filter), re.IGNORECASE)
    except re.error as error:
        say(f"dev test: the filter '{arguments.filter}' is not a regular expression: {error}")
        return 1

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        results = run_ctest(arguments.build, pattern, arguments.jobs, scratch)
        results += run_lit(arguments.build, pattern, arguments.jobs, arguments.long, scratch)
        if not pattern.pattern and arguments.build == ROOT / "build" and (scratch / "lit.json").exists():
            results.append(run_status(scratch / "lit.json", arguments.write_status))
    if not results:
        say(f"dev test: no test matches '{arguments.filter}'")
        return 1

    count = {status: [r for r in results if r.status == status] for status in ("passed", "failed", "skipped")}
    for status in ("skipped", "failed"):
        for result in count[status]:
            print(f"{status}: {result.name}" + (f": {result.detail}" if result.detail else ""))
    print(", ".join(f"{len(count[status])} {status}" for status in ("passed", "failed", "skipped")), flush=True)
    return 4 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
