# SPDX-License-Identifier: Apache-2.0
"""PyTorch as it comes: eager F.linear (oneDNN, MKL) and scaled_dot_product_attention."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from peers.engines import Job, Unavailable

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def load(path, dtype):
    """The array that the driver wrote; bf16 lies in u16."""
    array = np.load(path)
    tensor = torch.from_numpy(array.copy())
    return tensor.view(torch.bfloat16) if array.dtype == np.uint16 else tensor.to(TYPES[dtype])


def start(spec):
    torch.set_num_threads(spec["threads"])
    torch.set_grad_enabled(False)
    return f"torch {torch.__version__}, {spec['threads']} threads"


class Gemm(Job):
    def __init__(self, spec):
        if spec["dtype"] not in TYPES:
            raise Unavailable(f"eager PyTorch has no {spec['dtype']} linear layer")
        self.settings = start(spec) + ", F.linear"
        data = Path(spec["data"])
        x, w = load(data / "x.npy", spec["dtype"]), load(data / "w.npy", spec["dtype"])
        self.w = [w.clone() for _ in range(spec["copies"])]
        self.x = {rows: x[:rows].clone() for rows in spec["rows"]}

    def call(self, case, turn):
        self.y = F.linear(self.x[case], self.w[turn % len(self.w)])

    def result(self, case):
        return self.y.float().numpy()


class Attention(Job):
    def __init__(self, spec):
        self.settings = start(spec) + ", scaled_dot_product_attention"
        data, dtype = Path(spec["data"]), spec["dtype"]
        # [rows, heads, size] -> [1, heads, rows, size], dense
        q, k, v = (load(data / f"{name}.npy", dtype).transpose(0, 1)[None].contiguous() for name in "qkv")
        self.sets = [(q.clone(), k.clone(), v.clone()) for _ in range(2)]
        self.window = spec.get("window", 0)
        self.masks = {}
        for rows in spec["rows"] if self.window else ():
            at = torch.arange(rows)
            self.masks[rows] = (at[None] <= at[:, None]) & (at[:, None] - at[None] < self.window)

    def call(self, case, turn):
        q, k, v = (t[:, :, :case] for t in self.sets[turn % 2])
        if self.window:
            self.y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.masks[case], enable_gqa=True)
        else:
            self.y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    def result(self, case):
        return self.y[0].transpose(0, 1).float().numpy()


def open_job(spec):
    kinds = {"gemm": Gemm, "attention": Attention}
    if spec["kind"] == "model":
        from peers.engines.torch_model import Model
        return Model(spec, compiled=False)
    if spec["kind"] not in kinds:
        raise Unavailable(f"no {spec['kind']} here")
    return kinds[spec["kind"]](spec)
