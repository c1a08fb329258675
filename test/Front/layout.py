# SPDX-License-Identifier: Apache-2.0
#
# The structures of python/sluice/runtime.py lie as those of runtime.h do: size, and offset and size of every member, as a C
# compiler says them; and no member of the header is left out.
# RUN: mkdir -p %t && %python %s %cc %root/runtime/include %t
import ctypes
import re
import subprocess
import sys
from pathlib import Path

from sluice import runtime

compiler, include, scratch = sys.argv[1:]
structures = runtime.Structure.__subclasses__()
assert len(structures) >= 9
lines = []
for structure in structures:
    name = structure.c_name
    lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
    for member, *_ in structure._fields_:
        lines.append(
            f'printf("{name}.{member} %zu %zu\\n", offsetof({name}, {member}), sizeof((({name} *)0)->{member}));'
        )
source = Path(scratch, "layout.c")
source.write_text(
    '#include "sluice-rt/runtime.h"\n#include <stdio.h>\nint main(void) {\n' + "\n".join(lines) + "\nreturn 0;\n}\n"
)
program = Path(scratch, "layout")
subprocess.run([compiler, "-I", include, str(source), "-o", str(program)], check=True)
said = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
ours = []
for structure in structures:
    ours.append(f"{structure.c_name} {ctypes.sizeof(structure)}")
    for member, *_ in structure._fields_:
        ours.append(
            f"{structure.c_name}.{member} {getattr(structure, member).offset} {getattr(structure, member).size}"
        )
assert said == ours, [pair for pair in zip(said, ours) if pair[0] != pair[1]]

header = re.sub(r"/\*.*?\*/", "", Path(include, "sluice-rt/runtime.h").read_text(), flags=re.S)
for structure in structures:
    tag = structure.c_name.removesuffix("_t")
    body = re.search(r"typedef struct %s \{(.*?)\n\} %s;" % (tag, structure.c_name), header, re.S).group(1)
    members = []
    for declaration in body.split(";"):
        declaration = re.sub(r"\[[^]]*\]", "", declaration).strip()
        if declaration:
            members += [re.search(r"(\w+)$", part.strip()).group(1) for part in declaration.split(",")]
    assert members == [member for member, *_ in structure._fields_], (structure.c_name, members)
for name in runtime.CALLS:
    assert re.search(r"\b%s\(" % name, header), name
