# SPDX-License-Identifier: Apache-2.0
"""Makes or checks the code blocks of docs/Stages.md, so that what it shows is what the compiler writes.

A block that follows a mark `<!-- run: COMMAND -->` holds COMMAND's output, where a second mark `<!-- keep: REGEX -->`
keeps only the lines that match, and `<!-- without: REGEX -->` removes text from each line. Blocks without a mark are
left alone.

    check_stages.py [--write]        exit code 4 when a block is stale
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from sluice import tools

MARKED = re.compile(
    r"(?P<marks><!-- run: (?P<command>.*?) -->\n(?:<!-- (?:keep|without): .*? -->\n)*)```(?P<kind>\w*)\n(?P<body>.*?)```\n",
    re.DOTALL,
)


def output_of(marks, command):
    environment = dict(os.environ, PATH=f"{tools.build_folder() / 'bin'}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(shlex.split(command), cwd=tools.ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        tools.fail(f"docs/Stages.md: '{command}' ended with {done.returncode}: {done.stderr.strip()}", 4)
    lines = done.stdout.splitlines()
    for kind, pattern in re.findall(r"<!-- (keep|without): (.*?) -->", marks):
        if kind == "keep":
            lines = [line for line in lines if re.search(pattern, line)]
        else:
            lines = [re.sub(pattern, "", line) for line in lines]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put what the commands print into the page")
    parser.add_argument("--page", type=Path, default=tools.ROOT / "docs" / "Stages.md")
    arguments = parser.parse_args()
    text, stale = arguments.page.read_text(), []

    def renew(match):
        body = output_of(match["marks"], match["command"])
        if body != match["body"]:
            stale.append(match["command"])
        return f"{match['marks']}```{match['kind']}\n{body}```\n"

    renewed = MARKED.sub(renew, text)
    if not MARKED.search(text):
        tools.fail("docs/Stages.md has no marked block", 4)
    if arguments.write:
        arguments.page.write_text(renewed)
    elif stale:
        tools.fail("docs/Stages.md shows what these no longer print; run ./dev docs:\n  " + "\n  ".join(stale), 4)
    return 0


if __name__ == "__main__":
    sys.exit(main())
