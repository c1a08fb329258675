# SPDX-License-Identifier: Apache-2.0
"""Whole models with seeded weights: the checkpoint that every engine reads, written once, and reference logits from a
plain f32 forward pass in numpy. Both lie in build/bench/peers/models."""

import json
import math
import struct
from pathlib import Path

import numpy as np

from sluice import random_weights as rw
from sluice import tools

SHAPES = tools.ROOT / "bench" / "cpu"
SEED = 1
CHECK_TOKENS = 16


def config(model):
    return json.loads((SHAPES / f"{model}-shape" / "config.json").read_text())


def folder(model):
    return tools.build_folder() / "bench" / "peers" / "models" / model


def tensors(c):
    """name -> shape, in the order of the checkpoint. The head is the embedding table."""
    width, inner, size = c["hidden_size"], c["intermediate_size"], head_size(c)
    names = {"model.embed_tokens.weight": (c["vocab_size"], width)}
    for layer in range(c["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        names |= {at + "input_layernorm.weight": (width,),
                  at + "self_attn.q_proj.weight": (c["num_attention_heads"] * size, width),
                  at + "self_attn.k_proj.weight": (c["num_key_value_heads"] * size, width),
                  at + "self_attn.v_proj.weight": (c["num_key_value_heads"] * size, width),
                  at + "self_attn.o_proj.weight": (width, c["num_attention_heads"] * size),
                  at + "post_attention_layernorm.weight": (width,),
                  at + "mlp.gate_proj.weight": (inner, width),
                  at + "mlp.up_proj.weight": (inner, width),
                  at + "mlp.down_proj.weight": (width, inner)}
    return names | {"model.norm.weight": (width,)}


def head_size(c):
    return c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]


def linear_elements(c):
    """Elements of all matrices that one token is multiplied with."""
    return sum(math.prod(shape) for name, shape in tensors(c).items() if len(shape) == 2)


def flops_per_token(c, head):
    """Of the linear layers; |head|: with the product over the vocabulary."""
    return 2.0 * (linear_elements(c) - (0 if head else c["vocab_size"] * c["hidden_size"]))


def attention_flops(c, rows, past=0):
    """Scores and sums of |rows| new tokens after |past|."""
    return 4.0 * (rows * past + rows * (rows + 1) / 2) * c["num_attention_heads"] * head_size(c) * c["num_hidden_layers"]


def kv_bytes_per_token(c):
    return 2.0 * 2 * c["num_key_value_heads"] * head_size(c) * c["num_hidden_layers"]


def bits_of(name, shape):
    """u16: the tensor in bf16, made in pieces that caches hold."""
    count, piece = math.prod(shape), 1 << 19
    out = np.empty(count, np.uint16)
    role = rw.role_of(name)
    factor = np.float32(np.sqrt(3.0) * 1.2 / np.sqrt(float(shape[-1])))
    for first in range(0, count, piece):
        u = rw.uniform(SEED, name, min(piece, count - first), first)
        out[first:first + len(u)] = rw.to_bf16(np.float32(1) + np.float32(0.2) * u if role == "scale" else u * factor)
    return out.reshape(shape)


def checkpoint(model):
    """The folder with config.json and model.safetensors, made when it is not there."""
    target, c = folder(model), config(model)
    path = target / "model.safetensors"
    if path.exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(c, indent=1))
    header, at = {}, 0
    for name, shape in tensors(c).items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 64 + 56)
    half = path.with_suffix(".part")
    with half.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors(c).items():
            file.write(bits_of(name, shape).tobytes())
    half.rename(path)
    return target


class Weights:
    """name -> u16 array of bf16 bits, mapped."""

    def __init__(self, path):
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            self.header = json.loads(file.read(length))
        self.data = np.memmap(path, np.uint16, "r", offset=8 + length)

    def __getitem__(self, name):
        first, end = self.header[name]["data_offsets"]
        return self.data[first // 2:end // 2].reshape(self.header[name]["shape"])

    def names(self):
        return list(self.header)


def prompt(model, count):
    """Token ids that every engine gets."""
    vocab = config(model)["vocab_size"]
    return [(7919 * i + 13) % vocab for i in range(count)]


def reference(model):
    """f32 [vocab]: the logits after CHECK_TOKENS tokens, bf16 weights, all arithmetic f32."""
    saved = folder(model) / "logits.npy"
    if not saved.exists():
        np.save(saved, forward(Weights(checkpoint(model) / "model.safetensors"), config(model), prompt(model, CHECK_TOKENS)))
    return np.load(saved)


def forward(weights, c, tokens):
    def take(name):
        return rw.from_bf16(np.ascontiguousarray(weights[name]))

    def norm(x, name):
        return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + np.float32(c["rms_norm_eps"])) * take(name)

    def rope(x):
        half = x.shape[-1] // 2
        angle = np.arange(len(tokens))[:, None] * c["rope_theta"] ** (-np.arange(half) / half)
        cos, sin = np.cos(angle)[:, None].astype(np.float32), np.sin(angle)[:, None].astype(np.float32)
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    size, heads, groups = head_size(c), c["num_attention_heads"], c["num_key_value_heads"]
    table = weights["model.embed_tokens.weight"]
    x = rw.from_bf16(np.ascontiguousarray(table[tokens]))
    hidden = np.triu(np.full((len(tokens),) * 2, -np.inf, np.float32), 1)
    for layer in range(c["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        h = norm(x, at + "input_layernorm.weight")
        q, k, v = (np.reshape(h @ take(f"{at}self_attn.{p}_proj.weight").T, (len(tokens), -1, size)) for p in "qkv")
        q, k = rope(q), np.repeat(rope(k), heads // groups, 1)
        scores = np.einsum("ihd,jhd->hij", q, k) * np.float32(size**-0.5) + hidden
        p = np.exp(scores - scores.max(-1, keepdims=True))
        a = np.einsum("hij,jhd->ihd", p / p.sum(-1, keepdims=True), np.repeat(v, heads // groups, 1))
        x = x + a.reshape(len(tokens), -1) @ take(at + "self_attn.o_proj.weight").T
        h = norm(x, at + "post_attention_layernorm.weight")
        gate = h @ take(at + "mlp.gate_proj.weight").T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ take(at + "mlp.up_proj.weight").T)) @ take(at + "mlp.down_proj.weight").T
    last = norm(x[-1:], "model.norm.weight")[0]
    return np.concatenate([rw.from_bf16(np.ascontiguousarray(table[i:i + 8192])) @ last for i in range(0, len(table), 8192)])


if __name__ == "__main__":
    import sys
    for model in sys.argv[1:] or ("qwen2.5-0.5b", "llama-3.2-1b"):
        reference(model)
