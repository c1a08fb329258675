# SPDX-License-Identifier: Apache-2.0
"""Makes the inputs of the hostile table. Every function here returns a function that writes into a case's folder."""

import atexit
import copy
import json
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "U8": 8, "I8": 8, "F8_E4M3": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64,
}  # fmt: skip

LLAMA = {
    "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 11, "max_position_embeddings": 32,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False, "hidden_act": "silu", "eos_token_id": 2,
}  # fmt: skip

TENSORS = {
    "model.embed_tokens.weight": [11, 16],
    "model.layers.0.input_layernorm.weight": [16],
    "model.layers.0.self_attn.q_proj.weight": [16, 16],
    "model.layers.0.self_attn.k_proj.weight": [8, 16],
    "model.layers.0.self_attn.v_proj.weight": [8, 16],
    "model.layers.0.self_attn.o_proj.weight": [16, 16],
    "model.layers.0.post_attention_layernorm.weight": [16],
    "model.layers.0.mlp.gate_proj.weight": [24, 16],
    "model.layers.0.mlp.up_proj.weight": [24, 16],
    "model.layers.0.mlp.down_proj.weight": [16, 24],
    "model.norm.weight": [16],
    "lm_head.weight": [11, 16],
}
HEAD = "lm_head.weight"


def size_of(dtype, shape):
    bits = BITS[dtype]
    for size in shape:
        bits *= size
    return bits // 8


class Checkpoint:
    """A safetensors file in pieces: header (a dict, or bytes) and data, so that a case can change one thing."""

    def __init__(self, tensors, dtype="F32"):
        self.header, self.data, self.length, self.tail = {}, b"", None, b""
        for name, shape in tensors.items():
            begin = len(self.data)
            self.data += b"\0\0\0?" * (size_of(dtype, shape) // 4) if dtype == "F32" else bytes(size_of(dtype, shape))
            self.header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(self.data)]}

    def bytes(self):
        header = self.header if isinstance(self.header, bytes) else json.dumps(self.header).encode()
        length = len(header) if self.length is None else self.length
        return struct.pack("<Q", length) + header + self.data + self.tail


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, (bytes, bytearray)):
        path.write_bytes(content)
    else:
        path.write_text(content)


def files(**members):
    """Files by name; '__' in a name stands for '.' and '___' for '/'. None removes."""

    def make(folder):
        for name, content in members.items():
            write(folder / name.replace("___", "/").replace("__", "."), content)

    return make


def file(name, content):
    return lambda folder: write(folder / name, content)


def all_of(*makers):
    def make(folder):
        for maker in makers:
            maker(folder)

    return make


def config(text=None, drop=(), **keys):
    """model/config.json: the small llama's with other keys, or |text|."""
    whole = {key: value for key, value in {**LLAMA, **keys}.items() if key not in drop}
    return file("model/config.json", text if text is not None else json.dumps(whole, indent=2))


def llama(change=None, name="model.safetensors", **keys):
    """A model with weights; |change| edits its Checkpoint."""

    def make(folder):
        config(**keys)(folder)
        checkpoint = Checkpoint(copy.deepcopy(TENSORS))
        if change:
            change(checkpoint)
        write(folder / "model" / name, checkpoint.bytes())

    return make


def entry(tensor=HEAD, **fields):
    """A change of one tensor's entry in the header. A field that is None is removed."""

    def change(checkpoint):
        for key, value in fields.items():
            if value is None:
                del checkpoint.header[tensor][key]
            else:
                checkpoint.header[tensor][key] = value

    return change


def header_text(edit):
    """A change of the header as text: bytes in, bytes out."""

    def change(checkpoint):
        checkpoint.header = edit(json.dumps(checkpoint.header).encode())

    return change


def weights(value, tensor=HEAD, at=5):
    """One number of a tensor, as the 4 bytes |value|."""

    def change(checkpoint):
        begin = checkpoint.header[tensor]["data_offsets"][0] + 4 * at
        checkpoint.data = checkpoint.data[:begin] + value + checkpoint.data[begin + 4 :]

    return change


def shards(index=None, edit=None, first="a.safetensors", second="b.safetensors", extra=None):
    """The model in two shards. |edit| changes the index, |index| replaces its text, |extra| adds tensors to the second."""

    def make(folder):
        config()(folder)
        names = list(TENSORS)
        half = {name: TENSORS[name] for name in names[:6]}, {name: TENSORS[name] for name in names[6:]}
        if extra:
            half[1].update(extra)
        where = {name: first for name in half[0]} | {name: second for name in half[1] if name in TENSORS}
        whole = {"metadata": {"total_size": 0}, "weight_map": where}
        if edit:
            edit(whole)
        write(folder / "model/model.safetensors.index.json", index if index is not None else json.dumps(whole))
        for name, part in zip((first, second), half):
            write(folder / "model" / name, Checkpoint(part).bytes())

    return make


def placed_at(tensor, name):
    """A change of the index: where |tensor| is said to be."""
    return lambda whole: whole["weight_map"].__setitem__(tensor, name)


def sparse(name, size):
    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as stream:
            stream.truncate(size)

    return make


def link(name, target):
    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            path.unlink()
        os.symlink(target, path)

    return make


def directory(name):
    return lambda folder: (folder / name).mkdir(parents=True, exist_ok=True)


def fifo(name):
    def make(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(folder / name)

    return make


def mode(name, bits):
    return lambda folder: (folder / name).chmod(bits)


# ---- artefacts: those of the runtime's tests, whose code is written by hand ----

_fake = {}


def fake_template(build):
    """The fake artefact, made once per process: tests run side by side."""
    if "folder" not in _fake:
        folder = Path(tempfile.mkdtemp(prefix="sluice-hostile-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        library = Path(build) / "runtime/abi-suite/sluice_fake_model.so"
        subprocess.run([Path(build) / "bin/sluice-make-fake", library, folder / "fake.sluice"], check=True)
        _fake["folder"] = folder / "fake.sluice"
    return _fake["folder"]


def artefact(edit=None, text=None, name="m.sluice"):
    """A good artefact; |edit| changes the manifest as a dict, |text| as text."""

    def make(folder):
        shutil.copytree(_fake["folder"], folder / name)
        path = folder / name / "manifest.json"
        if edit:
            manifest = json.loads(path.read_text())
            edit(manifest)
            path.write_text(json.dumps(manifest))
        if text:
            content = text(path.read_bytes())
            path.write_bytes(content)

    return make


def put(*keys, value=None, drop=False):
    """A change of a manifest: the value at a path of keys and indices."""

    def edit(manifest):
        at = manifest
        for key in keys[:-1]:
            at = at[key]
        if drop:
            del at[keys[-1]]
        else:
            at[keys[-1]] = value

    return edit


def stored(header=None, data=None, raw=None):
    """An artefact whose weights are in the file; the file can be another."""

    def make(folder):
        def edit(manifest):
            for weight in manifest["weights"]:
                for key in ("sources", "role", "random_seed"):
                    weight.pop(key, None)

        artefact(edit)(folder)
        whole = header or {
            "head.bias": {"dtype": "U8", "shape": [256], "data_offsets": [0, 256]},
            "table": {"dtype": "U8", "shape": [640], "data_offsets": [256, 896]},
        }
        text = json.dumps(whole).encode()
        text += b" " * ((-len(text) - 8) % 64)
        content = struct.pack("<Q", len(text)) + text + (data if data is not None else bytes(896))
        write(folder / "m.sluice/weights.safetensors", raw if raw is not None else content)

    return make


# ---- inputs of sluice-run ----


def tensors(*entries, name="in.safetensors", raw=None, pad=0, align=1):
    """in.safetensors with (name, dtype, shape, bytes or a number to repeat)."""

    def make(folder):
        header, data = {}, b""
        for tensor, dtype, shape, content in entries:
            begin, size = len(data), size_of(dtype, shape)
            width = BITS[dtype] // 8
            if isinstance(content, int):
                data += content.to_bytes(width, "little", signed=content < 0) * (size // width)
            else:
                data += content
            header[tensor] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin + size]}
        text = json.dumps(header).encode() + b" " * pad
        text += b" " * (-(8 + len(text)) % align)
        write(folder / name, raw if raw is not None else struct.pack("<Q", len(text)) + text + data)

    return make
