# SPDX-License-Identifier: Apache-2.0
"""Makes the seed corpus of every fuzzer: inputs that are accepted, or nearly, made here or taken from the tests.

    seeds.py BUILD OUT [FUZZER...]      BUILD has sluicec (bin/); OUT gets one folder per fuzzer
"""

import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST = 12000  # bytes of a seed: long ones make every execution slow
DTYPES = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip


def tensors(*entries, metadata=None):
    """Header and data of tensors (name, dtype, shape)."""
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape in entries:
        bits = DTYPES[dtype]
        for size in shape:
            bits *= size
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + bits // 8]}
        at += bits // 8
    return json.dumps(header), bytes((7 * i + 1) % 251 for i in range(at))


def in_parts(*entries, **more):
    """As Scratch.h takes them: what to add to the header's length, header, empty line, data."""
    header, data = tensors(*entries, **more)
    return b"0" + header.encode() + b"\n\n" + data


def raw(*entries, **more):
    header, data = tensors(*entries, **more)
    header = header.encode() + b" " * (-len(header) % 8)
    return b"R" + struct.pack("<Q", len(header)) + header + data


def safetensors_seeds():
    yield in_parts()
    yield in_parts(("x", "F32", [2, 3]), ("y", "BF16", [4]), metadata={"format": "pt"})
    yield in_parts(*((dtype, dtype, [8]) for dtype in DTYPES))
    yield in_parts(("scalar", "F32", []), ("none", "F32", [0, 4]), ("é\u2028", "I64", [2]))
    yield raw(("x", "F32", [2, 3]), ("y", "U8", [5]))
    yield b"Rversion https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    header, data = tensors(("x", "F32", [2]), ("y", "F32", [2]))
    for change in [("[0, 8]", "[0, 16]"), ("[8, 16]", "[4, 12]"), ("[8, 16]", "[12, 20]"), ('"y"', '"x"')]:
        yield b"0" + header.replace(*change).encode() + b"\n\n" + data


def index_seeds():
    def files(index, **shards):
        text = (json.dumps(index) if not isinstance(index, str) else index).encode() + b"\n"
        for name, shard in shards.items():
            text += f"%%{name}.safetensors\n".encode() + shard
        return text

    a, b = in_parts(("x", "F32", [2, 3]), ("z", "F16", [3])), in_parts(("y", "BF16", [4]))
    where = {"x": "a.safetensors", "z": "a.safetensors", "y": "b.safetensors"}
    yield files({"metadata": {"total_size": 38}, "weight_map": where}, a=a, b=b)
    yield files({"weight_map": {}}, a=a)
    yield files({"weight_map": {"x": "b.safetensors"}}, a=a, b=b)
    yield files({"weight_map": {"x": "../a.safetensors"}}, a=a)
    yield files({"weight_map": {"x": "A.safetensors"}}, a=a)
    yield files('{"weight_map": {"x": "a.safetensors", "x": "b.safetensors"}}', a=a, b=b)
    yield files({"weight_map": {"x": "a.safetensors", "y": "a.safetensors"}}, a=a, b=a)


def config_seeds():
    for path in sorted(ROOT.glob("test/Fixtures/*/model")) + sorted(ROOT.glob("test/Model/Inputs/*")):
        if not (path / "config.json").exists():
            continue
        text = (path / "config.json").read_bytes()
        for name, place in [
            ("generation_config.json", "generation_config.json"),
            ("modules.json", "modules.json"),
            ("sentence_bert_config.json", "sentence_bert_config.json"),
            ("1_Pooling/config.json", "pooling_config.json"),
        ]:
            if (path / name).exists():
                text += f"\n%%{place}\n".encode() + (path / name).read_bytes()
        yield text


def description_seeds(sluicec):
    for path in sorted(ROOT.glob("examples/*/*.sluice.yaml")):
        yield path.read_bytes()
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/Descriptions.md").read_text(), re.S):
        yield block.encode()
    for path in sorted(ROOT.glob("test/Fixtures/*/model")):
        yield output_of([sluicec, path, "--weights=random:7", "--to=model", "-o", "-"])


def output_of(command):
    run = subprocess.run([str(part) for part in command], capture_output=True)
    return run.stdout if run.returncode == 0 else None


def strip(text):
    """A module without its comments."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//")).strip() + "\n"


TINY = {
    "llama": {
        "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "vocab_size": 11,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32, "rms_norm_eps": 1e-5,
    },
    "bert": {
        "model_type": "bert", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "vocab_size": 11,
        "num_attention_heads": 2, "max_position_embeddings": 32,
    },
}  # fmt: skip
LINEAR = """module attributes {sluice.name = "t", sluice.kind = "op", sluice.random_seed = 1} {
  sluice.param @w role weight : tensor<8x16xf32> from ["w"] rows [8]
  func.func @f(%x: tensor<?x16xf32> {sluice.name = "x"}) -> (tensor<?x8xf32> {sluice.name = "y"}) attributes {sluice.export} {
    %w = sluice.param.use @w : tensor<8x16xf32>
    %y = sluice.linear %x, %w : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}
"""


ADD = """module attributes {sluice.name = "t", sluice.kind = "op"} {
  func.func @f(%x: tensor<?x16xf32> {sluice.name = "x"}, %y: tensor<?x16xf32> {sluice.name = "y"}) -> (tensor<?x16xf32> {sluice.name = "z"}) attributes {sluice.export} {
    %z = sluice.add %x, %y : (tensor<?x16xf32>, tensor<?x16xf32>) -> tensor<?x16xf32>
    return %z : tensor<?x16xf32>
  }
}
"""


def mlir_seeds(build):
    """Modules of each stage: those of the tests, and what sluicec makes of small models on the way."""
    sluicec, opt = build / "bin/sluicec", build / "bin/sluice-opt"
    found = {"tensor": [], "placed": [], "target": []}
    compiled = {"tensor": [], "placed": [], "target": []}
    folders = {
        "tensor": ["Dialect/Sluice", "Tensor", "Numeric", "Reference", "Programs", "Place"],
        "placed": ["Place", "Dialect/Place", "Artifact", "Target/CPU"],
        "target": ["Target/CPU"],
    }
    for stage, names in folders.items():
        for name in names:
            for path in sorted((ROOT / "test" / name).glob("*.mlir")):
                found[stage] += [strip(part).encode() for part in path.read_text().split("// -----")]
    with tempfile.TemporaryDirectory() as folder:
        sources = [[ROOT / "examples/layer/layer.sluice.yaml"]]
        for name, config in TINY.items():
            (Path(folder) / name).mkdir()
            (Path(folder) / name / "config.json").write_text(json.dumps(config))
            sources.append([Path(folder) / name, "--weights=random:7"])
        for name, text in ("linear", LINEAR), ("add", ADD):
            (Path(folder) / f"{name}.mlir").write_text(text)
            sources.append([Path(folder) / f"{name}.mlir", "--from=tensor"])
        stage_file = Path(folder) / "stage.mlir"
        for source in sources:
            for stage in compiled:
                if output_of([sluicec, *source, f"--to={stage}", "--cpu=x86-64-v3", "-o", stage_file]) is not None:
                    compiled[stage].append(output_of([opt, stage_file]))  # without locations
    for stage, seeds in compiled.items():
        if not any(seeds):
            sys.exit(f"{sluicec} makes no module of stage {stage}")
    return found, compiled


def manifest_seeds(sluicec):
    source = (ROOT / "runtime/abi-suite/fixture.c").read_text()
    literal = source.split("fixture_manifest[] =", 1)[1].split(";\n", 1)[0]
    text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal)).replace('\\"', '"').replace("\\n", "\n")
    text = text.replace("ARCH", "x86_64")
    yield text.encode()
    # The same with weights in the file.
    stored = text.replace(', "role": "bias", "random_seed": 7', "").replace(', "role": "table", "random_seed": 7', "")
    stored = re.sub(r'"sources": \[[^]]*\],?\s*', "", stored)
    for manifest in (text, stored, re.sub(r",\s*}", "}", stored)):
        yield manifest.encode() + b"%%weights.safetensors\n" + aligned(("head.bias", 256), ("table", 640))
    whole = json.loads(text)
    for key in list(whole):
        yield json.dumps({k: v for k, v in whole.items() if k != key}).encode()
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(ROOT.glob("test/Fixtures/*/model")):
            out = Path(folder) / (path.parent.name + ".sluice")
            output_of([sluicec, path, "--weights=random:7", "-o", out])
            if (out / "manifest.json").exists():
                yield (out / "manifest.json").read_bytes()


def aligned(*weights):
    """weights.safetensors as sluicec writes it: every tensor at a multiple of 64 bytes of the file."""
    header, at = {}, 0
    for name, size in weights:
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header)
    text += " " * ((-len(text) - 8) % 64)
    return b"R" + struct.pack("<Q", len(text)) + text.encode() + bytes(at)


def inputs_seeds():
    step, forward, embed, add, meet, sample, fetch, none = (bytes([b]) for b in b"01234567")
    ids = ("input_ids", "I64", [2, 3])
    # Small numbers: ids and masks must be in range to be accepted.
    for function in (step, forward, embed, b"8"):
        for entries in (
            [ids],
            [ids, ("attention_mask", "I64", [2, 3])],
            [ids, ("position_ids", "I64", [1, 3])],
            [ids, ("position_ids", "I64", [2, 3]), ("token_type_ids", "I64", [2, 3])],
            [("input_ids", "I32", [0, 3])],
            [("input_ids", "U8", [3, 0])],
        ):
            header, data = tensors(*entries)
            for byte in (0, 1):
                small = bytearray(len(data))
                small[::8] = bytes([byte]) * len(small[::8])
                yield function + b"0" + header.encode() + b"\n\n" + bytes(small)
    for entries in (
        [("x", "F32", [4, 3]), ("y", "F32", [2, 3])],
        [("x", "F32", [4, 3]), ("y", "F32", [2, 3]), ("position_ids", "I32", [4])],
        [("x", "F32", [4, 3]), ("y", "F32", [2, 3]), ("sequence_lengths", "I64", [1])],
        [("x", "F32", [0, 3]), ("y", "F32", [2, 3])],
    ):
        yield add + in_parts(*entries)
        header, data = tensors(*entries)
        yield add + b"0" + header.encode() + b"\n\n" + data[:-8] + struct.pack("<Q", 4)
    yield meet + in_parts()
    yield sample + in_parts(("logits", "F32", [2, 50]), ("temperature", "F32", [2]), ("rng", "I64", [2]))
    yield fetch + b"0" + tensors(("ids", "I32", [3]))[0].encode() + b"\n\n" + bytes(12)
    yield forward + in_parts(("tokens", "I32", [3]), ("token_types", "I32", [3]))
    yield none + in_parts(("x", "I64", [2]))


def main():
    build, out, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    sluicec = build / "bin" / "sluicec"
    corpora = {
        "fuzz-safetensors": safetensors_seeds(),
        "fuzz-index": index_seeds(),
        "fuzz-config": config_seeds(),
        "fuzz-description": description_seeds(sluicec),
        "fuzz-manifest": manifest_seeds(sluicec),
        "fuzz-inputs": inputs_seeds(),
    }
    if not wanted or any(name.startswith(("fuzz-mlir-", "fuzz-compile-")) for name in wanted):
        found, compiled = mlir_seeds(build)
        for stage in found:
            corpora[f"fuzz-mlir-{stage}"] = found[stage] + compiled[stage]
            corpora[f"fuzz-compile-{stage}"] = compiled[stage]
    for name in wanted or corpora:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        unique = sorted({seed for seed in corpora[name] if seed and len(seed) <= MOST * (5 if "target" in name else 1)})
        if not unique:
            sys.exit(f"no seeds for {name}")
        for index, seed in enumerate(unique):
            (folder / f"seed-{index:03}").write_bytes(seed)
        print(f"{name}: {len(unique)} seeds")


main()
