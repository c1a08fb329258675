# SPDX-License-Identifier: Apache-2.0
"""Runs sluicec and sluice-run while their input shrinks, vanishes or changes: changing-files.test says how.

changing_files.py BUILD FOLDER LIBRARY
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import inputs

LOST = "or its disk failed"


def main():
    build, folder, library = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), Path(sys.argv[3]).resolve()
    inputs.fake_template(build)
    for tool, make, command, file, output in (
        ("sluicec", inputs.llama(), "model -o out.sluice", "model/model.safetensors", "out.sluice"),
        (
            "sluice-run",
            inputs.all_of(inputs.artefact(), inputs.tensors(("x", "F32", [4000, 3], 0), ("y", "F32", [2, 3], 0), align=64)),
            "m.sluice --inputs in.safetensors --outputs out.safetensors --function add",
            "in.safetensors",
            "out.safetensors",
        ),
    ):
        for what, codes in (("shrink", [2]), ("vanish", [0]), ("change", [0])):
            case = folder / f"{tool}-{what}"
            shutil.rmtree(case, ignore_errors=True)
            case.mkdir()
            make(case)
            environment = dict(os.environ, LD_PRELOAD=str(library), MEANWHILE=what, MEANWHILE_FILE=str((case / file).resolve()))
            run = subprocess.run(
                [build / "bin" / tool, *command.split()], cwd=case, env=environment, capture_output=True, text=True, timeout=100
            )
            if run.returncode not in codes or (what == "shrink") != (LOST in run.stderr):
                sys.exit(f"{tool}, {what}: exit code {run.returncode}: {run.stderr}")
            made = {path.name for path in case.iterdir()} - {"model", "m.sluice", "in.safetensors"}
            if made != (set() if codes == [2] else {output}):
                sys.exit(f"{tool}, {what}: found {sorted(made)}")
            print(f"{tool}, {what}: {run.returncode}")


main()
