# SPDX-License-Identifier: Apache-2.0
"""processors CASE SCRATCH [AARCH64-RUNNER...]: one artefact for several processors, and the same numbers from each.

Compiles the case for x86-64-v3 (AVX2), x86-64-v4 (AVX-512) and neoverse-v2 (NEON) into one artefact. Each variant that
this machine can run, and NEON through the runner (qemu and a sluice-run for it) when one is given, must be within the
bound of the stored reference; and as all of them step by fma, their results must be the same bits. What could not be run
is printed as skipped.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.numpy import load_file, save_file

from conformance.case import Case, check_results
from sluice import tools

PROCESSORS = ["x86-64-v3", "x86-64-v4", "neoverse-v2"]


def run(command, artefact, inputs, *options):
    """Runs a function of the artefact; (name -> array, the output file's bytes, stderr), or None when no variant fits."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "in.safetensors"), Path(folder, "out.safetensors")
        save_file(inputs, source)
        line = [*command, str(artefact), "--inputs", str(source), "--outputs", str(result), *options]
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode == 2 and ("which this machine lacks" in done.stderr or "can run none" in done.stderr
                                     or "was built for" in done.stderr):
            return None
        if done.returncode != 0:
            raise tools.ToolError(line, done.returncode, done.stderr)
        return load_file(result), result.read_bytes(), done.stderr


def main():
    case, scratch, runner = Case.load(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    artefact = scratch.with_name(scratch.name + ".sluice")
    tools.compile_model(case.model, artefact, case.random_weights(), "--cpu=" + ",".join(PROCESSORS))
    manifest = json.loads((artefact / "manifest.json").read_text())
    order = [variant["target"]["cpu"] for variant in manifest["variants"]]
    assert sorted(order) == sorted(PROCESSORS), order
    assert {variant["target"]["dot"] for variant in manifest["variants"]} == {"fma"}, "only fma gives equal bits"
    assert "weights" in manifest, "panels lie the same for all of these, so their description is shared"

    native = [str(tools.build_folder() / "bin" / "sluice-run")]
    ways = [(name, native, ["--variant", str(order.index(name) + 1)]) for name in order]
    if runner:
        ways.append(("neoverse-v2 by itself", runner, ["--threads", "2"]))
    functions = ["forward"] if case.kind == "encoder" else ["step"]
    functions += ["embed"] if case.embed else []
    expected, bits, ran = case.expected(), {}, []
    for name, command, options in ways:
        found = {}
        for function in functions:
            outcome = run(command, artefact, case.inputs(), "--function", function, *options)
            if outcome is None:
                break
            arrays, data, said = outcome
            found.update(arrays)
            first, reference = bits.setdefault(function, (name, data))
            if reference != data:
                tools.fail(f"{case.name}: {function}: {name} and {first} differ in bits", 5)
            if "by itself" in name:
                assert "for neoverse-v2" in said, f"the loader should say what it took: {said}"
        else:
            print(f"{name}:", end=" ")
            check_results(case, found, expected)
            ran.append(name)
            continue
        print(f"{name}: skipped, this machine cannot run it")
    if not ran:
        tools.fail(f"{case.name}: no variant could be run here", 4)
    print(f"{case.name}: the same bits from {len(ran)}: {', '.join(ran)}")


if __name__ == "__main__":
    try:
        main()
    except tools.ToolError as error:
        tools.fail(str(error), error.code)
