# SPDX-License-Identifier: Apache-2.0
"""./dev reduce FILE -- COMMAND...: shrinks FILE while COMMAND FILE still fails as it does now, by exit code.

A crash (a signal) counts as another failure than an error message. The result goes to FILE.reduced.mlir. Results of functions
are dropped first, because what is returned is never dead, and then what nobody reads; then sluice-reduce erases more, and folds. A
step that finds nothing, or that fails (MLIR's reducer crashes where it erases a symbol that is used), leaves the file as it was.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from sluice import tools


def parts(text):
    """|text| at its commas outside of brackets and quotes."""
    found, depth, quoted, start = [], 0, False, 0
    for at, c in enumerate(text):
        quoted ^= c == '"'
        if not quoted:
            # The > of an arrow is no bracket.
            depth += (c in "([{<") - (c in ")]}" or (c == ">" and text[at - 1] != "-"))
            if c == "," and depth == 0:
                found.append(text[start:at].strip())
                start = at + 1
    return found + [text[start:].strip()] if text.strip() else []


# As the printer writes a function with several results.
RESULTS = re.compile(r"\) -> \((?P<types>.*)\)(?P<attributes> attributes \{.*\})? \{$", re.M)


def without_result(text, function, result):
    """|text| whose function number |function| (of those with several results) lacks one, counted from the last; None: no such."""
    found = list(RESULTS.finditer(text))
    if function >= len(found):
        return None
    head = found[function]
    types = parts(head["types"])
    tail = re.compile(r"^    return (?P<values>.*?) : (?P<types>.*)$", re.M).search(text, head.end())
    if len(types) < 2 or result >= len(types) or not tail:
        return None
    result = len(types) - 1 - result
    del types[result]
    values, plain = parts(tail["values"]), parts(tail["types"])
    # %4#0 and %4:2 keep their places; a %4:2 stands for two.
    if len(values) != len(plain):
        return None
    del values[result], plain[result]
    listed = f"({', '.join(types)})"
    attributes = head["attributes"] or ""
    return (
        f"{text[: head.start()]}) -> {listed}{attributes} {{{text[head.end() : tail.start()]}"
        f"    return {', '.join(values)} : {', '.join(plain)}{text[tail.end() :]}"
    )


def drop_results(source, goal, interesting):
    """Writes |source| to |goal| with as few results as keep it |interesting|."""
    # The printer's own text has one form.
    printed = subprocess.run(["sluice-opt", source], capture_output=True, text=True, env=interesting.environment)
    text = source.read_text()
    goal.write_text(printed.stdout)
    if printed.returncode != 0 or not interesting(goal):
        goal.write_text(text)
        return
    text, function, result = printed.stdout, 0, 0
    while function < len(RESULTS.findall(text)):
        smaller = without_result(text, function, result)
        if smaller is None:
            function, result = function + 1, 0
            continue
        goal.write_text(smaller)
        if interesting(goal):
            text = smaller
        else:
            result += 1
    goal.write_text(text)


def drop_lines(file, interesting):
    """Leaves out what |file| is interesting without, from its end on: lines, and blocks with what is in them."""
    lines = file.read_text().splitlines()
    at = len(lines) - 1
    while at >= 0:
        indent = len(lines[at]) - len(lines[at].lstrip())
        last = at
        if lines[at].endswith("{"):
            last = next((i for i in range(at + 1, len(lines)) if lines[i].startswith(" " * indent + "}")), at)
        file.write_text("\n".join(lines[:at] + lines[last + 1 :]) + "\n")
        if interesting(file):
            del lines[at : last + 1]
        at -= 1
    file.write_text("\n".join(lines) + "\n")


class Interesting:
    """Whether |command| FILE still ends with |code|."""

    def __init__(self, command, code, environment):
        self.command, self.code, self.environment = command, code, environment

    def __call__(self, file):
        return subprocess.run([*self.command, file], env=self.environment, capture_output=True).returncode == self.code


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
        fewer, smaller = Path(folder, "fewer.mlir"), Path(folder, "smaller.mlir")
        interesting = Interesting(command, code, environment)
        drop_results(source, fewer, interesting)
        drop_lines(fewer, interesting)
        steps = [f"--reduction-tree=traversal-mode=0 test={script}", f"--opt-reduction-pass=opt-pass=canonicalize test={script}"]
        for step in steps:
            # Input and output must be two files.
            done = subprocess.run(["sluice-reduce", fewer, step, "-o", smaller], env=environment, capture_output=True)
            if done.returncode == 0 and smaller.exists() and interesting(smaller):
                fewer.write_text(smaller.read_text())
        result.write_text(fewer.read_text())
    print(f"{result}: {len(result.read_text().splitlines())} lines of {len(source.read_text().splitlines())}, "
          f"still exit code {code}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
