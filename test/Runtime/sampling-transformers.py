# SPDX-License-Identifier: Apache-2.0
#
# sluice_sampling_apply against the logits processors of `transformers`, in their order, on rows without ties: the same tokens
# stay, with the same logits. Rows in which a cut is within rounding of a boundary are counted and left out. A planted wrong order
# (top-p before top-k) must differ.
# REQUIRES: pytorch
# RUN: %python %s %build/lib/libsluice_rt.so
import ctypes
import sys

import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

library = ctypes.CDLL(sys.argv[1])
library.sluice_last_error.restype = ctypes.c_char_p


class Sampling(ctypes.Structure):
    _fields_ = [
        ("temperature", ctypes.c_float),
        ("top_k", ctypes.c_int32),
        ("top_p", ctypes.c_float),
        ("min_p", ctypes.c_float),
        ("repetition_penalty", ctypes.c_float),
        ("bias_count", ctypes.c_int32),
        ("bias_tokens", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("seen", ctypes.POINTER(ctypes.c_int32)),
        ("seen_count", ctypes.c_int64),
    ]


def ours(logits, temperature, top_k, top_p, min_p, penalty, seen):
    row = logits.clone().contiguous()
    distinct = sorted(set(seen))
    tokens = (ctypes.c_int32 * len(distinct))(*distinct)
    sampling = Sampling(temperature, top_k, top_p, min_p, penalty, 0, None, None, tokens, len(distinct))
    code = library.sluice_sampling_apply(ctypes.byref(sampling), ctypes.cast(row.data_ptr(), ctypes.POINTER(ctypes.c_float)), ctypes.c_int64(row.numel()))
    assert code == 0, library.sluice_last_error()
    return row


def theirs(logits, temperature, top_k, top_p, min_p, penalty, seen, swapped=False):
    steps = [RepetitionPenaltyLogitsProcessor(penalty), TemperatureLogitsWarper(temperature)]
    cuts = [TopKLogitsWarper(top_k), TopPLogitsWarper(top_p)]
    steps += cuts[::-1] if swapped else cuts
    if min_p > 0:
        steps.append(MinPLogitsWarper(min_p))
    return LogitsProcessorList(steps)(torch.tensor([seen]), logits.double()[None].clone())[0]


def is_close(logits, temperature, top_k, top_p, min_p, penalty, seen):
    """Whether another top_p or min_p, a millionth away, keeps other tokens: then f32 inputs may decide."""
    kept = [torch.isfinite(theirs(logits, temperature, top_k, min(top_p * (1 + d), 1.0), min(min_p * (1 + d), 1.0), penalty, seen)) for d in (-1e-6, 1e-6)]
    return not torch.equal(*kept)


torch.manual_seed(7)
rows = close = swapped = 0
for case in range(400):
    size = int(torch.randint(5, 3000, ()))
    logits = torch.randn(size) * float(torch.tensor([0.3, 3.0, 12.0])[case % 3])
    if logits.unique().numel() < size:
        continue
    seen = torch.randint(0, size, (20,)).tolist()
    arguments = (
        float(torch.tensor([0.5, 1.0, 1.7])[case // 3 % 3]),
        int(torch.randint(1, size + 1, ())),
        float(torch.tensor(0.02 + 0.97 * torch.rand(()).item())),
        float(torch.tensor(0.3 * torch.rand(()).item())) if case % 2 else 0.0,
        float(torch.tensor([1.0, 1.3])[case // 2 % 2]),
        seen,
    )
    if is_close(logits, *arguments):
        close += 1
        continue
    mine, other = ours(logits, *arguments), theirs(logits, *arguments)
    kept = torch.isfinite(other)
    assert torch.equal(torch.isfinite(mine), kept), f"case {case}: {torch.isfinite(mine).sum()} stay, expected {kept.sum()}"
    # Theirs are divided by the temperature already.
    assert torch.allclose(mine[kept].double(), other[kept] * arguments[0], rtol=1e-6, atol=0), case
    swapped += not torch.equal(torch.isfinite(theirs(logits, *arguments, swapped=True)), kept)
    rows += 1
print(f"{rows} rows agree, {close} too close to a boundary; another order differs in {swapped}")
assert rows > 350 and close < 20 and swapped > 50
