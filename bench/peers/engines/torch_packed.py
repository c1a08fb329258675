# SPDX-License-Identifier: Apache-2.0
"""PyTorch at its best: weights packed beforehand, by the operators that torch.compile emits when it freezes a model
(oneDNN; MKL's packed product for f32), and torch.compile itself for whole models."""

from pathlib import Path

import torch

from peers.engines import Job, Unavailable
from peers.engines.torch_eager import load, start


class Gemm(Job):
    def __init__(self, spec):
        self.settings = start(spec)
        data = Path(spec["data"])
        if spec["dtype"] not in ("f32", "bf16"):
            raise Unavailable(f"no packed {spec['dtype']} product")
        x, w = load(data / "x.npy", spec["dtype"]), load(data / "w.npy", spec["dtype"])
        self.x = {rows: x[:rows].clone() for rows in spec["rows"]}
        self.mkl = spec["dtype"] == "f32" and torch.backends.mkl.is_available()
        self.plain = w
        self.copies, self.packed_for, self.packed = spec["copies"], None, []
        self.settings += ", mkl._mkl_linear, packed" if self.mkl else ", mkldnn._linear_pointwise, packed"

    def prepare(self, case):
        """Packed weights are made for a number of rows, as torch.compile does with static shapes."""
        if self.packed_for == case:
            return
        pack = torch.ops.mkl._mkl_reorder_linear_weight if self.mkl else torch.ops.mkldnn._reorder_linear_weight
        self.packed = []
        self.packed, self.packed_for = [pack(self.plain, case) for _ in range(self.copies)], case

    def call(self, case, turn):
        w = self.packed[turn % self.copies]
        if self.mkl:
            self.y = torch.ops.mkl._mkl_linear(self.x[case], w, self.plain, None, case)
        else:
            self.y = torch.ops.mkldnn._linear_pointwise(self.x[case], w, None, "none", [], "")

    def result(self, case):
        return self.y.float().numpy()


class DynamicGemm(Job):
    """int8: weights by row, rows made int8 in the call (quantized::linear_dynamic on the engine for x86)."""

    def __init__(self, spec):
        self.settings = start(spec) + ", quantized::linear_dynamic, engine x86"
        torch.backends.quantized.engine = "x86"
        data = Path(spec["data"])
        x, w = load(data / "x.npy", "f32"), load(data / "w.npy", "f32")
        self.x = {rows: x[:rows].clone() for rows in spec["rows"]}
        scale = w.abs().amax(1).clamp_min(1e-9).double() / 127
        q = torch.quantize_per_channel(w, scale, torch.zeros(len(w), dtype=torch.int64), 0, torch.qint8)
        self.packed = [torch.ops.quantized.linear_prepack(q, None) for _ in range(spec["copies"])]

    def call(self, case, turn):
        self.y = torch.ops.quantized.linear_dynamic(self.x[case], self.packed[turn % len(self.packed)])

    def result(self, case):
        return self.y.numpy()


def open_job(spec):
    if spec["kind"] == "gemm" and spec["dtype"] == "int8":
        return DynamicGemm(spec)
    if spec["kind"] == "model":
        from peers.engines.torch_model import Model
        return Model(spec, compiled=True)
    if spec["kind"] != "gemm":
        raise Unavailable("attention is eager PyTorch's")
    return Gemm(spec)


def compile_seconds(checkpoint, scratch, threads):
    from peers.engines import torch_model
    return torch_model.compile_seconds(checkpoint, threads)
