# SPDX-License-Identifier: Apache-2.0
"""Compares what Sluice computes with what Hugging Face's implementation computes in float64.

A case is a folder of test/Fixtures: a model's configuration, a seed for its weights, inputs, and what the reference
gave for them. `live` computes the reference anew (needs PyTorch) and plants wrong variants, each of which must be
noticed; `golden` compares with the stored numbers and needs NumPy only; `write_golden` makes the stored numbers.
"""
