# SPDX-License-Identifier: Apache-2.0
"""Sluice: compiles with sluicec (not timed here; the driver measures it), loads the artefact through libsluice_rt and
calls it as a program would."""

import ctypes
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np

from peers.engines import Job, Unavailable

BUILD = Path(os.environ["SLUICE_BUILD"])


class Part(ctypes.Structure):  # sluice_part_t
    _fields_ = [("sequence", ctypes.c_uint64), ("count", ctypes.c_int32), ("ask", ctypes.c_int32),
                ("tokens", ctypes.c_void_p), ("positions", ctypes.c_void_p), ("token_types", ctypes.c_void_p),
                ("pages", ctypes.c_void_p)]


class Arg(ctypes.Structure):  # sluice_arg_t
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.c_void_p), ("dim0", ctypes.c_int64)]


class SessionOptions(ctypes.Structure):  # sluice_session_options_t
    _fields_ = [("threads", ctypes.c_int32), ("spin", ctypes.c_int32), ("max_rows", ctypes.c_int32),
                ("max_seqs", ctypes.c_int32), ("live_seqs", ctypes.c_int32), ("reserved", ctypes.c_int32),
                ("kv_pages", ctypes.c_int64), ("page_shuffle", ctypes.c_uint64), ("flags", ctypes.c_bool * 8),
                ("home", ctypes.c_void_p)]


def runtime():
    lib = ctypes.CDLL(str(BUILD / "lib" / "libsluice_rt.so"))
    lib.sluice_last_error.restype = ctypes.c_char_p
    lib.sluice_session_step.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p]
    lib.sluice_session_call.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int32,
                                        ctypes.c_void_p, ctypes.c_int32]
    lib.sluice_session_sample.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int32,
                                          ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    lib.sluice_session_create.argtypes = [ctypes.c_void_p] * 3
    lib.sluice_session_release.argtypes = [ctypes.c_void_p]
    lib.sluice_model_load.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
    lib.sluice_model_release.argtypes = [ctypes.c_void_p]
    lib.sluice_sequence_create.argtypes = [ctypes.c_void_p] * 2
    lib.sluice_sequence_truncate.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int64]
    lib.sluice_sequence_drop.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    return lib


def compile_artefact(model, artefact, options):
    command = [str(BUILD / "bin" / "sluicec"), str(model), "-o", str(artefact), *options]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode == 3:  # not built yet
        raise Unavailable(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise RuntimeError(f"sluicec: exit code {done.returncode}: {done.stderr.strip()}")


def write_and_compile(spec, name, text, options=(), limits=""):
    """The artefact of functions written at the tensor stage."""
    source, artefact = Path(spec["scratch"], f"{name}.mlir"), Path(spec["scratch"], f"{name}.sluice")
    source.write_text(f"module attributes {{sluice.kind = \"op\", sluice.limits = {{{limits}}}, sluice.name = \"{name}\", "
                      f"sluice.random_seed = {spec['seed']} : i64}} {{\n{text}}}\n")
    compile_artefact(source, artefact, ["--from=tensor", *options])
    return artefact


def point(array):
    return array.ctypes.data


class Model:
    """A loaded artefact with one session; released with it."""

    def __init__(self, artefact, threads, max_rows, max_seqs=1, kv_pages=0):
        self.lib, self.model, self.session = runtime(), ctypes.c_void_p(), ctypes.c_void_p()
        self.ok(self.lib.sluice_model_load(str(artefact).encode(), None, ctypes.byref(self.model)))
        options = SessionOptions(threads=threads, max_rows=max_rows, max_seqs=max_seqs, kv_pages=kv_pages)
        self.ok(self.lib.sluice_session_create(self.model, ctypes.byref(options), ctypes.byref(self.session)))

    def ok(self, status):
        if status != 0:
            raise RuntimeError(self.lib.sluice_last_error().decode())

    def sequence(self):
        sequence = ctypes.c_uint64()
        self.ok(self.lib.sluice_sequence_create(self.session, ctypes.byref(sequence)))
        return sequence.value

    def truncate(self, sequence, length):
        self.ok(self.lib.sluice_sequence_truncate(self.session, sequence, length))

    def __del__(self):
        self.lib.sluice_session_release(self.session)
        self.lib.sluice_model_release(self.model)


# What each dtype of the workloads is called in a description.
GEMM_DTYPES = {"f32": ("f32", []), "bf16": ("bf16", []), "int8": ("f32", ["--quantize=int8"])}


class Gemm(Job):
    """One exported function per copy of the weight, so that caches do not answer."""

    def __init__(self, spec):
        if spec["dtype"] not in GEMM_DTYPES:
            raise Unavailable(f"{spec['dtype']} linear layers are not built yet")
        dtype, options = GEMM_DTYPES[spec["dtype"]]
        n, k, copies, most = spec["n"], spec["k"], spec["copies"], max(spec["rows"])
        x, w, y = f"tensor<?x{k}x{dtype}>", f"tensor<{n}x{k}x{dtype}>", f"tensor<?x{n}xf32>"
        params = "".join(f"sluice.param @w{i} role weight : {w} from [\"w{i}.weight\"] rows [{n}]\n" for i in range(copies))
        functions = "".join(f"func.func @f{i}(%x: {x} {{sluice.name = \"x\"}}) -> ({y} {{sluice.name = \"y\"}}) "
                            f"attributes {{sluice.export}} {{\n  %w = sluice.param.use @w{i} : {w}\n"
                            f"  %y = sluice.linear %x, %w : ({x}, {w}) -> {y}\n  return %y : {y}\n}}\n"
                            for i in range(copies))
        artefact = write_and_compile(spec, "gemm", params + functions, options)
        self.model = Model(artefact, spec["threads"], most)
        self.x = np.ascontiguousarray(np.load(Path(spec["data"], "x.npy")))
        self.y = np.zeros((most, n), np.float32)
        self.functions = [f"f{i}".encode() for i in range(copies)]
        self.args = {rows: (Arg * 2)(Arg(b"x", point(self.x), rows), Arg(b"y", point(self.y), rows)) for rows in spec["rows"]}
        self.settings = f"sluicec {' '.join(options)}".strip() + f", {spec['threads']} threads, f32 results"

    def call(self, case, turn):
        model = self.model
        if model.lib.sluice_session_call(model.session, self.functions[turn % len(self.functions)], None, 0,
                                         self.args[case], 2):
            model.ok(1)

    def result(self, case):
        return self.y[:case]


class Attention(Job):
    """Over tensors: packing keys and values is part of the work, as it is for the peers."""

    def __init__(self, spec):
        heads, kv_heads, size, most = spec["heads"], spec["kv_heads"], spec["size"], max(spec["rows"])
        kv = "f32"
        q, k = f"tensor<?x{heads}x{size}xf32>", f"tensor<?x{kv_heads}x{size}x{kv}>"
        mask = f"#sluice.and<#sluice.causal, #sluice.window<{spec['window']}>>" if spec["window"] else "#sluice.causal"
        # Pages are what decoders use; the round trip through them is what a layer does.
        text = (f"sluice.kv @kv layers 1 heads {kv_heads} key {size} value {size} page 16 : {spec['dtype']}\n"
                f"func.func @f(%q: {q} {{sluice.name = \"q\"}}, %k: {k} {{sluice.name = \"k\"}}, %v: {k} {{sluice.name = \"v\"}}, "
                f"%b: !sluice.batch {{sluice.name = \"batch\"}}, %kv: !sluice.pages<@kv> {{sluice.name = \"kv\"}}) -> "
                f"({q} {{sluice.name = \"y\"}}, !sluice.pages<@kv> {{sluice.name = \"kv\"}}) attributes {{sluice.export}} {{\n"
                f"  %l = arith.constant 0 : index\n"
                f"  %p = sluice.cache.append %k, %v to %kv[%l] batch %b : ({k}, {k}, !sluice.pages<@kv>, index, !sluice.batch) -> !sluice.pages<@kv>\n"
                f"  %y = sluice.attention %q pages %p[%l] batch %b mask {mask} {{scale = {spec['scale']!r} : f64}} : "
                f"({q}, !sluice.pages<@kv>, index, !sluice.batch) -> {q}\n"
                f"  return %y, %p : {q}, !sluice.pages<@kv>\n}}\n")
        self.model = Model(write_and_compile(spec, "attention", text, [f"--max-seq={most}"], f"max_positions = {most} : i64"), spec["threads"], most, 1, (most + 15) // 16)
        data = Path(spec["data"])
        self.q, self.k, self.v = (widened(data / f"{name}.npy") for name in "qkv")
        self.y = np.zeros_like(self.q)
        self.sequence = self.model.sequence()
        self.cases = {}
        for rows in spec["rows"]:
            args = (Arg * 4)(*(Arg(name, point(array), rows) for name, array in
                               ((b"q", self.q), (b"k", self.k), (b"v", self.v), (b"y", self.y))))
            self.cases[rows] = (Part(sequence=self.sequence, count=rows), args)
        self.settings = f"append to {spec['dtype']} pages and attention over them, {spec['threads']} threads"

    def call(self, case, turn):
        model, (part, args) = self.model, self.cases[case]
        model.truncate(self.sequence, 0)
        model.ok(model.lib.sluice_session_call(model.session, b"f", ctypes.byref(part), 1, args, 4))

    def result(self, case):
        return self.y[:case]


def widened(path):
    """f32 of what the driver wrote; bf16 lies in u16."""
    array = np.load(path)
    return np.ascontiguousarray((array.astype(np.uint32) << 16).view(np.float32) if array.dtype == np.uint16 else array)


class Decoder(Job):
    """A whole model. Cases: {"do": "prefill", "rows"}, {"do": "decode", "past", "batch"}, {"do": "check", "tokens"}."""

    warm_seconds = 0.0

    def __init__(self, spec):
        options = {"f32": ["--dtype=f32"], "bf16": [], "int8": ["--quantize=int8"], "int4": ["--quantize=int4"]}[spec["dtype"]]
        artefact = Path(spec["scratch"], f"{spec['model']}-{spec['dtype']}.sluice")
        # Quantisation reads weights; what only rounds can be generated when it is loaded.
        compile_artefact(spec["checkpoint"], artefact, [f"--weights=random:{spec['weights_seed']}", *options])
        most = spec["most"]
        self.model = Model(artefact, spec["threads"], 512, 8, 8 * 16 + (most + 15) // 16 * 2)
        manifest = json.loads((artefact / "manifest.json").read_text())
        panels = [w for w in manifest["weights"] if w["layout"] == "panel"]
        self.facts = {"weight_bytes": sum(w["bytes"] for w in panels)}
        vocab = manifest["limits"]["vocab"]
        self.tokens = np.array(spec["tokens"], np.int32)
        self.logits = np.zeros((8, vocab), np.float32)
        self.sequences, self.state = [], None
        self.settings = f"sluicec {' '.join(options)}".strip() + f", {spec['threads']} threads, dot {manifest['target']['dot']}"

    def reset(self, batch):
        for sequence in self.sequences:
            self.model.ok(self.model.lib.sluice_sequence_drop(self.model.session, sequence))
        self.sequences, self.state = [self.model.sequence() for _ in range(batch)], None

    def step(self, counts, asks, at):
        """|counts| tokens, of the list from |at| on, for each sequence."""
        parts = (Part * len(counts))(*(Part(sequence=s, count=n, ask=ask, tokens=point(self.tokens) + 4 * at)
                                       for s, n, ask in zip(self.sequences, counts, asks, strict=True)))
        self.model.ok(self.model.lib.sluice_session_step(self.model.session, b"step", parts, len(counts), point(self.logits)))

    def prepare(self, case):
        batch, past = case.get("batch", 1), case.get("past", 0)
        key = (case["do"], batch, past)
        if self.state == key:
            for sequence in self.sequences:
                self.model.truncate(sequence, past)
            return
        if not (self.state and self.state[:2] == key[:2] and self.state[2] < past):
            self.reset(batch)
        done = self.state[2] if self.state else 0
        for sequence in self.sequences:
            self.model.truncate(sequence, done)
        while done < past:
            count = min(past - done, 512 // batch)
            self.step([count] * batch, [0] * batch, done)
            done += count
        self.state = key

    def call(self, case, turn):
        if case["do"] == "decode":
            batch = case["batch"]
            self.step([1] * batch, [1] * batch, turn % 64)
        else:
            self.model.truncate(self.sequences[0], 0)
            self.step([case["rows"]], [1], 0)

    def result(self, case):
        return self.logits[0]


def compile_seconds(checkpoint, scratch, threads):
    """Seconds of sluicec for the whole model (any number of rows, any context, sampling), packing apart: weights are seeded."""
    artefact = Path(scratch, "compile.sluice")
    start = time.perf_counter()
    compile_artefact(checkpoint, artefact, ["--weights=random:1"])
    return {"compile": time.perf_counter() - start, "settings": "sluicec, the whole bf16 model"}


def start_seconds(checkpoint, scratch, threads):
    """Seconds from starting sluice-run to the first token after 8; the artefact with its weights is in the page cache."""
    artefact = Path(scratch, "start.sluice")
    if not (artefact / "manifest.json").exists():
        compile_artefact(checkpoint, artefact, [])
    command = [str(BUILD / "bin" / "sluice-run"), str(artefact), "--tokens=1,2,3,4,5,6,7,8", "--max-new=1", f"--threads={threads}"]
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return {"start": min(seconds[1:]), "settings": "sluice-run, process start to the first token after 8, weights mapped"}


def open_job(spec):
    kinds = {"gemm": Gemm, "attention": Attention, "model": Decoder}
    if spec["kind"] not in kinds:
        raise Unavailable(f"no {spec['kind']} here")
    return kinds[spec["kind"]](spec)
