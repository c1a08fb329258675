# SPDX-License-Identifier: Apache-2.0
"""./dev stages FILE [OPTION...]: compiles FILE, shows what each stage makes of it, and how much it changed.

Options go to sluicec as they are. The files stay in build/stages/NAME/ for reading and for --from.
"""

import difflib
import shutil
import sys
from pathlib import Path

from sluice import tools

CONTEXT = 2


def changes(before, after):
    """A unified diff of two stages, without its file header."""
    return list(difflib.unified_diff(before, after, lineterm="", n=CONTEXT))[2:]


def main():
    source, options = Path(sys.argv[1]), sys.argv[2:]
    folder = tools.build_folder() / "stages" / source.resolve().name.split(".")[0]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = ["sluicec", source, "-o", folder / "out.sluice", f"--stages-to={folder}", *options]
    print("+ " + " ".join(map(str, command)), file=sys.stderr)
    try:
        tools.run_tool(*command)
    except tools.ToolError as error:
        # What was written up to the failing stage is what one wants to see.
        print(error, file=sys.stderr)
        code = error.code
    else:
        code = 0
    before = None
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        lines = file.read_text().splitlines()
        print(f"\n==== {file.name}: {len(lines)} lines")
        if before is None or file.suffix != ".mlir" or not before[0].endswith(".mlir"):
            print("\n".join(lines))
        elif before[1] == lines:
            print("(unchanged)")
        else:
            print("\n".join(changes(before[1], lines)))
        before = file.name, lines
    print(f"\nstages: {folder}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
