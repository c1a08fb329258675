# SPDX-License-Identifier: Apache-2.0
"""IREE: matrix products compiled for this processor at its highest level, data tiling on, weights as parameters that are
packed when the module is loaded, on its task system. Whole models are compiled for the comparison of compile times."""

import json
import subprocess
import sys
import time
from pathlib import Path

import iree.compiler as compiler
import iree.runtime as runtime
import ml_dtypes
import numpy as np
from iree.compiler import version as compiler_version
from onnx import TensorProto, helper, save_model

from peers.engines import Job, Unavailable
from peers.models import head_size

FLAGS = ["--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host",
         "--iree-opt-level=O3", "--iree-opt-data-tiling", "--iree-llvmcpu-enable-ukernels=all"]
# For what does not compile at that level.
PLAIN_FLAGS = [*FLAGS[:3], "--iree-opt-level=O2"]


def compiled(text, flags=None):
    try:
        return compiler.compile_str(text, input_type="auto", extra_args=flags or FLAGS)
    except compiler.CompilerToolError as error:
        words = [line for line in str(error).splitlines() if "error:" in line]
        raise Unavailable("iree-compile: " + (words[0].split("error:")[1].strip() if words else str(error)[:200])) from None


def device(threads):
    # One group of workers a core; the caller's thread does not work.
    runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
    return runtime.get_device("local-task")


def about(spec):
    return f"iree {compiler_version.VERSION}, {' '.join(f.removeprefix('--iree-') for f in FLAGS[2:])}, local-task, {spec['threads']} workers"


class Gemm(Job):
    def __init__(self, spec):
        if spec["dtype"] not in ("f32", "bf16"):
            raise Unavailable(f"no {spec['dtype']} product is measured")
        n, k, dtype, copies = spec["n"], spec["k"], spec["dtype"], spec["copies"]
        text = ""
        for i in range(copies):
            text += f"util.global private @w{i} = #flow.parameter.named<\"model\"::\"w{i}\"> : tensor<{n}x{k}x{dtype}>\n"
            for m in spec["rows"]:
                x, y = f"tensor<{m}x{k}x{dtype}>", f"tensor<{m}x{n}xf32>"
                text += f"""func.func @f{i}_{m}(%x: {x}) -> {y} {{
  %w = util.global.load @w{i} : tensor<{n}x{k}x{dtype}>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : {y}
  %f = linalg.fill ins(%zero : f32) outs(%e : {y}) -> {y}
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : {x}, tensor<{n}x{k}x{dtype}>) outs(%f : {y}) -> {y}
  return %y : {y}
}}
"""
        binary = compiled(text)
        data = Path(spec["data"])
        w, x = np.load(data / "w.npy"), np.load(data / "x.npy")
        index = runtime.ParameterIndex()
        for i in range(copies):
            index.add_buffer(f"w{i}", w.copy().view(np.uint8))
        config = runtime.Config(device=device(spec["threads"]))
        module = runtime.VmModule.copy_buffer(config.vm_instance, binary)
        parameters = runtime.create_io_parameters_module(config.vm_instance, index.create_provider(scope="model"))
        hal = runtime.create_hal_module(config.vm_instance, config.device)
        self.context = runtime.VmContext(config.vm_instance, modules=[hal, parameters, module])
        self.module, self.copies, self.config = module, copies, config
        if dtype == "bf16":
            x = x.view(ml_dtypes.bfloat16)
        self.x = {m: runtime.asdevicearray(config.device, np.ascontiguousarray(x[:m])) for m in spec["rows"]}
        self.functions = {(i, m): module.lookup_function(f"f{i}_{m}") for i in range(copies) for m in spec["rows"]}
        self.settings = about(spec)
        self.index = index

    def call(self, case, turn):
        arguments, out = runtime.VmVariantList(1), runtime.VmVariantList(1)
        arguments.push_ref(self.x[case]._buffer_view)
        self.context.invoke(self.functions[turn % self.copies, case], arguments, out)
        self.y = out.get_as_object(0, runtime.HalBufferView)

    def result(self, case):
        return runtime.DeviceArray(self.config.device, self.y).to_host().copy()


def write_step(checkpoint, path, rows, past):
    """A step of the model over |rows| tokens as plain ONNX, after |past| tokens of keys and values: logits of the last one
    and all keys and values out. Weights are arguments, so that reading them is not part of compiling."""
    c = json.loads(Path(checkpoint, "config.json").read_text())
    heads, groups, size, width = c["num_attention_heads"], c["num_key_value_heads"], head_size(c), c["hidden_size"]
    nodes, inputs, outputs, constants, count = [], [], [], [], [0]

    def argument(name, *shape, kind=TensorProto.FLOAT):
        inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def number(value, kind=np.float32):
        count[0] += 1
        constants.append(helper.make_tensor(f"c{count[0]}", helper.np_dtype_to_tensor_dtype(np.dtype(kind)), np.shape(value),
                                            np.ravel(np.asarray(value, kind))))
        return f"c{count[0]}"

    def node(kind, *operands, results=1, **attributes):
        count[0] += 1
        names = [f"v{count[0]}_{i}" for i in range(results)]
        nodes.append(helper.make_node(kind, operands, names, **attributes))
        return names[0] if results == 1 else names

    def linear(x, name, n, k):
        return node("Gemm", x, argument(name, n, k), transB=1)

    def norm(x, name):
        mean = node("ReduceMean", node("Mul", x, x), number([-1], np.int64))
        return node("Mul", node("Div", x, node("Sqrt", node("Add", mean, number(c["rms_norm_eps"])))), argument(name, width))

    token, position = argument("token", rows, kind=TensorProto.INT64), argument("position", rows, 1)
    table = argument("table", c["vocab_size"], width)
    x = node("Gather", table, token)
    frequencies = number([c["rope_theta"] ** (-np.arange(size // 2) / (size // 2))])
    angle = node("Mul", position, frequencies)
    cos, sin = node("Cos", angle), node("Sin", angle)

    def rope(z):
        a, b = node("Split", z, results=2, axis=-1, num_outputs=2)
        return node("Concat", node("Sub", node("Mul", a, cos), node("Mul", b, sin)), node("Add", node("Mul", b, cos), node("Mul", a, sin)), axis=-1)

    def shaped(z, *shape):
        return node("Reshape", z, number(shape, np.int64))

    def heads_of(z, count):
        return node("Transpose", shaped(z, rows, count, size), perm=[1, 0, 2])

    hidden = number(np.triu(np.full((rows, past + rows), -np.inf), past + 1))

    for i in range(c["num_hidden_layers"]):
        h = norm(x, f"norm1_{i}")
        q = rope(heads_of(linear(h, f"q{i}", heads * size, width), heads))
        k = rope(heads_of(linear(h, f"k{i}", groups * size, width), groups))
        v = heads_of(linear(h, f"v{i}", groups * size, width), groups)
        if past:
            k, v = (node("Concat", argument(f"past_{p}{i}", groups, past, size), z, axis=1) for p, z in (("k", k), ("v", v)))
        for name, z in (("k", k), ("v", v)):
            nodes.append(helper.make_node("Identity", [z], [f"now_{name}{i}"]))
            outputs.append(helper.make_tensor_value_info(f"now_{name}{i}", TensorProto.FLOAT, (groups, past + rows, size)))
        keys = shaped(node("Transpose", k, perm=[0, 2, 1]), groups, 1, size, past + rows)
        scores = node("MatMul", shaped(q, groups, heads // groups, rows, size), keys)
        p = node("Softmax", node("Add", node("Mul", scores, number(size**-0.5)), hidden), axis=-1)
        a = shaped(node("MatMul", p, shaped(v, groups, 1, past + rows, size)), heads, rows, size)
        x = node("Add", x, linear(shaped(node("Transpose", a, perm=[1, 0, 2]), rows, heads * size), f"o{i}", width, heads * size))
        h = norm(x, f"norm2_{i}")
        gate, up = (linear(h, f"{name}{i}", c["intermediate_size"], width) for name in ("gate", "up"))
        act = node("Mul", node("Mul", gate, node("Sigmoid", gate)), up)
        x = node("Add", x, linear(act, f"down{i}", width, c["intermediate_size"]))
    last = node("Gather", x, number([rows - 1], np.int64))
    nodes.append(helper.make_node("Gemm", [norm(last, "norm"), table], ["logits"], transB=1))
    outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, c["vocab_size"])))
    graph = helper.make_graph(nodes, "step", inputs, outputs, constants)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), str(path))


# What a program needs at least to run a decoder: its prompt in pieces of so many tokens, and one token after the other.
STEPS = ((512, 0), (1, 64))


def compile_seconds(checkpoint, scratch, threads):
    """Seconds of iree-compile for both steps; importing them is not counted."""
    seconds, size, words = 0.0, 0, []
    for rows, past in STEPS:
        source, imported = Path(scratch, "step.onnx"), Path(scratch, "step.mlir")
        write_step(checkpoint, source, rows, past)
        done = subprocess.run([sys.executable, "-m", "iree.compiler.tools.import_onnx", str(source), "-o", str(imported)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable("iree-import-onnx: " + done.stderr.strip().splitlines()[-1][:200])
        text, flags = imported.read_text(), FLAGS
        start = time.perf_counter()
        try:
            size += len(compiled(text))
        except Unavailable:
            flags, start = PLAIN_FLAGS, time.perf_counter()
            size += len(compiled(text, flags))
        seconds += time.perf_counter() - start
        words.append(f"step of {rows} tokens: {time.perf_counter() - start:.1f} s with {' '.join(flags[3:])}")
    return {"compile": seconds, "settings": f"iree {compiler_version.VERSION}, f32, weights as arguments; {'; '.join(words)}; {size} bytes"}


def open_job(spec):
    if spec["kind"] != "gemm":
        raise Unavailable("only matrix products and compile times are measured")
    return Gemm(spec)
