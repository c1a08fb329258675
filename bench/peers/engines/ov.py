# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's CPU plugin: graphs built from its own operations, in the form its exporters give them (stateful keys and
values, compressed weights), compiled with a latency hint. Compiling packs weights and is not timed."""

import json
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as op
from openvino.op import util as state

from peers.engines import Job, Unavailable
from peers.models import Weights, head_size
from sluice import random_weights as rw

GROUP = 32


def compiled(model, spec, precision):
    core = ov.Core()
    return core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": spec["threads"], "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_HYPER_THREADING": False, "KV_CACHE_PRECISION": precision})


def about(spec, precision):
    return f"openvino {ov.__version__.split('-')[0]}, latency hint, {precision} inference, {spec['threads']} threads"


def constant_bf16(bits):
    tensor = ov.Tensor(ov.Type.bf16, list(bits.shape))
    np.copyto(np.asarray(tensor.data).view(np.uint16).reshape(bits.shape), bits)
    return op.convert(ov.op.Constant(tensor), "f32")


def quantised(values, bits):
    """Weights [N, K] as the weight compression writes them: integers, scales per row (8 bits) or per group (4 bits)."""
    n, k = values.shape
    if bits == 8:
        scale = np.maximum(np.abs(values).max(1, keepdims=True), 1e-9) / 127
        whole = op.convert(op.constant(np.clip(np.rint(values / scale), -127, 127).astype(np.int8)), "f32")
        return op.multiply(whole, op.constant(scale.astype(np.float32)))
    grouped = values.reshape(n, k // GROUP, GROUP)
    scale = np.maximum(np.abs(grouped).max(2, keepdims=True), 1e-9) / 7
    nibbles = np.clip(np.rint(grouped / scale), -8, 7).astype(np.int8).reshape(-1)
    packed = ((nibbles[0::2] & 15) | (nibbles[1::2] << 4)).astype(np.uint8)
    tensor = ov.Tensor(packed, [n, k // GROUP, GROUP], ov.Type.i4)
    whole = op.convert(ov.op.Constant(tensor), "f16")
    scaled = op.multiply(whole, op.constant(scale.astype(np.float16)))
    return op.convert(op.reshape(scaled, op.constant(np.array([n, k])), False), "f32")


class Gemm(Job):
    def __init__(self, spec):
        if spec["dtype"] not in ("f32", "bf16"):
            raise Unavailable(f"no {spec['dtype']} matrix product alone; see the models")
        data, precision = Path(spec["data"]), spec["dtype"]
        from peers.engines.ours import widened
        x = widened(data / "x.npy")
        self.settings = about(spec, precision)
        self.requests = {}
        w = np.load(data / "w.npy")
        models = []
        for _ in range(spec["copies"]):
            p = op.parameter([-1, spec["k"]], ov.Type.f32, name="x")
            weight = constant_bf16(w.copy()) if precision == "bf16" else op.constant(w.copy())
            models.append(compiled(ov.Model([op.matmul(p, weight, False, True)], [p]), spec, precision).create_infer_request())
        self.requests = models
        self.x = {rows: ov.Tensor(np.ascontiguousarray(x[:rows])) for rows in spec["rows"]}
        self.case = None

    def prepare(self, case):
        if self.case != case:
            for request in self.requests:
                request.set_input_tensor(self.x[case])
            self.case = case

    def call(self, case, turn):
        self.last = self.requests[turn % len(self.requests)]
        self.last.infer()

    def result(self, case):
        return self.last.get_output_tensor().data


class Decoder(Job):
    warm_seconds = 0.0

    def __init__(self, spec):
        dtype = spec["dtype"]
        precision = "f32" if dtype == "f32" else "bf16"
        self.facts = {"weight_bytes": 0}
        self.settings = about(spec, precision) + {"int8": ", int8 weights by row", "int4": f", int4 weights by {GROUP}"}.get(dtype, "")
        model = self.build(spec["checkpoint"], dtype)
        self.request = compiled(model, spec, precision).create_infer_request()
        self.tokens, self.state = np.array(spec["tokens"], np.int64), None

    def build(self, checkpoint, dtype):
        c = json.loads(Path(checkpoint, "config.json").read_text())
        weights = Weights(Path(checkpoint, "model.safetensors"))
        heads, groups, size, eps = c["num_attention_heads"], c["num_key_value_heads"], head_size(c), c["rms_norm_eps"]

        def number(value):
            return op.constant(np.float32(value))

        def whole(*values):
            return op.constant(np.array(values, np.int64))

        def matrix(*names):
            bits = np.concatenate([weights[n] for n in names])
            size_of = {"f32": 4, "bf16": 2, "int8": 1, "int4": 0.5 + 2 / GROUP}[dtype]
            self.facts["weight_bytes"] += int(bits.size * size_of)
            if dtype == "bf16":
                return constant_bf16(bits)
            values = rw.from_bf16(bits)
            return op.constant(values) if dtype == "f32" else quantised(values, int(dtype[3:]))

        def norm(x, name):
            mean = op.reduce_mean(op.power(x, number(2)), whole(-1), True)
            scale = op.constant(rw.from_bf16(np.array(weights[name])))
            return op.multiply(op.multiply(x, op.divide(number(1), op.sqrt(op.add(mean, number(eps))))), scale)

        tokens = op.parameter([-1, -1], ov.Type.i64, name="tokens")
        positions = op.parameter([-1, -1], ov.Type.i64, name="positions")
        rows = op.parameter([-1, -1, -1, -1], ov.Type.f32, name="mask")  # [1, 1, T, S], added to scores
        beam = op.parameter([-1], ov.Type.i32, name="beam_idx")
        table = matrix("model.embed_tokens.weight")
        x = op.gather(table, tokens, whole(0))
        half = size // 2
        frequencies = op.constant((c["rope_theta"] ** (-np.arange(half) / half)).astype(np.float32)[None, None])
        angle = op.multiply(op.unsqueeze(op.convert(positions, "f32"), whole(-1)), frequencies)
        angle = op.unsqueeze(op.concat([angle, angle], -1), whole(1))
        cos, sin = op.cos(angle), op.sin(angle)

        def rope(z):
            parts = op.split(z, op.constant(np.int64(3)), 2)
            turned = op.concat([op.multiply(parts.output(1), number(-1)), parts.output(0)], -1)
            return op.add(op.multiply(z, cos), op.multiply(turned, sin))

        def heads_of(z, count):
            return op.transpose(op.reshape(z, whole(0, 0, count, size), True), whole(0, 2, 1, 3))

        sinks = []

        def remember(name, z):
            info = state.VariableInfo()
            info.data_shape, info.data_type, info.variable_id = ov.PartialShape([-1, groups, -1, size]), ov.Type.f32, name
            variable = state.Variable(info)
            empty = op.broadcast(number(0), op.concat([op.gather(op.shape_of(tokens), whole(0), whole(0)), whole(groups, 0, size)], 0))
            past = op.gather(op.read_value(empty, variable), beam, whole(0))
            now = op.concat([past, z], 2)
            sinks.append(op.assign(now, variable))
            # Each group's keys once per query head of it.
            wide = op.broadcast(op.unsqueeze(now, whole(2)),
                                op.concat([op.gather(op.shape_of(now), whole(0, 1), whole(0)), whole(heads // groups),
                                           op.gather(op.shape_of(now), whole(2, 3), whole(0))], 0), "BIDIRECTIONAL")
            return op.reshape(wide, whole(0, heads, -1, size), True)

        for layer in range(c["num_hidden_layers"]):
            at = f"model.layers.{layer}."
            h = norm(x, at + "input_layernorm.weight")
            q, k, v = (op.matmul(h, matrix(f"{at}self_attn.{p}_proj.weight"), False, True) for p in "qkv")
            q, k, v = rope(heads_of(q, heads)), rope(heads_of(k, groups)), heads_of(v, groups)
            a = op.scaled_dot_product_attention(q, remember(f"key{layer}", k), remember(f"value{layer}", v), rows)
            a = op.reshape(op.transpose(a, whole(0, 2, 1, 3)), whole(0, 0, heads * size), True)
            x = op.add(x, op.matmul(a, matrix(at + "self_attn.o_proj.weight"), False, True))
            h = norm(x, at + "post_attention_layernorm.weight")
            gate = op.swish(op.matmul(h, matrix(at + "mlp.gate_proj.weight"), False, True))
            up = op.matmul(h, matrix(at + "mlp.up_proj.weight"), False, True)
            x = op.add(x, op.matmul(op.multiply(gate, up), matrix(at + "mlp.down_proj.weight"), False, True))
        last = op.gather(x, whole(-1), whole(1))
        logits = op.matmul(norm(last, "model.norm.weight"), table, False, True)
        return ov.Model([op.result(logits)], sinks, [tokens, positions, rows, beam])

    def step(self, batch, count, at, past):
        i = np.arange(count)
        mask = np.where(np.arange(past + count)[None] <= past + i[:, None], 0, -np.inf).astype(np.float32)[None, None]
        self.request.infer({0: np.tile(self.tokens[at:at + count], (batch, 1)), 1: np.tile(past + i, (batch, 1)), 2: mask,
                            3: np.arange(batch, dtype=np.int32)}, share_inputs=True)

    def prepare(self, case):
        batch, past, done = case.get("batch", 1), case.get("past", 0), 0
        self.request.reset_state()
        while done < past:
            count = min(512, past - done)
            self.step(batch, count, done, done)
            done += count
        self.at = past

    def call(self, case, turn):
        if case["do"] == "decode":
            self.step(case["batch"], 1, turn % 64, self.at)
            self.at += 1
        else:
            self.request.reset_state()
            self.step(1, case["rows"], 0, 0)

    def result(self, case):
        return self.request.get_output_tensor().data.reshape(-1)


def open_job(spec):
    kinds = {"gemm": Gemm, "model": Decoder}
    if spec["kind"] not in kinds:
        raise Unavailable(f"no {spec['kind']} alone")
    return kinds[spec["kind"]](spec)
