# SPDX-License-Identifier: Apache-2.0
"""Checks that what README.md, CONTRIBUTING.md and docs/ name exists: linked files, paths in code, verbs of ./dev, tools.

Prints one line for each name that leads nowhere, `file:line: message`; exit code 4 when there is one.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A path is a code span that starts in one of these folders; anything else in code is not looked at.
FOLDERS = ("bench/", "cmake/", "dialects/", "docs/", "examples/", "include/", "lib/", "python/", "runtime/", "test/",
           "tools/", ".ci/")


def dev_verbs(root):
    text = subprocess.run([str(root / "dev"), "help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  ([a-z]+)\b", text, re.MULTILINE))


def names_in(line):
    """(kind, name) of what a line of Markdown names."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", line):
        if "://" not in target:
            yield "link", target
    for verb in re.findall(r"\./dev ([a-z][a-z-]*)", line):
        yield "verb", verb
    for tool in re.findall(r"build/bin/([a-z-]+)", line):
        yield "tool", tool
    for span in re.findall(r"`([^`\s]+)`", line):
        # Patterns and placeholders are not names.
        if span.startswith(FOLDERS) and not re.search(r"[*<>{}$|]|NAME|…|\.so$", span):
            yield "path", span.rstrip("/").split("#")[0]


def main():
    # Another folder than ours is a test's copy.
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    verbs = dev_verbs(root)
    wrong = 0
    files = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").glob("*.md")),
             *sorted((root / "dialects").glob("**/README.md")), *sorted((root / "runtime").glob("README.md"))]
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for kind, name in names_in(line):
                message = None
                if kind == "link" and not (file.parent / name).exists():
                    message = f"link to '{name}', which does not exist"
                elif kind == "path" and not ((root / name).exists() or (file.parent / name).exists()):
                    message = f"path '{name}' does not exist"
                elif kind == "verb" and name not in verbs:
                    message = f"'./dev {name}' is not a verb of ./dev; './dev help' lists them"
                elif kind == "tool" and not (root / "tools" / name).is_dir():
                    message = f"tool '{name}' does not exist in tools/"
                if message:
                    print(f"{file.relative_to(root)}:{number}: {message}")
                    wrong += 1
    readme = (root / "README.md").read_text()
    command = re.search(r"^(\./dev test)\b", readme, re.MULTILINE)
    if not command or command.group(1) not in (root / ".ci/run").read_text():
        print("README.md: its test command is not the one that .ci/run runs")
        wrong += 1
    return 4 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
