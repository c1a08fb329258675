# SPDX-License-Identifier: Apache-2.0
"""OpenBLAS, from the package scipy-openblas64: cblas_sgemm and cblas_sbgemm. It packs on every call; it has no other way."""

import ctypes
import os
from pathlib import Path

import numpy as np

from peers.engines import Job, Unavailable

# A core type in the environment would choose another machine's kernels.
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ.pop("OPENBLAS_L2_SIZE", None)

import scipy_openblas64  # noqa: E402

ROW_MAJOR, NO_TRANS, TRANS = 101, 111, 112


class Gemm(Job):
    def __init__(self, spec):
        lib = ctypes.CDLL(str(next(Path(scipy_openblas64.get_lib_dir()).glob("lib*openblas64*.so*"))))
        names = {"f32": "scipy_cblas_sgemm64_", "bf16": "scipy_cblas_sbgemm64_"}
        if spec["dtype"] not in names:
            raise Unavailable(f"OpenBLAS has no {spec['dtype']} matrix product")
        if not hasattr(lib, names[spec["dtype"]]):
            raise Unavailable(f"this build of OpenBLAS has no {names[spec['dtype']]}")
        self.gemm = getattr(lib, names[spec["dtype"]])
        number, size, pointer = ctypes.c_float, ctypes.c_int64, ctypes.c_void_p
        self.gemm.argtypes = [ctypes.c_int] * 3 + [size] * 3 + [number, pointer, size, pointer, size, number, pointer, size]
        self.gemm.restype = None
        lib.scipy_openblas_set_num_threads64_(spec["threads"])
        lib.scipy_openblas_get_config64_.restype = lib.scipy_openblas_get_corename64_.restype = ctypes.c_char_p
        self.settings = (f"{lib.scipy_openblas_get_config64_().decode().split(' NO')[0].strip()}, kernels "
                         f"{lib.scipy_openblas_get_corename64_().decode()}, {spec['threads']} threads, packs in the call")
        data = Path(spec["data"])
        self.x, w = np.load(data / "x.npy").copy(), np.load(data / "w.npy")
        self.w = [w.copy() for _ in range(spec["copies"])]
        self.n, self.k = spec["n"], spec["k"]
        self.y = np.zeros((max(spec["rows"]), self.n), np.float32)

    def call(self, case, turn):
        w, n, k = self.w[turn % len(self.w)], self.n, self.k
        self.gemm(ROW_MAJOR, NO_TRANS, TRANS, case, n, k, 1.0, self.x.ctypes.data, k, w.ctypes.data, k, 0.0,
                  self.y.ctypes.data, n)

    def result(self, case):
        return self.y[:case]


def open_job(spec):
    if spec["kind"] != "gemm":
        raise Unavailable("OpenBLAS has matrix products only")
    return Gemm(spec)
