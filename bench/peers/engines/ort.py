# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's CPU provider: graphs of the operators that its own model builder emits (MatMulNBits, GroupQueryAttention,
SkipSimplifiedLayerNormalization), all optimisations, prepacked weights, inputs and outputs bound beforehand."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, save_model

from peers.engines import Job, Unavailable
from peers.models import Weights, head_size
from sluice import random_weights as rw

BLOCK = 32


def save(model, folder):
    """The path of |model|, with its weights beside it. Empties the model."""
    path = Path(folder, "model.onnx")
    path.with_suffix(".onnx.data").unlink(missing_ok=True)
    save_model(model, str(path), save_as_external_data=True, location="model.onnx.data", size_threshold=1024)
    return str(path)


def session(path, spec):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = spec["threads"], 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def tensor(name, array, kind=None):
    """An initializer that shares the array's bytes."""
    kind = kind or helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor(name, kind, array.shape, np.ascontiguousarray(array).tobytes(), raw=True)


def about(spec):
    return f"onnxruntime {ort.__version__}, CPU provider, {spec['threads']} threads"


class Gemm(Job):
    def __init__(self, spec):
        if spec["dtype"] == "bf16":
            raise Unavailable("ONNX Runtime has no bf16 matrix product for x86 processors")
        if spec["dtype"] != "f32":
            raise Unavailable(f"no {spec['dtype']} matrix product alone; see the models")
        data = Path(spec["data"])
        x, w, n, k = np.load(data / "x.npy"), np.load(data / "w.npy"), spec["n"], spec["k"]
        graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "gemm",
                                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", k])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", n])], [tensor("w", w.T)])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        path = save(model, spec["scratch"])
        self.sessions = [session(path, spec) for _ in range(spec["copies"])]
        self.settings = about(spec) + ", MatMul, prepacked"
        self.x, self.case, self.n = x, None, n

    def prepare(self, case):
        if self.case == case:
            return
        self.case, self.bindings = case, []
        self.y = ort.OrtValue.ortvalue_from_numpy(np.zeros((case, self.n), np.float32))
        x = ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(self.x[:case]))
        for one in self.sessions:
            binding = one.io_binding()
            binding.bind_ortvalue_input("x", x)
            binding.bind_ortvalue_output("y", self.y)
            self.bindings.append(binding)

    def call(self, case, turn):
        i = turn % len(self.sessions)
        self.sessions[i].run_with_iobinding(self.bindings[i])

    def result(self, case):
        return self.y.numpy()


class Decoder(Job):
    warm_seconds = 0.0

    def __init__(self, spec):
        if spec["dtype"] == "bf16":
            raise Unavailable("ONNX Runtime has no bf16 matrix product for x86 processors")
        self.facts = {"weight_bytes": 0}
        self.c = json.loads(Path(spec["checkpoint"], "config.json").read_text())
        self.room = max(spec["most"], 1024)
        model = self.build(Weights(Path(spec["checkpoint"], "model.safetensors")), spec["dtype"])
        self.session = session(save(model, spec["scratch"]), spec)
        self.settings = about(spec) + {"f32": ", MatMul", "int8": f", MatMulNBits 8 bits, block {BLOCK}, accuracy level 4",
                                       "int4": f", MatMulNBits 4 bits, block {BLOCK}, accuracy level 4"}[spec["dtype"]]
        self.tokens, self.batch = np.array(spec["tokens"], np.int64), 0

    def build(self, weights, dtype):
        c, room = self.c, self.room
        heads, groups, size, width = c["num_attention_heads"], c["num_key_value_heads"], head_size(c), c["hidden_size"]
        nodes, initializers = [], []

        def give(name, array):
            initializers.append(tensor(name, array))
            return name

        def node(kind, inputs, outputs, domain="com.microsoft", **attributes):
            nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
            return outputs[0]

        def linear(x, to, *names):
            values = rw.from_bf16(np.concatenate([weights[n] for n in names]))
            n, k = values.shape
            if dtype == "f32":
                self.facts["weight_bytes"] += values.nbytes
                return node("MatMul", [x, give(to + ".w", np.ascontiguousarray(values.T))], [to], "")
            bits = int(dtype[3:])
            self.facts["weight_bytes"] += int(values.size * (bits / 8 + 4 / BLOCK))
            grouped = values.reshape(n, k // BLOCK, BLOCK)
            top, zero = (127, 128) if bits == 8 else (7, 8)
            scale = np.maximum(np.abs(grouped).max(2, keepdims=True), 1e-9) / np.float32(top)
            q = (np.clip(np.rint(grouped / scale), -zero, top) + zero).astype(np.uint8)
            if bits == 4:
                q = q[..., 0::2] | (q[..., 1::2] << 4)
            return node("MatMulNBits", [x, give(to + ".w", q), give(to + ".s", scale[..., 0].reshape(-1))], [to], K=k, N=n, bits=bits,
                        block_size=BLOCK, accuracy_level=4)

        def scale_of(name):
            return give(name, rw.from_bf16(np.array(weights[name])))

        eps = c["rms_norm_eps"]
        angle = np.arange(room)[:, None] * c["rope_theta"] ** (-np.arange(size // 2) / (size // 2))
        give("cos", np.cos(angle).astype(np.float32))
        give("sin", np.sin(angle).astype(np.float32))
        node("Gather", [give("table", rw.from_bf16(np.array(weights["model.embed_tokens.weight"]))), "tokens"], ["x0"], "")
        h = node("SimplifiedLayerNormalization", ["x0", scale_of("model.layers.0.input_layernorm.weight")], ["h0"], "", epsilon=eps, axis=-1)
        x, inputs, outputs = "x0", [], []
        for i in range(c["num_hidden_layers"]):
            at = f"model.layers.{i}."
            qkv = linear(h, f"qkv{i}", *(f"{at}self_attn.{p}_proj.weight" for p in "qkv"))
            shape = ["batch", groups, room, size]
            inputs += [helper.make_tensor_value_info(f"past_{p}{i}", TensorProto.FLOAT, shape) for p in "kv"]
            outputs += [helper.make_tensor_value_info(f"now_{p}{i}", TensorProto.FLOAT, shape) for p in "kv"]
            a = node("GroupQueryAttention", [qkv, "", "", f"past_k{i}", f"past_v{i}", "seqlens", "total", "cos", "sin"],
                     [f"a{i}", f"now_k{i}", f"now_v{i}"], num_heads=heads, kv_num_heads=groups, do_rotary=1, rotary_interleaved=0,
                     scale=float(size**-0.5))
            o = linear(a, f"o{i}", at + "self_attn.o_proj.weight")
            h = node("SkipSimplifiedLayerNormalization", [x, o, scale_of(at + "post_attention_layernorm.weight")],
                     [f"h_mid{i}", "", "", f"x_mid{i}"], epsilon=eps)
            gate, up = (linear(h, f"{p}{i}", f"{at}mlp.{p}_proj.weight") for p in ("gate", "up"))
            silu = node("Mul", [gate, node("Sigmoid", [gate], [f"sig{i}"], "")], [f"silu{i}"], "")
            d = linear(node("Mul", [silu, up], [f"act{i}"], ""), f"d{i}", at + "mlp.down_proj.weight")
            following = f"model.layers.{i + 1}.input_layernorm.weight" if i + 1 < c["num_hidden_layers"] else "model.norm.weight"
            h = node("SkipSimplifiedLayerNormalization", [f"x_mid{i}", d, scale_of(following)], [f"h{i + 1}", "", "", f"x{i + 1}"], epsilon=eps)
            x = f"x{i + 1}"
        last = node("Gather", [h, give("minus_one", np.array(-1, np.int64))], ["last"], "", axis=1)
        linear(last, "logits", "model.embed_tokens.weight")
        graph = helper.make_graph(
            nodes, "decoder",
            [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "count"]),
             helper.make_tensor_value_info("seqlens", TensorProto.INT32, ["batch"]),
             helper.make_tensor_value_info("total", TensorProto.INT32, []), *inputs],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", c["vocab_size"]]), *outputs], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)

    def step(self, batch, count, at, past):
        if self.batch != batch:
            shape = (batch, self.c["num_key_value_heads"], self.room, head_size(self.c))
            names = [f"{p}{i}" for i in range(self.c["num_hidden_layers"]) for p in "kv"]
            self.cache = {name: ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32)) for name in names}
            self.logits = ort.OrtValue.ortvalue_from_numpy(np.zeros((batch, self.c["vocab_size"]), np.float32))
            self.batch = batch
            self.binding = self.session.io_binding()
            for name, value in self.cache.items():  # written in place
                self.binding.bind_ortvalue_input("past_" + name, value)
                self.binding.bind_ortvalue_output("now_" + name, value)
            self.binding.bind_ortvalue_output("logits", self.logits)
        total = past + count
        self.binding.bind_cpu_input("tokens", np.tile(self.tokens[at:at + count], (batch, 1)))
        self.binding.bind_cpu_input("seqlens", np.full(batch, total - 1, np.int32))
        self.binding.bind_cpu_input("total", np.array(total, np.int32))
        self.session.run_with_iobinding(self.binding)

    def prepare(self, case):
        batch, past, done = case.get("batch", 1), case.get("past", 0), 0
        while done < past:
            count = min(512, past) if done == 0 else 1  # it takes a prompt in one piece, or token by token
            self.step(batch, count, done, done)
            done += count
        self.at = past

    def call(self, case, turn):
        if case["do"] == "decode":
            self.step(case["batch"], 1, turn % 64, self.at)
            self.at += 1
        else:
            self.step(1, case["rows"], 0, 0)

    def result(self, case):
        return self.logits.numpy()[0]


def open_job(spec):
    kinds = {"gemm": Gemm, "model": Decoder}
    if spec["kind"] not in kinds:
        raise Unavailable(f"no {spec['kind']} alone")
    return kinds[spec["kind"]](spec)
