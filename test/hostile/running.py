# SPDX-License-Identifier: Apache-2.0
"""Hostile artefacts, inputs, options and outputs."""

import resource
import struct

from inputs import *
from models import TOY, toy

RUN = "sluice-run m.sluice --tokens 1,2 --max-new 2"
INSPECT = "sluice-run inspect m.sluice"


def text(old, new):
    def edit(content):
        assert old in content, old
        return content.replace(old, new, 1)

    return edit


def library(content):
    return all_of(artefact(), lambda folder: (folder / "m.sluice/lib/model.so").unlink(), file("m.sluice/lib/model.so", content))


def cut_library(keep):
    def make(folder):
        artefact()(folder)
        path = folder / "m.sluice/lib/model.so"
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:keep])

    return make


def other_machine(folder):
    artefact()(folder)
    path = folder / "m.sluice/lib/model.so"
    content = bytearray(path.read_bytes())
    content[18:20] = struct.pack("<H", 0xF3)  # RISC-V
    path.unlink()
    path.write_bytes(content)


ARTEFACT = [
    ("good", artefact(), RUN, 0, ""),
    ("good-stored", stored(), RUN, 0, ""),
    ("missing", files(), RUN, 2, "m.sluice is no artefact (sluicec makes one, a directory)"),
    ("is-file", file("m.sluice", "x"), RUN, 2, "is no artefact"),
    ("is-empty-directory", directory("m.sluice"), RUN, 2, "is no artefact"),
    ("manifest-empty", artefact(text=lambda c: b""), RUN, 2, "manifest.json:1:1"),
    ("manifest-is-directory", directory("m.sluice/manifest.json"), RUN, 2, "is not a regular file"),
    ("manifest-is-fifo", fifo("m.sluice/manifest.json"), RUN, 2, "is not a regular file"),
    ("manifest-is-device", all_of(directory("m.sluice"), link("m.sluice/manifest.json", "/dev/zero")), RUN, 2, "is not a regular file"),
    ("manifest-large", all_of(directory("m.sluice"), sparse("m.sluice/manifest.json", 65 << 20)), RUN, 2, "bytes, expected at most 67108864"),
    ("manifest-cut", artefact(text=lambda c: c[:500]), RUN, 2, "manifest.json:"),
    ("manifest-nests", artefact(text=lambda c: b"[" * 100000), RUN, 2, "brackets are nested deeper than 128"),
    ("manifest-array", artefact(text=lambda c: b"[]"), RUN, 2, "the manifest is an array, expected an object"),
    ("manifest-not-utf8", artefact(text=text(b'"fake"', b'"\xff\xfe"')), RUN, 2, "a string is not UTF-8"),
    ("manifest-control-character", artefact(text=text(b'"fake"', b'"\x1b[2J"')), RUN, 2, "a control character in a string"),
    ("manifest-escaped-terminal", artefact(put("kind", value="\u001b[2J")), RUN, 2, "kind is"),
    ("manifest-zero-in-string", artefact(text=text(b'"fake"', b'"a\\u0000b"')), RUN, 2, "a string must not contain \\u0000"),
    ("manifest-surrogate", artefact(text=text(b'"fake"', b'"\\ud800"')), RUN, 2, "half of a surrogate pair"),
    ("manifest-key-twice", artefact(text=text(b'"abi": 1', b'"abi": 1, "abi": 1')), RUN, 2, "abi"),
    ("manifest-tail", artefact(text=lambda c: c + b"{}"), RUN, 2, "something stands after the end of the value"),
    ("version-missing", artefact(put("sluice", drop=True)), RUN, 2, 'lacks "sluice"'),
    ("version-99", artefact(put("sluice", value=99)), RUN, 2, "use a newer runtime"),
    ("version-0", artefact(put("sluice", value=0)), RUN, 2, "expected an integer from 1"),
    ("version-1.0", artefact(text=text(b'"sluice": 1', b'"sluice": 1.0')), RUN, 2, "expected an integer from 1"),
    ("abi-2", artefact(put("abi", value=2)), RUN, 2, "use a newer runtime"),
    ("abi-string", artefact(put("abi", value="1")), RUN, 2, "abi is a string, expected a number"),
    ("kind-unknown", artefact(put("kind", value="oracle")), RUN, 2, "expected decoder, encoder or op"),
    ("target-cuda", artefact(put("target", "kind", value="cuda")), RUN, 2, 'the artefact is for the target "cuda"'),
    ("target-aarch64", artefact(put("target", "triple", value="aarch64-unknown-linux-gnu")), RUN, 2, "was built for aarch64"),
    ("target-nonsense", artefact(put("target", "triple", value="")), RUN, 2, "was built for"),
    ("feature-lacking", artefact(put("target", "features", value=["amx-fp8"])), RUN, 2, "amx-fp8"),
    ("feature-unknown", artefact(put("target", "features", value=["warp-drive"])), RUN, 2, 'does not know the processor feature "warp-drive"'),
    ("feature-number", artefact(put("target", "features", value=[1])), RUN, 2, "target.features holds a number, expected strings"),
    ("library-parent", artefact(put("library", value="../model.so")), RUN, 2, "expected a relative path that stays inside the artefact"),
    ("library-absolute", artefact(put("library", value="/lib/libc.so.6")), RUN, 2, "stays inside the artefact"),
    ("library-empty", artefact(put("library", value="")), RUN, 2, "stays inside the artefact"),
    ("library-dots-inside", artefact(put("library", value="lib/../../x.so")), RUN, 2, "stays inside the artefact"),
    ("library-missing", artefact(put("library", value="lib/other.so")), RUN, 2, "the artefact's code is missing"),
    ("library-is-text", library("hello"), RUN, 2, "is no ELF file, or is cut"),
    ("library-is-directory", all_of(artefact(put("library", value="lib"))), RUN, 2, "not a regular file"),
    ("library-cut-header", cut_library(40), RUN, 2, "is no ELF file, or is cut"),
    ("library-cut-segments", cut_library(2000), RUN, 2, "is it cut?"),
    ("library-other-machine", other_machine, RUN, 2, "is no shared library for"),
    ("symbol-missing", artefact(put("functions", 0, "symbol", value="sluice_fn_other")), RUN, 2, "has no symbol sluice_fn_other"),
    ("symbol-is-not-a-name", artefact(put("functions", 0, "symbol", value="a;b")), RUN, 2, "expected a C identifier"),
    ("functions-empty", artefact(put("functions", value=[])), RUN, 2, "functions is empty, expected at least one"),
    ("functions-twice", artefact(lambda m: m["functions"].append(m["functions"][0])), RUN, 2, 'a function "step" is there already'),
    ("functions-100000", artefact(lambda m: m.update(functions=[{**m["functions"][0], "name": f"f{i}"} for i in range(100000)])), RUN, 2,
     "functions has 100000 entries, expected at most 1024"),
    ("args-100000", artefact(lambda m: m["functions"][0].update(args=[{**m["functions"][0]["args"][0], "name": f"a{i}"} for i in range(100000)])), RUN, 2,
     "args has 100000 entries, expected at most 256"),
    ("arena-negative", artefact(put("functions", 0, "arena", "row", value=-1)), RUN, 2, "functions[0].arena.row is -1"),
    ("arena-2^62", artefact(put("functions", 0, "arena", "row", value=1 << 62)), RUN, 2, "functions[0].arena.row is 4611686018427387904"),
    ("arg-shape-zero", artefact(put("functions", 0, "args", 2, "shape", value=["asked", 0])), RUN, 2, "expected an integer from 1 up"),
    ("arg-shape-2^62", artefact(put("functions", 0, "args", 2, "shape", value=["asked", 1 << 62])), RUN, 2, "more than 2^40 bytes"),
    ("arg-rank-9", artefact(put("functions", 0, "args", 2, "shape", value=[1] * 9)), RUN, 2, "sizes, expected 1 to"),
    ("arg-dtype", artefact(put("functions", 0, "args", 2, "dtype", value="f64")), RUN, 2, "expected one of f32, bf16"),
    ("arg-bound-unknown", artefact(put("functions", 0, "args", 0, "bound", value="sky")), RUN, 2, 'bound is "sky"'),
    ("arg-bound-on-float", artefact(put("functions", 0, "args", 2, "bound", value=3)), RUN, 2, "only integer inputs have one"),
    ("weight-bytes", artefact(put("weights", 0, "bytes", value=255)), RUN, 2, "weights[0].bytes is 255"),
    ("weight-shape-2^46", artefact(put("weights", 0, "shape", value=[1 << 47])), RUN, 2, "weights[0].shape[0]: expected an integer from 1 to 2^46"),
    ("weight-shape-wraps", artefact(put("weights", 0, "shape", value=[1 << 40, 1 << 40])), RUN, 2, "weights[0]"),
    ("weight-layout", artefact(put("weights", 0, "layout", value="origami")), RUN, 2, "expected panel or rows"),
    ("weight-sources-rows", artefact(put("weights", 0, "sources", 0, "rows", value=49)), RUN, 2, "49 rows together, expected 50"),
    ("weight-home", artefact(put("weights", 1, "home", value="moon")), RUN, 2, 'home: expected "host"'),
    ("kv-page-17", artefact(put("kv", 0, "page", value=17)), RUN, 2, "expected a multiple of 16"),
    ("kv-page-2^20", artefact(put("kv", 0, "page", value=1 << 20)), RUN, 2, "kv[0].page is 1048576, expected an integer from 16 to 65536"),
    ("kv-2^60", artefact(lambda m: m["kv"][0].update(layers=1 << 20, kv_heads=1 << 20, k=1 << 20)), RUN, 2, "one page would be more than 2^40 bytes"),
    ("kv-missing", artefact(put("kv", drop=True)), RUN, 2, "a decoder needs at least one entry in kv"),
    ("limits-missing", artefact(put("limits", drop=True)), RUN, 2, 'lacks "limits"'),
    ("limits-zero", artefact(put("limits", "vocab", value=0)), RUN, 2, "limits.vocab is 0, expected an integer from 1"),
    ("eos-string", artefact(put("eos", value=["x"])), RUN, 2, "eos holds something that is no token id"),
    ("name-terminal", artefact(put("name", value="\u001b[31mred")), RUN, 0, ""),
    ("weights-missing", all_of(stored(), lambda f: (f / "m.sluice/weights.safetensors").unlink()), RUN, 2, "the artefact's weights are missing"),
    ("weights-cut", stored(data=bytes(800)), RUN, 2, "is it cut?"),
    ("weights-unaligned", stored(raw=struct.pack("<Q", 171) + json.dumps({"head.bias": {"dtype": "U8", "shape": [256], "data_offsets": [0, 256]},
     "table": {"dtype": "U8", "shape": [640], "data_offsets": [256, 896]}}).encode().ljust(171) + bytes(896)), RUN, 2, "expected a multiple of 64"),
    ("weights-other-bytes", stored({"head.bias": {"dtype": "U8", "shape": [255], "data_offsets": [0, 255]},
     "table": {"dtype": "U8", "shape": [641], "data_offsets": [255, 896]}}), RUN, 2, "expected U8 of shape"),
    ("weights-other-names", stored({"a": {"dtype": "U8", "shape": [896], "data_offsets": [0, 896]}}), RUN, 2, 'lacks the tensor "head.bias"'),
    ("weights-rank-100", stored({"a": {"dtype": "U8", "shape": [1] * 100, "data_offsets": [0, 1]}}), RUN, 2, "has 100 dimensions, expected at most"),
    ("weights-lfs", stored(raw=b"version https://git-lfs.github.com/spec/v1\n"), RUN, 2, "is a Git LFS pointer"),
    ("weights-directory", all_of(stored(), lambda f: (f / "m.sluice/weights.safetensors").unlink(), directory("m.sluice/weights.safetensors")), RUN, 2,
     "is not a regular file"),
    ("inspect-broken", artefact(put("kind", value=3)), INSPECT, 2, "kind is a number, expected a string"),
    ("bench-broken", artefact(put("kind", value=3)), "sluice-run bench m.sluice", 2, "kind is a number"),
]  # fmt: skip

STEP = "sluice-run m.sluice --inputs in.safetensors --outputs out.safetensors"
ADD = STEP + " --function add"
IDS = ("input_ids", "I64", [2, 3], 1)


def fed(*entries, **more):
    return all_of(artefact(), tensors(*entries, **more))


INPUTS = [
    ("good", fed(IDS), STEP, 0, ""),
    ("good-unaligned", fed(IDS, pad=3), STEP, 0, ""),
    ("missing", artefact(), STEP, 2, "cannot open in.safetensors"),
    ("empty", fed(raw=b""), STEP, 2, "in.safetensors has 0 bytes, expected at least 8"),
    ("is-directory", all_of(artefact(), directory("in.safetensors")), STEP, 2, "is not a regular file"),
    ("is-fifo", all_of(artefact(), fifo("in.safetensors")), STEP, 2, "is not a regular file"),
    ("header-2^63", fed(raw=struct.pack("<Q", 1 << 63) + b"{}"), STEP, 2, "expected at most 100000000"),
    ("header-beyond", fed(raw=struct.pack("<Q", 100) + b"{}"), STEP, 2, "but only 2 follow"),
    ("header-nests", fed(raw=struct.pack("<Q", 100001) + b"{" + b"[" * 100000), STEP, 2, "in.safetensors:1:2"),
    ("hole", fed(raw=struct.pack("<Q", 60) + b'{"input_ids":{"dtype":"I64","shape":[1,1],"data_offsets":[8,16]}}'[:60]), STEP, 2, "in.safetensors"),
    ("no-input-ids", fed(("attention_mask", "I64", [2, 3], 1)), STEP, 2, "has no input_ids, expected I64 of shape [B,T]"),
    ("stranger", fed(IDS, ("surprise", "I64", [2], 1)), STEP, 2, 'the input "surprise" is not one of input_ids'),
    ("stranger-terminal", fed(IDS, ("\u001b[2J", "I64", [2], 1)), STEP, 2, "is not one of input_ids"),
    ("ids-float", fed(("input_ids", "F32", [2, 3], 1)), STEP, 2, "input_ids is F32, expected integers"),
    ("ids-rank-1", fed(("input_ids", "I64", [6], 1)), STEP, 2, "input_ids has rank 1, expected [B,T]"),
    ("ids-rank-3", fed(("input_ids", "I64", [1, 2, 3], 1)), STEP, 2, "input_ids has rank 3, expected [B,T]"),
    ("ids-beyond-vocab", fed(("input_ids", "I64", [2, 3], 50)), STEP, 2, "input_ids[0,0] is 50, expected 0 to 49 (the model's vocab)"),
    ("ids-negative", fed(("input_ids", "I64", [2, 3], -1)), STEP, 2, "input_ids[0,0] is -1, expected 0 to 49"),
    ("ids-minimum", fed(("input_ids", "I64", [1, 1], -(1 << 63))), STEP, 2, "is -9223372036854775808"),
    ("ids-2^32", fed(("input_ids", "I64", [1, 1], 1 << 32)), STEP, 2, "is 4294967296"),
    ("ids-U8", fed(("input_ids", "U8", [1, 2], 7)), STEP, 0, ""),
    ("ids-I16-negative", fed(("input_ids", "I16", [1, 2], -3)), STEP, 2, "is -3"),
    ("no-tokens", fed(("input_ids", "I64", [2, 0], 0)), STEP, 0, ""),
    ("no-sequences", fed(("input_ids", "I64", [0, 2], 0)), STEP, 0, ""),
    ("sequences-2^62-without-tokens", fed(("input_ids", "I64", [1 << 62, 0], 0)), STEP, 2, "sequences, expected at most 1048576"),
    ("tokens-2^62-without-sequences", fed(("input_ids", "I64", [0, 1 << 62], 0)), STEP, [0, 2, 4], ""),
    ("mask-2", fed(IDS, ("attention_mask", "I64", [2, 3], 2)), STEP, 2, "attention_mask[0,0] is 2, expected 0 to 1"),
    ("mask-shape", fed(IDS, ("attention_mask", "I64", [3, 2], 1)), STEP, 2, "attention_mask has rank 2 and another shape, expected [B,T]"),
    ("mask-float", fed(IDS, ("attention_mask", "F32", [2, 3], 1)), STEP, 2, "attention_mask is F32, expected integers"),
    ("mask-all-hidden", fed(IDS, ("attention_mask", "I64", [2, 3], 0)), STEP, 0, ""),
    ("positions-beyond", fed(IDS, ("position_ids", "I64", [2, 3], 500)), STEP, 2, "position_ids[0,0] is 500, expected 0 to 499"),
    ("positions-negative", fed(IDS, ("position_ids", "I64", [1, 3], -1)), STEP, 2, "position_ids[0,0] is -1"),
    ("positions-broadcast", fed(IDS, ("position_ids", "I64", [1, 3], 1)), STEP, 0, ""),
    ("types-unknown", fed(IDS, ("token_type_ids", "I64", [2, 3], 0)), STEP, 2, "has token_type_ids, but step of fake takes none"),
    ("longer-than-max-seq", fed(("input_ids", "I64", [1, 401], 1)), STEP, 2, "the model's limit is max_seq = 400"),
    ("add-good", fed(("x", "F32", [4, 3], 0), ("y", "F32", [2, 3], 0)), ADD, 0, ""),
    ("add-lacks", fed(("x", "F32", [4, 3], 0)), ADD, 2, 'has no "y", which add takes'),
    ("add-dtype", fed(("x", "F16", [4, 3], 0), ("y", "F32", [2, 3], 0)), ADD, 2, "x is F16, expected F32"),
    ("add-shape", fed(("x", "F32", [4, 4], 0), ("y", "F32", [2, 3], 0)), ADD, 2, "x has another shape than [rows,3]"),
    ("add-rank", fed(("x", "F32", [12], 0), ("y", "F32", [2, 3], 0)), ADD, 2, "x has another shape than [rows,3]"),
    ("add-lengths", fed(("x", "F32", [4, 3], 0), ("y", "F32", [2, 3], 0), ("sequence_lengths", "I64", [2], 3)), ADD, 2, "has 6 rows, expected 4"),
    ("add-lengths-negative", fed(("x", "F32", [4, 3], 0), ("y", "F32", [2, 3], 0), ("sequence_lengths", "I64", [1], -4)), ADD, 2, "expected 1 to 16777216"),
    ("add-lengths-2^63", fed(("x", "F32", [4, 3], 0), ("y", "F32", [2, 3], 0), ("sequence_lengths", "I64", [1], (1 << 63) - 1)), ADD, 2,
     "expected 1 to 16777216"),
    ("add-lengths-none", fed(("x", "F32", [4, 3], 0), ("y", "F32", [2, 3], 0), ("sequence_lengths", "I64", [0], 0)), ADD, 2, "expected 1 to 1048576"),
    ("add-positions-short", fed(("x", "F32", [4, 3], 0), ("y", "F32", [2, 3], 0), ("position_ids", "I64", [3], 0)), ADD, 2, "position_ids has 3 rows, expected 4"),
    ("function-unknown", fed(IDS), STEP + " --function stap", 1, 'has no function "stap"'),
    ("output-is-directory", all_of(fed(IDS), directory("o")), STEP.replace("out.safetensors", "o"), 2, "is there and is not a regular file"),
    ("output-in-nowhere", fed(IDS), STEP.replace("out.safetensors", "no/o"), 2, "cannot write no/o"),
    ("output-full", fed(IDS), STEP, 4, "cannot write", {"before": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))}),
    ("output-is-input", fed(IDS), STEP.replace("out.safetensors", "in.safetensors"), 0, ""),
]  # fmt: skip


def limit_file(size):
    return {"before": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}


SHELL = {"shell": True}
TINY = all_of(llama(), toy())
C = "sluicec model -o out.sluice"

OUTPUT = [
    ("exists-as-file", all_of(llama(), file("out.sluice", "mine")), C, 1, "is there already and is no artefact", {"keeps": True, "checks": [
        lambda f, r: (f / "out.sluice").read_text() != "mine" and "overwrote a file"]}),
    ("exists-as-directory", all_of(llama(), file("out.sluice/notes", "mine")), C, 1, "is there already and is no artefact", {"keeps": True, "checks": [
        lambda f, r: not (f / "out.sluice/notes").exists() and "removed a file"]}),
    ("exists-with-other-manifest", all_of(llama(), file("out.sluice/manifest.json", '{"name": "sluice", "sluice": "no"}')), C, 1,
     "is there already and is no artefact", {"keeps": True}),
    ("exists-as-artefact", all_of(llama(), artefact(name="out.sluice")), C, 0, "wrote out.sluice", {"checks": [
        lambda f, r: b"fake" in (f / "out.sluice/manifest.json").read_bytes() and "kept the old one"]}),
    ("link-to-artefact", all_of(llama(), artefact(name="real.sluice"), link("out.sluice", "real.sluice")), C, 0, "wrote", {"checks": [
        lambda f, r: not (f / "out.sluice").is_symlink() and "replaced the link",
        lambda f, r: b"fake" in (f / "real.sluice/manifest.json").read_bytes() and "kept the old one"]}),
    ("link-to-nothing", all_of(llama(), link("out.sluice", "nowhere")), C, 1, "is a link to nothing", {"keeps": True}),
    ("parent-missing", llama(), C.replace("out", "no/out"), 1, "the directory 'no' for the output is not there"),
    ("parent-is-file", all_of(llama(), file("no", "x")), C.replace("out", "no/out"), 1, "is not there"),
    ("name-too-long", llama(), C.replace("out", "o" * 300), 4, "cannot make a directory beside"),
    ("disk-full-library", llama(), C, 4, "File too large", limit_file(100)),
    ("disk-full-weights", llama(), C, 4, "File too large", limit_file(9000)),
    ("disk-full-text", toy(), "sluicec toy.sluice.yaml --to=target -o out.mlir", 4, "cannot write 'out.mlir'", limit_file(100)),
    ("disk-full-stages", toy(), "sluicec toy.sluice.yaml --stages-to=d -o out.sluice", 4, "cannot write", limit_file(100)),
    ("device-full", toy(), "sluicec toy.sluice.yaml --to=target -o - > /dev/full", 4, "No space left on device", SHELL),
    ("device-full-explain", toy(), "sluicec toy.sluice.yaml --explain > /dev/full", 4, "cannot write to stdout", SHELL),
    ("device-full-help", files(), "sluicec --help > /dev/full", 4, "cannot write to stdout", SHELL),
    ("device-full-code", toy(), "sluicec toy.sluice.yaml --emit=asm -o - > /dev/full", 4, "No space left on device", SHELL),
    ("stdout-closed", toy(), "sluicec toy.sluice.yaml --to=target -o - >&-", 4, "cannot write", SHELL),
    ("stdout-closed-explain", toy(), "sluicec toy.sluice.yaml --explain >&-", 4, "cannot write", SHELL),
    ("reader-gone", toy(), "set -o pipefail; sluicec toy.sluice.yaml --to=target -o - | true", [0, 4], "", SHELL),
    ("run-device-full", artefact(), "sluice-run m.sluice --tokens 1 > /dev/full", 4, "cannot write the results to stdout", SHELL),
    ("run-stdout-closed", artefact(), "sluice-run m.sluice --tokens 1 >&-", 4, "cannot write the results to stdout", SHELL),
    ("run-inspect-full", artefact(), "sluice-run inspect m.sluice > /dev/full", 4, "cannot write the results to stdout", SHELL),
    ("locale-with-commas", toy(), "sluicec toy.sluice.yaml -o out.sluice", 0, "wrote", {"env": {"LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8"}}),
    ("two-at-once", llama(), "sluicec model -o out.sluice & a=$!; sluicec model -o out.sluice & b=$!; wait $a && wait $b && ls -d out.sluice* >&2", 0, "out.sluice", {
        **SHELL, "checks": [lambda f, r: len(list(f.glob("out.sluice*"))) != 1 and "left something"]}),
    ("abandoned-is-removed", all_of(llama(), file("out.sluice.partial-abcdef/lib/model.so", "x")), C, 0, "wrote", {"checks": [
        lambda f, r: (f / "out.sluice.partial-abcdef").exists() and "left what a killed compile left"]}),
]  # fmt: skip

FLAGS = [
    ("sluicec-nothing", files(), "sluicec", 1, "expects a MODEL"),
    ("sluicec-empty-name", files(), "sluicec '' -o out.sluice", 1, "expects a MODEL"),
    ("sluicec-long-name", files(), f"sluicec {'a' * 5000} -o out.sluice", 2, "there is nothing of that name"),
    ("sluicec-page-huge", toy(), "sluicec toy.sluice.yaml -o out.sluice --page=9223372036854775808", 1, "'--page' expects a positive number"),
    ("sluicec-page-2^40", toy(), "sluicec toy.sluice.yaml -o out.sluice --page=1099511627776", 1, "expects a multiple of 16 up to 65536"),
    ("sluicec-page-0", toy(), "sluicec toy.sluice.yaml -o out.sluice --page=0", 1, "expects a positive number"),
    ("sluicec-max-seq-huge", toy(), "sluicec toy.sluice.yaml -o out.sluice --max-seq=99999999999", 1, "expects at most 2147483647 tokens"),
    ("sluicec-seed-negative", toy(), "sluicec toy.sluice.yaml -o out.sluice --weights=random:-1", 1, "expects random:SEED"),
    ("sluicec-seed-2^63", toy(), "sluicec toy.sluice.yaml -o out.sluice --weights=random:9223372036854775808", 1, "below 2^63"),
    ("sluicec-cpu-unknown", toy(), "sluicec toy.sluice.yaml -o out.sluice --cpu=abacus", 1, "unknown cpu 'abacus'"),
    ("sluicec-cpu-empty", toy(), "sluicec toy.sluice.yaml -o out.sluice --cpu=", 1, "cpu"),
    ("sluicec-cpu-terminal", toy(), "sluicec toy.sluice.yaml -o out.sluice --cpu=$'\\033[2J'", 1, "unknown cpu", SHELL),
    ("sluicec-emit-unknown", toy(), "sluicec toy.sluice.yaml --emit=punchcards", 1, "expects one of mlir, llvm, asm, obj"),
    ("sluicec-artefact-to-stdout", toy(), "sluicec toy.sluice.yaml -o -", 1, "cannot go to stdout"),
    ("sluicec-artefact-as-model", artefact(), "sluicec m.sluice -o out.sluice", 2, "config.json"),
    ("run-nothing", files(), "sluice-run", 1, ""),
    ("run-threads-0", artefact(), RUN + " --threads 0", 1, "threads"),
    ("run-threads-1000000", artefact(), RUN + " --threads 1000000", 1, "threads"),
    ("run-threads-negative", artefact(), RUN + " --threads -1", 1, "threads"),
    ("run-threads-word", artefact(), RUN + " --threads many", 1, 'threads is "many", expected an integer'),
    ("run-max-new-negative", artefact(), RUN + " --max-new -1", 1, "max-new"),
    ("run-max-new-2^64", artefact(), RUN + " --max-new 18446744073709551616", 1, "max-new"),
    ("run-temperature-nan", artefact(), RUN + " --temperature nan", 1, "temperature"),
    ("run-temperature-negative", artefact(), RUN + " --temperature -0.5", 1, "temperature"),
    ("run-temperature-comma", artefact(), RUN + " --temperature 0,5", 1, "temperature", {"env": {"LC_ALL": "de_DE.UTF-8"}}),
    ("run-token-negative", artefact(), "sluice-run m.sluice --tokens -1", 2, "-1"),
    ("run-token-beyond", artefact(), "sluice-run m.sluice --tokens 50", 2, "50"),
    ("run-token-2^64", artefact(), "sluice-run m.sluice --tokens 18446744073709551616", 1, "18446744073709551616"),
    ("run-tokens-file-missing", artefact(), "sluice-run m.sluice --tokens @nowhere", 2, "nowhere"),
    ("run-tokens-file-binary", all_of(artefact(), file("t", bytes(range(256)))), "sluice-run m.sluice --tokens @t", 2, "t is no text of token ids"),
    ("run-tokens-file-directory", all_of(artefact(), directory("t")), "sluice-run m.sluice --tokens @t", 2, "t"),
    ("run-too-many-tokens", artefact(), "sluice-run m.sluice --tokens " + "1," * 400 + "1", 2, "max_seq"),
    ("bench-batch-0", artefact(), "sluice-run bench m.sluice --batch 0", 1, "batch"),
    ("bench-prompt-huge", artefact(), "sluice-run bench m.sluice --prompt 16777217", 1, "prompt"),
]  # fmt: skip

GROUPS = {"artefact": ARTEFACT, "inputs": INPUTS, "output": OUTPUT, "flags": FLAGS}
