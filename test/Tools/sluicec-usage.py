# SPDX-License-Identifier: Apache-2.0
#
# The command line: what is wrong is said with an exit code that scripts can rely on.
# RUN: sluicec --help | FileCheck %s --check-prefix=HELP
# HELP: usage: sluicec MODEL -o OUT.sluice
# HELP: example:
# RUN: sluicec --version | FileCheck %s --check-prefix=VERSION
# VERSION: sluicec {{[0-9]+\.[0-9]+\.[0-9]+}}

# RUN: %python %s 1 "there is no option '--emti' (did you mean '--emit'?)" -- m --emti=llvm
# RUN: %python %s 1 "expects a MODEL" --
# RUN: %python %s 1 "expects one MODEL, but found 'a' and 'b'" -- a b
# RUN: %python %s 1 "'-o' expects a value" -- m -o
# RUN: %python %s 1 "'--check' takes no value" -- m --check=yes
# RUN: %python %s 1 "'--page' expects a multiple of 16 up to 65536, but found '24'" -- m -o x.sluice --page=24
# RUN: %python %s 1 "'--page' expects a positive number, but found '-16'" -- m -o x.sluice --page=-16
# RUN: %python %s 1 "'--weights' expects random:SEED" -- m -o x.sluice --weights=zeros
# RUN: %python %s 1 "'--to' expects one of model, tensor, placed, target, artifact, but found 'end'" -- m --to=end
# RUN: %python %s 1 "to know what the file is" -- m.mlir -o x.sluice
# RUN: %python %s 1 "expects -o OUT.sluice" -- m
# RUN: %python %s 1 "--to=tensor is behind --from=placed" -- m.mlir --from=placed --to=tensor
# RUN: %python %s 1 "has decided that" -- m.mlir --from=tensor --dtype=bf16 -o x.sluice
# RUN: %python %s 1 "unknown cpu 'sapphirerapid': did you mean 'sapphirerapids'?" -- %root/test/Fixtures/bert-sentence/model --weights=random:1 --cpu=sapphirerapid -o x.sluice
# RUN: %python %s 2 "there is nothing of that name" -- nowhere -o x.sluice
# RUN: %python %s 2 "no-mlir.mlir:1:1: error: custom op 'not' is unknown" -- %S/Inputs/no-mlir.mlir --from=tensor -o x.sluice
# RUN: %python -c "print('(' * 200000)" > %t.mlir
# RUN: %python %s 2 "more than 128 brackets inside one another" -- %t.mlir --from=tensor -o x.sluice

# An option whose part is not built yet parses, and says so.
# RUN: %python %s 1 "'--quantize' expects one of int8, int4, int8w, int4w, but found 'int5'" -- m --quantize=int5 -o x.sluice
# RUN: %python %s 1 "'--quantize' expects a group that is a power of two from 32 to 1024 after 'int4:', but found '33'" -- m --quantize=int4:33 -o x.sluice
# RUN: %python %s 1 "--quantize decides at the tensor stage, which is behind --from=placed" -- m.mlir --from=placed --quantize=int8 -o x.sluice
# RUN: %python %s 3 "'--target' for cuda is not built yet" -- m --target=cuda -o x.sluice
# RUN: %python %s 3 "'--kv' of int8 is not built yet" -- m --kv=int8 -o x.sluice

# Reports, ceilings and lists of processors.
# RUN: %python %s 1 "--explain and --check make none" -- m --report --check -o x.sluice
# RUN: %python %s 1 "which is not made here" -- m --report --to=placed -o -
# RUN: %python %s 1 "'--cpu' names 'native' twice" -- m --cpu=native,native -o x.sluice
# RUN: %python %s 1 "'--cpu' expects names of processors with commas between" -- m --cpu=x86-64-v3,,x86-64-v4 -o x.sluice
# RUN: %python %s 1 "--emit and --stages-to are about one processor" -- m --cpu=x86-64-v3,x86-64-v4 --emit=asm -o -
# RUN: %python %s 1 "--to=placed writes one module" -- m --cpu=x86-64-v3,x86-64-v4 --to=placed -o -
# RUN: %python %s 1 "cpu 'x86-64-v2' has no avx2" -- m --cpu=x86-64-v3,x86-64-v2 -o x.sluice
# RUN: %python %s 1 "'--max-rows' expects at most 16777216" -- m --max-rows=99999999 -o x.sluice
# RUN: %python %s 2 "cannot read 'nowhere.json'" -- m --explain --ceilings=nowhere.json
# RUN: echo '{"threads": 2}' > %t.ceilings
# RUN: %python %s 2 "found no read_bytes_per_s and fma_ops_per_s above 0; expected what `sluice-run ceilings --format=json` writes" -- m --explain --ceilings=%t.ceilings

import subprocess
import sys

code, words, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[4:]
run = subprocess.run(["sluicec", *arguments], capture_output=True, text=True)
if run.returncode != code or words not in run.stderr or run.stdout:
    sys.exit(f"expected exit code {code} and '{words}' on stderr, found {run.returncode} and:\n{run.stderr}{run.stdout}")
