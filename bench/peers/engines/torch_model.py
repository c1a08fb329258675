# SPDX-License-Identifier: Apache-2.0
"""A Llama in plain PyTorch with a static cache of keys and values, eager or through torch.compile with frozen (packed)
weights. One compiled graph for prefill, one for a decode step; a graph's shape is its cache's length."""

import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from peers.engines import Job, Unavailable
from peers.engines.torch_eager import TYPES, start
from peers.models import Weights


class Llama(torch.nn.Module):
    def __init__(self, folder, dtype):
        super().__init__()
        c = json.loads(Path(folder, "config.json").read_text())
        weights = Weights(Path(folder, "model.safetensors"))

        def take(name):
            return torch.from_numpy(weights[name].copy()).view(torch.bfloat16).to(dtype)

        self.layers, self.eps = c["num_hidden_layers"], c["rms_norm_eps"]
        self.heads, self.groups = c["num_attention_heads"], c["num_key_value_heads"]
        self.size = c.get("head_dim") or c["hidden_size"] // self.heads
        self.inner = c["intermediate_size"]
        self.embed, self.norm = take("model.embed_tokens.weight"), take("model.norm.weight")
        self.head = torch.nn.Parameter(self.embed.clone(), requires_grad=False)
        for layer in range(self.layers):
            at = f"model.layers.{layer}."
            joined = {"norm1": [at + "input_layernorm.weight"], "norm2": [at + "post_attention_layernorm.weight"],
                      "qkv": [f"{at}self_attn.{p}_proj.weight" for p in "qkv"], "out": [at + "self_attn.o_proj.weight"],
                      "gate_up": [at + "mlp.gate_proj.weight", at + "mlp.up_proj.weight"], "down": [at + "mlp.down_proj.weight"]}
            for name, parts in joined.items():
                parameter = torch.nn.Parameter(torch.cat([take(p) for p in parts]), requires_grad=False)
                self.register_parameter(f"{name}_{layer}", parameter)
        self.frequencies = c["rope_theta"] ** (-torch.arange(self.size // 2).float() / (self.size // 2))

    def rms(self, x, weight):
        return F.rms_norm(x.float(), (x.shape[-1],), weight.float(), self.eps).to(weight.dtype)

    def forward(self, tokens, positions, keys, values, mask):
        """tokens [B, T]; positions [T]; keys, values [L, B, G, S, D], written at positions; mask [T, S] or None (causal
        among the T). Logits [B, V] of the last token."""
        b, t = tokens.shape
        x = self.embed[tokens].float()
        angle = positions.float()[:, None] * self.frequencies
        cos, sin = angle.cos(), angle.sin()

        def rope(z):  # [B, H, T, D]
            z1, z2 = z.float().chunk(2, -1)
            return torch.cat([z1 * cos - z2 * sin, z2 * cos + z1 * sin], -1).to(z.dtype)

        for layer in range(self.layers):
            def p(name, layer=layer):
                return getattr(self, f"{name}_{layer}")
            qkv = F.linear(self.rms(x, p("norm1")), p("qkv")).view(b, t, -1, self.size).transpose(1, 2)
            q, k, v = qkv.split([self.heads, self.groups, self.groups], 1)
            q, k = rope(q), rope(k)
            keys[layer].index_copy_(2, positions, k)
            values[layer].index_copy_(2, positions, v)
            if mask is None:
                a = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            else:
                a = F.scaled_dot_product_attention(q, keys[layer], values[layer], attn_mask=mask, enable_gqa=True)
            x = x + F.linear(a.transpose(1, 2).reshape(b, t, -1), p("out"))
            gate, up = F.linear(self.rms(x, p("norm2")), p("gate_up")).split(self.inner, -1)
            x = x + F.linear(F.silu(gate) * up, p("down"))
        return F.linear(self.rms(x[:, -1], self.norm), self.head)


class Model(Job):
    warm_seconds = 0.0

    def __init__(self, spec, compiled):
        if spec["dtype"] not in TYPES:
            raise Unavailable(f"no {spec['dtype']} model in PyTorch alone")
        self.settings = start(spec)
        self.dtype, self.compiled = TYPES[spec["dtype"]], compiled
        self.llama = Llama(spec["checkpoint"], self.dtype).eval()
        self.tokens = torch.tensor(spec["tokens"])
        self.run, self.caches, self.at = self.llama, {}, 0
        self.facts = {"weight_bytes": sum(p.numel() * p.element_size() for p in self.llama.parameters() if p.dim() == 2)}
        if compiled:
            import torch._inductor.config as inductor
            inductor.freezing = True
            inductor.cpp_wrapper = False
            self.run = torch.compile(self.llama, dynamic=False)
            self.settings += ", torch.compile, freezing"

    def cache(self, batch, length):
        if (batch, length) not in self.caches:
            l = self.llama
            shape = (l.layers, batch, l.groups, length, l.size)
            self.caches = {(batch, length): (torch.zeros(shape, dtype=self.dtype), torch.zeros(shape, dtype=self.dtype))}
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
            self.y = self.run(tokens, position, keys, values, mask)
        else:
            rows = case["rows"]
            keys, values = self.cache(1, rows)
            self.y = self.run(self.tokens[:rows][None], torch.arange(rows), keys, values, None)

    def result(self, case):
        return self.y[0].float().numpy()


def compile_seconds(folder, threads):
    """Seconds of torch.compile for one decode step, its caches off."""
    import torch._inductor.config as inductor
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    inductor.freezing, inductor.force_disable_caches = True, True
    llama = Llama(folder, torch.bfloat16).eval()
    shape = (llama.layers, 1, llama.groups, 64, llama.size)
    keys, values = torch.zeros(shape, dtype=torch.bfloat16), torch.zeros(shape, dtype=torch.bfloat16)
    arguments = (torch.tensor([[1]]), torch.tensor([16]), keys, values, torch.arange(64)[None] <= 16)
    torch._dynamo.reset()
    run = torch.compile(llama, dynamic=False)
    begun = time.perf_counter()
    run(*arguments)
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    run(*arguments)
    step = time.perf_counter() - begun
    return {"compile": first - step, "settings": f"torch {torch.__version__}, torch.compile with freezing, caches off, one bf16 decode step "
            "after 16 tokens; packing weights is part of it"}
