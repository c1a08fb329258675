# SPDX-License-Identifier: Apache-2.0
"""The machine's own ceilings as an engine: multiply-adds in registers and plain reads, on the same threads. A case is a
kind; a call lasts some tens of milliseconds."""

import ctypes
import os
from pathlib import Path

from peers.engines import Job, Unavailable

KINDS = {"read": 0, "fma": 1, "dpbf16": 2, "dpbusd": 3}
TURNS = {"fma": 1_500_000, "dpbf16": 300_000, "dpbusd": 1_000_000, "read": 1}


def library():
    path = Path(os.environ["SLUICE_BUILD"], "lib", "libsluice_ceilings.so")
    if not path.exists():
        raise Unavailable(f"found no {path}: ./dev build sluice_ceilings")
    lib = ctypes.CDLL(str(path))
    lib.sluice_ceiling_run.restype = ctypes.c_double
    lib.sluice_ceiling_run.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64]
    lib.sluice_ceiling_work.restype = ctypes.c_int64
    lib.sluice_ceiling_read_bytes.restype = ctypes.c_int64
    return lib


class Ceilings(Job):
    def __init__(self, threads):
        self.lib, self.threads = library(), threads
        self.settings = f"{threads} threads"

    def call(self, case, turn):
        if self.lib.sluice_ceiling_run(KINDS[case], self.threads, TURNS[case]) < 0:
            raise MemoryError("the read loop found no 512 MiB, or no thread could be started")


def open_job(spec):
    return Ceilings(spec["threads"])


def work(threads):
    """Operations, or bytes, of one call of each kind; 0 where the processor lacks the instruction."""
    lib = library()
    amounts = {kind: lib.sluice_ceiling_work(number) * TURNS[kind] * threads for kind, number in KINDS.items()}
    amounts["read"] = lib.sluice_ceiling_read_bytes(threads) * TURNS["read"]
    return {"work": amounts}
