# SPDX-License-Identifier: Apache-2.0
"""Calls sluicec and sluice-run the way a user would: by their command lines, with files in and out."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ToolError(Exception):
    """A tool ended with another code than 0. |code| is its exit code; the message has the command to repeat."""

    def __init__(self, command, code, output):
        super().__init__(f"exit code {code} from: {shlex.join(command)}\n{output.strip()}")
        self.code = code


def build_folder():
    """The build whose tools to use: $SLUICE_BUILD (lit sets it), else build/ in the sources."""
    return Path(os.environ.get("SLUICE_BUILD", ROOT / "build"))


def run_tool(name, *arguments, timeout=600):
    """Runs a tool of the build; returns (stdout, stderr, seconds). Raises ToolError when it fails."""
    command = [str(build_folder() / "bin" / name), *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise ToolError(command, done.returncode, done.stderr or done.stdout)
    return done.stdout, done.stderr, seconds


def compile_model(model, artefact, *options):
    """Compiles |model| into the directory |artefact|; returns the seconds it took."""
    return run_tool("sluicec", model, "-o", artefact, *options)[2]


def run_inputs(artefact, inputs, *options):
    """Runs a function of the artefact on |inputs| (name -> array); returns name -> array."""
    from safetensors.numpy import load_file, save_file

    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "in.safetensors"), Path(folder, "out.safetensors")
        save_file(inputs, source)
        run_tool("sluice-run", artefact, "--inputs", source, "--outputs", result, *options)
        return load_file(result)


def generate(artefact, tokens, count, *options):
    """The |count| token ids that the decoder adds to |tokens|, greedily unless options say otherwise."""
    prompt = ",".join(map(str, tokens))
    out = run_tool("sluice-run", artefact, "--tokens", prompt, "--max-new", count, "--format=json", *options)[0]
    return json.loads(out)["tokens"]


def fail(message, code):
    """Ends a script with a sentence on stderr and one of the exit codes that the tools use."""
    print(message, file=sys.stderr)
    sys.exit(code)
