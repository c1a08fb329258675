# SPDX-License-Identifier: Apache-2.0
# RUN: %python %s %t
"""A GPT-OSS checkpoint with MXFP4 experts gives the same bits as the same checkpoint with their numbers."""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from sluice import tools

VALUES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
CONFIG = {"model_type": "gpt_oss", "vocab_size": 71, "hidden_size": 64, "intermediate_size": 32, "head_dim": 10,
          "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
          "sliding_window": 5, "num_local_experts": 5, "num_experts_per_tok": 2, "rms_norm_eps": 1e-5, "eos_token_id": 1}


def main():
    rng = np.random.default_rng(7)
    hidden, inner, experts, heads, groups, dim = 64, 32, 5, 4, 2, 10
    plain, coded = {}, {}

    def both(name, *shape, scale=0.15):
        plain[name] = coded[name] = rng.normal(0, scale, shape).astype(np.float32)

    both("model.embed_tokens.weight", 71, hidden, scale=1)
    both("model.norm.weight", hidden, scale=1)
    both("lm_head.weight", 71, hidden)
    for layer in range(2):
        p = f"model.layers.{layer}."
        both(p + "input_layernorm.weight", hidden, scale=1)
        both(p + "post_attention_layernorm.weight", hidden, scale=1)
        for name, rows in (("q", heads * dim), ("k", groups * dim), ("v", groups * dim)):
            both(p + f"self_attn.{name}_proj.weight", rows, hidden)
            both(p + f"self_attn.{name}_proj.bias", rows)
        both(p + "self_attn.o_proj.weight", hidden, heads * dim)
        both(p + "self_attn.o_proj.bias", hidden)
        both(p + "self_attn.sinks", heads)
        both(p + "mlp.router.weight", experts, hidden)
        both(p + "mlp.router.bias", experts)
        for name, rows, columns in (("gate_up", 2 * inner, hidden), ("down", hidden, inner)):
            both(p + f"mlp.experts.{name}_proj_bias", experts, rows)
            codes = rng.integers(0, 16, (experts, rows, columns), dtype=np.uint8)
            scales = rng.integers(121, 126, (experts, rows, columns // 32), dtype=np.uint8)
            pairs = codes.reshape(experts, rows, columns // 32, 16, 2)
            coded[p + f"mlp.experts.{name}_proj_blocks"] = pairs[..., 0] | pairs[..., 1] << 4
            coded[p + f"mlp.experts.{name}_proj_scales"] = scales
            numbers = VALUES[codes] * np.exp2(scales.astype(np.float32) - 127).repeat(32, axis=-1)
            plain[p + f"mlp.experts.{name}_proj"] = np.ascontiguousarray(numbers.swapaxes(1, 2))

    logits = []
    for name, tensors, more in (("plain", plain, {}), ("coded", coded, {"quantization_config": {
            "quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}})):
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({**CONFIG, **more}))
        save_file(tensors, folder / "model.safetensors")
        artefact = folder.with_suffix(".sluice")
        tools.compile_model(folder, artefact)
        ids = np.arange(23, dtype=np.int64)[None] * 3 % 71
        logits.append(tools.run_inputs(artefact, {"input_ids": ids})["logits"])
    if not np.isfinite(logits[0]).all() or logits[0].std() < 0.1:
        tools.fail("the logits are no test of anything", 5)
    if logits[0].tobytes() != logits[1].tobytes():
        tools.fail(f"MXFP4 gives other logits: {np.abs(logits[0] - logits[1]).max()}", 5)
    print("the same bits")


main()
