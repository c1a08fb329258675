# SPDX-License-Identifier: Apache-2.0
#
# A layer of one expert is the dense layer, bit for bit: the router's weight is 1 whatever its logit, and a row that is gathered,
# multiplied and added back takes part in the same chains. Ten programs of different sizes, types, biases and gates, 25 random
# shapes and values each (220 with --long).
# RUN: rm -rf %t && mkdir %t && %python %s %t 25
import ctypes
import sys
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_void_p
from pathlib import Path

import numpy as np
from sluice import runtime
from sluice.tools import run_tool

# (inputs, inner size, outputs, weights' type, has biases, what the first layer's rows go through)
PROGRAMS = [
    (24, 40, 24, "f32", False, "silu %h gated"),
    (24, 40, 24, "f32", True, "gelu_tanh %h"),
    (7, 10, 5, "f32", True, "relu %h"),
    (64, 96, 64, "bf16", False, "silu %h gated"),
    (33, 34, 33, "bf16", True, "silu %h gated {limit = 1.5 : f64, up_offset = 1.0 : f64}"),
    (48, 16, 48, "bf16", False, "quick_gelu %h"),
    (1, 2, 1, "f32", False, "tanh %h gated"),
    (130, 70, 130, "f32", False, "gelu_erf %h gated"),
    (256, 32, 256, "bf16", True, "relu2 %h"),
    (16, 512, 16, "f32", True, "sigmoid %h gated"),
]


class Arg(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("data", c_void_p), ("dim0", c_int64)]


def program(i, inputs, inner, outputs, kind, biased, activation):
    half = inner // 2 if "gated" in activation else inner
    function, rest = activation.split(" %h")

    def layer(name, columns, rows, stacked):
        shape = f"1x{rows}x{columns}" if stacked else f"{rows}x{columns}"
        return f"tensor<{shape}x{kind}>"

    params = uses = ""
    for name, rows, columns in (("up", inner, inputs), ("down", outputs, half)):
        # The same source: the same numbers, as a layer and as one expert.
        for prefix, stack in (("d", ""), ("e", "experts 1 ")):
            source = f"{name}{i}" + (".{}" if stack else ".0")
            leading = "1x" if stack else ""
            params += f'sluice.param @{prefix}{name}{i} {stack}role weight : tensor<{leading}{rows}x{columns}x{kind}> from ["{source}"] rows [{rows}]\n'
            if biased:
                params += f'sluice.param @{prefix}{name}{i}b {stack}role bias : tensor<{leading}{rows}xf32> from ["{source}.b"] rows [{rows}]\n'
    rounded = f"""  %n = sluice.norm rms %x {{eps = 1.0e-5 : f64}} : (tensor<?x{inputs}xf32>) -> tensor<?x{inputs}x{kind}>
"""
    dense = experts = rounded
    previous = "n"
    for name, rows, columns, result in (("up", inner, inputs, "h"), ("down", outputs, half, "y")):
        bias = f" bias %{name}b" if biased else ""
        dense += f"  %{name} = sluice.param.use @d{name}{i} : tensor<{rows}x{columns}x{kind}>\n"
        experts += f"  %{name} = sluice.param.use @e{name}{i} : tensor<1x{rows}x{columns}x{kind}>\n"
        if biased:
            dense += f"  %{name}b = sluice.param.use @d{name}{i}b : tensor<{rows}xf32>\n"
            experts += f"  %{name}b = sluice.param.use @e{name}{i}b : tensor<1x{rows}xf32>\n"
        residual = " residual %x" if result == "y" and inputs == outputs else ""
        dense += (f"  %{result} = sluice.linear %{previous}, %{name}{bias}{residual} : (tensor<?x{columns}x{kind}>, tensor<{rows}x{columns}x{kind}>"
                  + (f", tensor<{rows}xf32>" if biased else "") + (f", tensor<?x{inputs}xf32>" if residual else "") + f") -> tensor<?x{rows}xf32>\n")
        own = f"tensor<?x{columns}x{kind}>" if result == "h" else f"tensor<?x1x{columns}x{kind}>"
        experts += (f"  %{result} = sluice.route.experts %{previous}, %{name} by %i{bias} : ({own}, tensor<1x{rows}x{columns}x{kind}>, tensor<?x1xi32>"
                    + (f", tensor<1x{rows}xf32>" if biased else "") + f") -> tensor<?x1x{rows}xf32>\n")
        if result == "h":
            dense += f"  %a = sluice.activation {activation} : (tensor<?x{rows}xf32>) -> tensor<?x{half}x{kind}>\n"
            experts += f"  %a = sluice.activation {activation} : (tensor<?x1x{rows}xf32>) -> tensor<?x1x{half}x{kind}>\n"
            previous = "a"
    residual = " residual %x" if inputs == outputs else ""
    experts += (f"  %z = sluice.route.combine %y weights %g{residual} : (tensor<?x1x{outputs}xf32>, tensor<?x1xf32>"
                + (f", tensor<?x{inputs}xf32>" if residual else "") + f") -> tensor<?x{outputs}xf32>\n")
    head = f'%x: tensor<?x{inputs}xf32> {{sluice.name = "x"}}'
    tail = f'-> (tensor<?x{outputs}xf32> {{sluice.name = "y"}}) attributes {{sluice.export}} {{\n'
    router = "softmax %l top 1 weigh score" if i % 2 else "sigmoid %l top 1 weigh sum"
    return (params, f"func.func @dense{i}({head}) {tail}{dense}  return %y : tensor<?x{outputs}xf32>\n}}\n"
            f'func.func @moe{i}({head}, %l: tensor<?x1xf32> {{sluice.name = "l"}}) {tail}'
            f"  %i, %g = sluice.route {router} : (tensor<?x1xf32>) -> (tensor<?x1xi32>, tensor<?x1xf32>)\n{experts}  return %z : tensor<?x{outputs}xf32>\n}}\n")


scratch, count = Path(sys.argv[1]), int(sys.argv[2])
source = scratch / "one.mlir"
texts = [program(i, *what) for i, what in enumerate(PROGRAMS)]
source.write_text('module attributes {sluice.name = "one", sluice.kind = "op", sluice.random_seed = 4 : i64} {\n'
                  + "".join(text for pair in zip(*texts) for text in pair) + "}\n")
run_tool("sluicec", source, "--from=tensor", "-o", scratch / "one.sluice")
library = runtime.library()
library.sluice_session_call.argtypes = [c_void_p, c_char_p, POINTER(runtime.Part), c_int32, POINTER(Arg), c_int32]
model = runtime.Artefact(scratch / "one.sluice")
sessions = []
for threads in (1, 2):
    session = c_void_p()
    options = runtime.SessionOptions(threads=threads, max_rows=256, poison=True)
    runtime.call("sluice_session_create", model.handle, ctypes.byref(options), ctypes.byref(session))
    sessions.append(session)


def run(session, name, outputs, **arrays):
    rows = len(arrays["x"])
    y = np.full((rows, outputs), 7, np.float32)
    data = {**arrays, "y": y}
    args = (Arg * len(data))(*[Arg(key.encode(), array.ctypes.data, rows) for key, array in data.items()])
    status = library.sluice_session_call(session, name.encode(), None, 0, args, len(data))
    assert status == 0, library.sluice_last_error()
    return y


chance = np.random.default_rng(3)
cases = 0
for i, (inputs, inner, outputs, kind, *_) in enumerate(PROGRAMS):
    for _ in range(count):
        rows = int(chance.choice([1, 2, 3, 5, 12, 13, 16, 17, 40, 100, 256]))
        x = (float(chance.choice([0.1, 1, 5])) * chance.standard_normal((rows, inputs))).astype(np.float32)
        logits = (3 * chance.standard_normal((rows, 1))).astype(np.float32)
        dense = run(sessions[0], f"dense{i}", outputs, x=x)
        for session in sessions:
            moe = run(session, f"moe{i}", outputs, x=x, l=logits)
            assert moe.tobytes() == dense.tobytes(), (i, PROGRAMS[i], rows, np.abs(moe - dense).max())
        assert rows * outputs < 8 or dense.std() > 0
        cases += 1
for session in sessions:
    library.sluice_session_release(session)
model.close()
print(f"{len(PROGRAMS)} programs, {cases} cases, the same bits")
