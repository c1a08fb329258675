# SPDX-License-Identifier: Apache-2.0
"""A Llama in plain PyTorch with a static cache of keys and values, eager or through torch.compile: a graph for prefill, one
for a decode step; a graph's shape is its cache's length."""

import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from peers.engines import Job, Unavailable
from peers.engines.torch_eager import TYPES, start
from peers.models import Weights, head_size


def rms(x, weight, eps):
    return F.rms_norm(x.float(), (x.shape[-1],), weight.float(), eps).to(weight.dtype)


class Layer(torch.nn.Module):
    def __init__(self, c, take, layer):
        super().__init__()
        self.eps, self.heads, self.groups = c["rms_norm_eps"], c["num_attention_heads"], c["num_key_value_heads"]
        self.size, self.inner = head_size(c), c["intermediate_size"]
        at = f"model.layers.{layer}."
        joined = {"norm1": ["input_layernorm.weight"], "norm2": ["post_attention_layernorm.weight"],
                  "qkv": [f"self_attn.{p}_proj.weight" for p in "qkv"], "out": ["self_attn.o_proj.weight"],
                  "gate_up": ["mlp.gate_proj.weight", "mlp.up_proj.weight"], "down": ["mlp.down_proj.weight"]}
        for name, parts in joined.items():
            self.register_parameter(name, torch.nn.Parameter(torch.cat([take(at + p) for p in parts]), requires_grad=False))

    def forward(self, x, cos, sin, keys, values, positions, mask):
        b, t = x.shape[:2]

        def rope(z):  # [B, H, T, D]
            z1, z2 = z.float().chunk(2, -1)
            return torch.cat([z1 * cos - z2 * sin, z2 * cos + z1 * sin], -1).to(z.dtype)

        qkv = F.linear(rms(x, self.norm1, self.eps), self.qkv).view(b, t, -1, self.size).transpose(1, 2)
        q, k, v = qkv.split([self.heads, self.groups, self.groups], 1)
        q, k = rope(q), rope(k)
        keys.index_copy_(2, positions, k)
        values.index_copy_(2, positions, v)
        if mask is None:
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        else:
            a = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask, enable_gqa=True)
        x = x + F.linear(a.transpose(1, 2).reshape(b, t, -1), self.out)
        gate, up = F.linear(rms(x, self.norm2, self.eps), self.gate_up).split(self.inner, -1)
        return x + F.linear(F.silu(gate) * up, self.down)


class Llama(torch.nn.Module):
    def __init__(self, folder, dtype):
        super().__init__()
        c = json.loads(Path(folder, "config.json").read_text())
        weights = Weights(Path(folder, "model.safetensors"))

        def take(name):
            return torch.from_numpy(weights[name].copy()).view(torch.bfloat16).to(dtype)

        self.eps, self.groups, self.size = c["rms_norm_eps"], c["num_key_value_heads"], head_size(c)
        self.embed, self.norm = take("model.embed_tokens.weight"), take("model.norm.weight")
        self.head = torch.nn.Parameter(self.embed, requires_grad=False)
        self.layers = torch.nn.ModuleList(Layer(c, take, i) for i in range(c["num_hidden_layers"]))
        self.frequencies = c["rope_theta"] ** (-torch.arange(self.size // 2).float() / (self.size // 2))

    def forward(self, tokens, positions, keys, values, mask):
        """tokens [B, T]; positions [T]; keys, values lists of [B, G, S, D], written at positions; mask [T, S] or None
        (causal among the T). Logits [B, V] of the last token."""
        x = self.embed[tokens].float()
        angle = positions.float()[:, None] * self.frequencies
        cos, sin = angle.cos(), angle.sin()
        for layer, k, v in zip(self.layers, keys, values, strict=True):
            x = layer(x, cos, sin, k, v, positions, mask)
        return F.linear(rms(x[:, -1], self.norm, self.eps), self.head)

    def cache(self, batch, length):
        """(keys, values) for |length| tokens."""
        return tuple([torch.zeros(batch, self.groups, length, self.size, dtype=self.embed.dtype) for _ in self.layers] for _ in range(2))


class Model(Job):
    warm_seconds = 0.0

    def __init__(self, spec, compiled):
        if spec["dtype"] not in TYPES:
            raise Unavailable(f"no {spec['dtype']} model in PyTorch alone")
        self.settings = start(spec)
        self.dtype, self.compiled = TYPES[spec["dtype"]], compiled
        self.llama = Llama(spec["checkpoint"], self.dtype).eval()
        self.tokens = torch.tensor(spec["tokens"])
        self.caches, self.at = {}, 0
        self.facts = {"weight_bytes": sum(p.numel() * p.element_size() for p in self.llama.parameters() if p.dim() == 2)}
        if compiled:
            # One layer is compiled and serves all, as PyTorch's recipe for models of equal layers has it. Freezing, which
            # would pack weights, would compile each layer by itself: more than five minutes for 24 layers.
            for layer in self.llama.layers:
                layer.compile(dynamic=False)
            self.settings += ", torch.compile, one layer for all"

    def cache(self, batch, length):
        if (batch, length) not in self.caches:
            self.caches = {(batch, length): self.llama.cache(batch, length)}
        return self.caches[batch, length]

    def prepare(self, case):
        self.at = case.get("past", 0)

    def call(self, case, turn):
        if case["do"] == "decode":
            batch, past = case["batch"], case["past"]
            # As long as it must be: what a static cache costs beyond that is not held against it.
            length = past + 64
            keys, values = self.cache(batch, length)
            position = torch.tensor([min(self.at, length - 1)])
            mask = torch.arange(length)[None] <= position[:, None]
            tokens = self.tokens[turn % 64].expand(batch, 1)
            self.at += 1
            self.y = self.llama(tokens, position, keys, values, mask)
        else:
            rows = case["rows"]
            keys, values = self.cache(1, rows)
            self.y = self.llama(self.tokens[:rows][None], torch.arange(rows), keys, values, None)

    def result(self, case):
        return self.y[0].float().numpy()


def compile_seconds(folder, threads):
    """Seconds of torch.compile for a decode step of the whole model, its caches off."""
    import torch._inductor.config as inductor
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    inductor.force_disable_caches = True
    llama = Llama(folder, torch.bfloat16).eval()
    arguments = (torch.tensor([[1]]), torch.tensor([16]), *llama.cache(1, 64), torch.arange(64)[None] <= 16)

    def first_call(run):
        torch._dynamo.reset()
        begun = time.perf_counter()
        run(*arguments)
        return time.perf_counter() - begun

    whole = first_call(torch.compile(llama, dynamic=False))
    for layer in llama.layers:
        layer.compile(dynamic=False)
    by_layer = first_call(llama)
    return {"compile": whole, "settings": f"torch {torch.__version__}, torch.compile of one bf16 decode step, caches off, no freezing; "
            f"with one layer compiled for all {by_layer:.1f} s"}
