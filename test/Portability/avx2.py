# SPDX-License-Identifier: Apache-2.0
#
# Every op-level comparison with the oracle once more, compiled for AVX2: the RUN lines of test/Numeric with --cpu.
# REQUIRES: target-cpu, avx2
# RUN: %python %s %root/test/Numeric x86-64-v3 | FileCheck %s
# CHECK: {{[1-9][0-9]+}} comparisons agree for x86-64-v3
# RUN: not sluice-check %root/test/Numeric/norm.mlir --target=cpu --cpu=neoverse-v2 --against=reference --seed=7 2>&1 | FileCheck %s --check-prefix=OTHER
# OTHER: sluice-check: cannot run code for neoverse-v2: this machine is without aarch64-unknown-linux-gnu
# RUN: not sluice-check %root/test/Numeric/norm.mlir --target=cpu --cpu=x86-64-v2 --against=reference --seed=7 2>&1 | FileCheck %s --check-prefix=OLD
# OLD: cpu 'x86-64-v2' has no avx2: fused multiply-add decides the bits of every result, so expected x86-64-v3 or newer

import shlex
import subprocess
import sys
from pathlib import Path

folder, cpu = Path(sys.argv[1]), sys.argv[2]
# lit would take the word itself for a line of this test.
mark = "RUN" + ":"
count = 0
for test in sorted(folder.glob("*.mlir")):
    for line in test.read_text().splitlines():
        words = shlex.split(line.partition(mark)[2].split("|")[0], comments=True) if line.startswith(f"// {mark}") else []
        # Lines that expect a failure, or another target, say so in words of their own.
        if words[:1] != ["sluice-check"] or "--target=cpu" not in words or any(c in line for c in ("2>", ">", "&&")):
            continue
        command = [str(test) if word == "%s" else word for word in words] + [f"--cpu={cpu}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"exit code {done.returncode} from: {shlex.join(command)}\n{done.stdout}{done.stderr}")
        count += 1
print(f"{count} comparisons agree for {cpu}")
