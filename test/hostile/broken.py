# SPDX-License-Identifier: Apache-2.0
"""Rows that are wrong on purpose: the runner must say so (table.test)."""

from inputs import files

GROUPS = {
    "broken": [
        ("wrong-code", files(), "sluicec nowhere -o out.sluice", 0, ""),
        ("wrong-message", files(), "sluicec nowhere -o out.sluice", 2, "nonsense"),
        ("leaves", files(out__mlir="x"), "sluicec nowhere -o out.sluice", 2, ""),
    ]
}
