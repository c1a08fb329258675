# SPDX-License-Identifier: Apache-2.0
"""Hostile checkpoints, configurations and descriptions: rows of (name, what to make, command, exit code, message)."""

import struct

from inputs import *

COMPILE = "sluicec model -o out.sluice"
SEEDED = "sluicec model --weights=random:7 -o out.sluice"
CHECK = "sluicec model --weights=random:7 --check"
NAN, INF = struct.pack("<I", 0x7FC00000), struct.pack("<I", 0x7F800000)


def length(value):
    return lambda c: setattr(c, "length", value)


def data(value):
    return lambda c: setattr(c, "data", value)


def tail(value):
    return lambda c: setattr(c, "tail", value)


def renamed(old, new):
    def change(c):
        c.header = {new if key == old else key: value for key, value in c.header.items()}

    return change


def unaligned(c):
    c.header = json.dumps(c.header).encode() + b" " * 3


def overlap(c):
    # The last tensor starts inside the one before it; the file is as much shorter.
    begin, end = c.header[HEAD]["data_offsets"]
    c.header[HEAD]["data_offsets"] = [begin - 8, end - 8]
    c.data = c.data[:-8]


def hole(c):
    begin, end = c.header[HEAD]["data_offsets"]
    c.header[HEAD]["data_offsets"] = [begin + 8, end + 8]
    c.data += bytes(8)


def in_both(c):
    c.header["model.norm.weight"]["data_offsets"] = c.header["model.layers.0.input_layernorm.weight"]["data_offsets"]


def raw_file(content, name="model.safetensors"):
    return all_of(config(), file("model/" + name, content))


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 4\n" % ("0" * 64)
GB = 1 << 30

SAFETENSORS = [
    ("good", llama(), COMPILE, 0, "wrote out.sluice"),
    ("no-weights", config(), COMPILE, 2, "expected weights in model.safetensors or model.safetensors.index.json"),
    ("empty-file", raw_file(b""), COMPILE, 2, "has 0 bytes; it is cut off"),
    ("seven-bytes", raw_file(b"1234567"), COMPILE, 2, "has 7 bytes; it is cut off"),
    ("length-only", raw_file(struct.pack("<Q", 2)), COMPILE, 2, "but only 0 follow its length"),
    ("length-2^63", llama(length(1 << 63)), COMPILE, 2, "expected a header of at most 100000000 bytes"),
    ("length-2^64-1", llama(length((1 << 64) - 1)), COMPILE, 2, "its length field says 18446744073709551615"),
    ("length-beyond-file", llama(length(90_000_000)), COMPILE, 2, "expected 90000000 bytes of header, but only"),
    ("length-zero", llama(length(0)), COMPILE, 2, "expected the header to start with '{'"),
    ("length-one-less", llama(length(100)), COMPILE, 2, "not valid JSON"),
    ("header-is-array", llama(header_text(lambda t: b"[" + t + b"]")), COMPILE, 2, "to start with '{'"),
    ("header-nests-200000", llama(header_text(lambda t: b'{"a":' + b"[" * 200000)), COMPILE, 2, "at most 128 nested brackets"),
    ("header-cut", llama(header_text(lambda t: t[:-20])), COMPILE, 2, "not valid JSON"),
    ("header-not-utf8", llama(header_text(lambda t: t.replace(b"lm_head", b"lm\xff\xfehead"))), COMPILE, 2, "utf-8"),
    ("header-zero-byte", llama(header_text(lambda t: t.replace(b"lm_head", b"lm\x00head"))), COMPILE, 2, "not valid JSON"),
    ("key-twice", llama(header_text(lambda t: t.replace(b'"lm_head.weight"', b'"model.norm.weight"'))), COMPILE, 2,
     "key 'model.norm.weight' appears twice"),
    ("key-twice-escaped", llama(header_text(lambda t: t.replace(b'"lm_head.weight"', b'"model.\\u006eorm.weight"'))), COMPILE, 2,
     "key 'model.norm.weight' appears twice"),
    ("metadata-not-strings", llama(lambda c: c.header.update(__metadata__={"a": 1})), COMPILE, 2, "expected strings in '__metadata__'"),
    ("tensor-not-object", llama(lambda c: c.header.update({HEAD: 3})), COMPILE, 2, "expected an object for 'lm_head.weight'"),
    ("dtype-unknown", llama(entry(dtype="F33")), COMPILE, 2, "dtype 'F33' is not one that safetensors define"),
    ("dtype-lower-case", llama(entry(dtype="f32")), COMPILE, 2, "dtype 'f32' is not one"),
    ("dtype-missing", llama(entry(dtype=None)), COMPILE, 2, "expected 'dtype' to be a string"),
    ("dtype-integer-weights", llama(entry(dtype="I32")), COMPILE, 3, "tensor 'lm_head.weight' has dtype I32"),
    ("shape-missing", llama(entry(shape=None)), COMPILE, 2, "expected 'shape' to be an array"),
    ("shape-negative", llama(entry(shape=[-11, -16])), COMPILE, 2, "expected sizes from 0 to 2^63 - 1"),
    ("shape-fraction", llama(entry(shape=[11.5, 16])), COMPILE, 2, "expected sizes from 0 to 2^63 - 1"),
    ("shape-2^64", llama(entry(shape=[1 << 64])), COMPILE, 2, "expected sizes from 0 to 2^63 - 1"),
    ("shape-wraps", llama(entry(shape=[1 << 32, 1 << 32])), COMPILE, 2, "has more bits than 64-bit arithmetic can count"),
    ("shape-wraps-to-right", llama(entry(shape=[(1 << 62) + 44, 16])), COMPILE, 2, "has more bits than"),
    ("shape-other", llama(entry(shape=[16, 11])), COMPILE, 2, "has shape [16, 11], but the description makes it [11, 16]"),
    ("shape-empty", llama(entry(shape=[0, 16])), COMPILE, 2, "needs 0 bytes, but data_offsets give it 704"),
    ("offsets-missing", llama(entry(data_offsets=None)), COMPILE, 2, "expected 'data_offsets' to be two sizes"),
    ("offsets-three", llama(entry(data_offsets=[0, 1, 2])), COMPILE, 2, "expected 'data_offsets' to be two sizes"),
    ("offsets-backwards", llama(entry(data_offsets=[704, 0])), COMPILE, 2, "leave the"),
    ("offsets-negative", llama(entry(data_offsets=[-704, 0])), COMPILE, 2, "expected 'data_offsets' to be two sizes"),
    ("offsets-2^63", llama(entry(data_offsets=[1 << 63, (1 << 63) + 704])), COMPILE, 2, "leave the"),
    ("tensors-overlap", llama(overlap), COMPILE, 2, "the two overlap"),
    ("tensors-share", llama(in_both), COMPILE, 2, "overlap"),
    ("hole", llama(hole), COMPILE, 2, "there is a hole between them"),
    ("tail", llama(tail(b"x")), COMPILE, 2, "expected the tensors to fill the file's"),
    ("data-cut", llama(lambda c: data(c.data[:-1])(c)), COMPILE, 2, "it is damaged or cut off, fetch it again"),
    ("unaligned-data", llama(unaligned), COMPILE, 0, "wrote out.sluice"),
    ("nan-weight", llama(weights(NAN)), COMPILE, 2, "tensor 'lm_head.weight' has 1 NaN and 0 infinite numbers, the first at [0, 5]"),
    ("inf-weight", llama(weights(INF, at=170)), COMPILE, 2, "has 0 NaN and 1 infinite numbers, the first at [10, 10]"),
    ("nan-allowed", llama(weights(NAN)), COMPILE + " --allow-nonfinite", 0, "warning: tensor 'lm_head.weight' has 1 NaN"),
    ("missing-tensor", llama(lambda c: renamed("model.norm.weight", "model.norm.gamma")(c)), COMPILE, 2, "model.norm.weight"),
    ("case-of-tensor", llama(renamed(HEAD, "LM_head.weight")), COMPILE, 2, "lm_head.weight"),
    ("unicode-tensor", llama(renamed(HEAD, "lm_he\u0430d.weight")), COMPILE, 2, "lm_head.weight"),
    ("terminal-in-tensor-name", llama(renamed(HEAD, "\u001b[31mhead")), COMPILE, 2, "lm_head.weight"),
    ("lfs-pointer", raw_file(LFS), COMPILE, 2, "this is a Git LFS pointer, not the weights; run 'git lfs pull'"),
    ("pickle-only", all_of(config(), file("model/pytorch_model.bin", b"\x80\x02}q\0.")), COMPILE, 2,
     "only 'pytorch_model.bin', which is not read (a pickle can run code)"),
    ("pickle-named-safetensors", raw_file(b"\x80\x02}q\0." + bytes(100)), COMPILE, 2, "safetensors"),
    ("zip-named-safetensors", raw_file(b"PK\x03\x04" + bytes(200)), COMPILE, 2, "safetensors"),
    ("weights-are-directory", all_of(config(), directory("model/model.safetensors")), COMPILE, 2, "expected a regular file of safetensors"),
    ("weights-are-fifo", all_of(config(), fifo("model/model.safetensors")), COMPILE, 2, "expected a regular file of safetensors"),
    ("weights-are-device", all_of(config(), link("model/model.safetensors", "/dev/zero")), COMPILE, 2, "expected a regular file"),
    ("link-loop", all_of(config(), link("model/model.safetensors", "model.safetensors")), COMPILE, 2, "expected weights in"),
    ("link-dangles", all_of(config(), link("model/model.safetensors", "nowhere")), COMPILE, 2, "expected weights in"),
    ("link-to-cache", all_of(llama(name="blob"), link("model/model.safetensors", "blob")), COMPILE, 0, "wrote out.sluice"),
    ("sparse-3-GiB", all_of(llama(lambda c: c.header.update(big={"dtype": "F32", "shape": [3, GB // 4],
     "data_offsets": [len(c.data), len(c.data) + 3 * GB]})), lambda folder: os.truncate(
         folder / "model/model.safetensors", (folder / "model/model.safetensors").stat().st_size + 3 * GB)), COMPILE, 0, "big"),
    ("sparse-1-TiB-of-nothing", all_of(config(), sparse("model/model.safetensors", 1 << 40)), COMPILE, 2, "to start with '{'"),
]  # fmt: skip

INDEX = [
    ("good", shards(), COMPILE, 0, "wrote out.sluice"),
    ("not-json", shards(index="{"), COMPILE, 2, "model.safetensors.index.json:1:1: error: not valid JSON"),
    ("empty", shards(index=""), COMPILE, 2, "not valid JSON"),
    ("array", shards(index="[]"), COMPILE, 2, "expected an object at the top of the file"),
    ("no-map", shards(index="{}"), COMPILE, 2, "expected 'weight_map', an object from tensor names to file names"),
    ("map-is-array", shards(index='{"weight_map": []}'), COMPILE, 2, "expected 'weight_map', an object"),
    ("map-empty", shards(index='{"weight_map": {}}'), COMPILE, 2, "model.embed_tokens.weight"),
    ("name-is-number", shards(edit=placed_at(HEAD, 3)), COMPILE, 2, "expected a file name for tensor 'lm_head.weight', but found a number"),
    ("name-empty", shards(edit=placed_at(HEAD, "")), COMPILE, 2, "is empty"),
    ("name-parent", shards(edit=placed_at(HEAD, "../b.safetensors")), COMPILE, 2, "leads to another directory"),
    ("name-absolute", shards(edit=placed_at(HEAD, "/etc/passwd")), COMPILE, 2, "leads to another directory"),
    ("name-below", shards(edit=placed_at(HEAD, "x/b.safetensors")), COMPILE, 2, "leads to another directory"),
    ("name-backslash", shards(edit=placed_at(HEAD, "..\\b.safetensors")), COMPILE, 2, "leads to another directory"),
    ("name-dots", shards(edit=placed_at(HEAD, "..")), COMPILE, 2, "is not a file name"),
    ("name-zero-byte", shards(edit=placed_at(HEAD, "b.safetensors\0.bin")), COMPILE, 2, "has a zero byte"),
    ("name-pickle", shards(edit=placed_at(HEAD, "b.bin")), COMPILE, 2, "expected a .safetensors file, but found 'b.bin'"),
    ("name-long", shards(edit=placed_at(HEAD, "b" * 5000 + ".safetensors")), COMPILE, 2, "is not in the directory"),
    ("name-other-case", shards(edit=placed_at(HEAD, "B.safetensors")), COMPILE, 2, "there is 'b.safetensors', which differs in case"),
    ("name-terminal", shards(edit=placed_at(HEAD, "\u001b[2Jb.safetensors")), COMPILE, 2, "shard '?[2Jb.safetensors' is not in the directory"),
    ("name-unicode", shards(second="gewichte-\u00e9.safetensors"), COMPILE, 0, "wrote out.sluice"),
    ("name-unicode-other-form", all_of(shards(edit=placed_at(HEAD, "e\u0301.safetensors"), second="\u00e9.safetensors")), COMPILE, 2,
     "is not in the directory"),
    ("shard-missing", shards(edit=placed_at(HEAD, "c.safetensors")), COMPILE, 2, "shard 'c.safetensors' is not in the directory; fetch it"),
    ("shard-is-directory", all_of(shards(edit=placed_at(HEAD, "c.safetensors")), directory("model/c.safetensors")), COMPILE, 2,
     "expected a regular file of safetensors"),
    ("shard-is-lfs-pointer", all_of(shards(), file("model/b.safetensors", LFS)), COMPILE, 2, "Git LFS pointer"),
    ("index-is-lfs-pointer", shards(index=LFS), COMPILE, 2, "Git LFS pointer"),
    ("index-is-directory", all_of(config(), directory("model/model.safetensors.index.json")), COMPILE, 2, "expected a regular file"),
    ("tensor-not-in-shard", shards(edit=placed_at(HEAD, "a.safetensors")), COMPILE, 2,
     "tensor 'lm_head.weight' is not in 'a.safetensors', where the index places it"),
    ("tensor-in-no-shard", shards(edit=placed_at("ghost", "a.safetensors")), COMPILE, 2, "tensor 'ghost' is not in 'a.safetensors'"),
    ("tensor-in-two-shards", shards(extra={"model.embed_tokens.weight": [11, 16]}), COMPILE, 2, "which of the two is meant?"),
    ("tensor-left-out", shards(extra={"surplus": [2]}), COMPILE, 0, "1 tensor of the shards, 'surplus' in 'b.safetensors'"),
    ("key-twice", shards(index='{"weight_map": {"x": "a.safetensors", "x": "b.safetensors"}}'), COMPILE, 2, "key 'x' appears twice"),
    ("nests", shards(index='{"weight_map": ' + "[" * 100000), COMPILE, 2, "at most 128 nested brackets"),
    ("too-many-shards", shards(edit=lambda w: w["weight_map"].update({f"t{i}": f"{i}.safetensors" for i in range(10001)})), COMPILE, 2,
     "expected at most 10000 shards, but 'weight_map' names 10003 files"),
    ("shard-link-outside", all_of(shards(), lambda f: os.rename(f / "model/b.safetensors", f / "elsewhere"),
     link("model/b.safetensors", "../elsewhere")), COMPILE, 0, "wrote out.sluice"),
    ("beside-single", all_of(llama(), shards(index="{")), COMPILE, 0, "wrote out.sluice"),
    ("nan-in-shard", all_of(shards(), lambda f: (f / "model/b.safetensors").write_bytes(
        (f / "model/b.safetensors").read_bytes()[:-4] + NAN)), COMPILE, 2, "has 1 NaN and 0 infinite numbers"),
]  # fmt: skip

CONFIG = [
    ("no-directory", files(), "sluicec nowhere -o out.sluice", 2, "there is nothing of that name"),
    ("no-config", directory("model"), SEEDED, 2, "config.json: error: cannot open: No such file or directory"),
    ("empty", config(""), SEEDED, 2, "not valid JSON"),
    ("not-json", config("hidden_size: 16"), SEEDED, 2, "config.json:1:2: error: not valid JSON"),
    ("cut", config(json.dumps(LLAMA)[:-30]), SEEDED, 2, "not valid JSON"),
    ("array", config("[]"), SEEDED, 2, "expected an object at the top of the file, but found an array"),
    ("zero-bytes", config("\0" * 100), SEEDED, 2, "not valid JSON"),
    ("not-utf8", file("model/config.json", b'{"model_type": "\xff"}'), SEEDED, 2, "utf-8"),
    ("bom", config("\ufeff" + json.dumps(LLAMA)), SEEDED, 2, "not valid JSON"),
    ("nests-200000", config("[" * 200000), SEEDED, 2, "expected at most 128 nested brackets"),
    ("nests-objects", config('{"a":' * 100000), SEEDED, 2, "expected at most 128 nested brackets"),
    ("key-twice", config('{"model_type": "llama", "model_type": "bert"}'), SEEDED, 2, "key 'model_type' appears twice in one object"),
    ("large", sparse("model/config.json", 65 << 20), SEEDED, 2, "expected at most 67108864 bytes"),
    ("is-directory", directory("model/config.json"), SEEDED, 2, "expected a regular file"),
    ("is-fifo", fifo("model/config.json"), SEEDED, 2, "expected a regular file"),
    ("is-device", all_of(directory("model"), link("model/config.json", "/dev/zero")), SEEDED, 2, "expected a regular file"),
    ("is-lfs-pointer", config(LFS), SEEDED, 2, "Git LFS pointer"),
    ("no-type", config(drop=["model_type"]), SEEDED, 2, "expected 'model_type' to be a string that names the family; it is absent"),
    ("type-is-number", config(model_type=3), SEEDED, 2, "it is a number"),
    ("type-unknown", config(model_type="llamma"), SEEDED, 3, "has no family (did you mean 'llama'?)"),
    ("type-is-path", config(model_type="../../etc/passwd"), SEEDED, 3, "has no family"),
    ("type-terminal", config(model_type="\u001b[2J"), SEEDED, 3, "model_type '?[2J' has no family"),
    ("size-zero", config(hidden_size=0), SEEDED, 2, "expected 'hidden_size' to be at least 1, but it is 0"),
    ("size-negative", config(intermediate_size=-1), SEEDED, 2, "expected 'intermediate_size' to be at least 1, but it is -1"),
    ("size-string", config(hidden_size="16"), SEEDED, 2, "to be a whole number, but found a string"),
    ("size-fraction", config(hidden_size=16.5), SEEDED, 2, "to be a whole number, but found a number 16.5"),
    ("size-null", config(num_key_value_heads=None), SEEDED, 0, ""),
    ("size-2^31", config(vocab_size=1 << 31), SEEDED, 2, "expected a number from 1 to 2147483647"),
    ("size-2^64", config(vocab_size=1 << 64), SEEDED, 2, "vocab_size"),
    ("size-1e300", config(vocab_size=1e300), SEEDED, 2, "vocab_size"),
    ("layers-2^31", config(num_hidden_layers=(1 << 31) - 1), SEEDED, 2, "at most 4096"),
    ("heads-zero", config(num_attention_heads=0), SEEDED, 2, "expected 'num_attention_heads' to be at least 1"),
    ("heads-not-multiple", config(num_attention_heads=3), SEEDED, 2, "3"),
    ("kv-heads-more", config(num_key_value_heads=4), SEEDED, 2, "num_key_value_heads"),
    ("head-odd", config(hidden_size=18, num_attention_heads=2, num_key_value_heads=1), SEEDED, 2, "head_dim must be even"),
    ("eps-negative", config(rms_norm_eps=-1.0), SEEDED, 2, "rms_norm_eps"),
    ("theta-zero", config(rope_theta=0.0), SEEDED, 2, "rope_theta"),
    ("act-unknown", config(hidden_act="swiglu2"), SEEDED, 3, "'hidden_act' is 'swiglu2', which is not built"),
    ("rope-type-unknown", config(rope_scaling={"rope_type": "spiral", "factor": 4.0}), SEEDED, 3, "spiral"),
    ("rope-scaling-is-list", config(rope_scaling=[1]), SEEDED, 2, "rope_scaling"),
    ("auto-map", config(auto_map={"AutoModel": "modeling.Evil"}), SEEDED, 3, "auto_map"),
    ("quantized", config(quantization_config={"quant_method": "gptq", "bits": 4}), SEEDED, 3, "quantization_config"),
    ("two-spellings", config(torch_dtype="float32", dtype="bfloat16"), SEEDED, 2, "another spelling of the same"),
    ("tied-with-head", llama(weights(struct.pack("<f", 9.0)), tie_word_embeddings=True), COMPILE, 2, "lm_head.weight"),
    ("dtype-unknown", config(torch_dtype="int3"), SEEDED, 3, "int3"),
    ("eos-is-string", config(eos_token_id="2"), SEEDED, 2, "eos_token_id"),
    ("eos-negative", config(eos_token_id=-1), SEEDED, 2, "expected ids of tokens, from 0 to 2147483647, but found -1"),
    ("generation-config-broken", all_of(config(), file("model/generation_config.json", "{")), SEEDED, 2, "generation_config.json:1:1"),
    ("modules-broken", all_of(config(model_type="bert"), file("model/modules.json", "{}")), SEEDED, 2, "modules.json"),
    ("modules-path-out", all_of(config(model_type="bert"), file("model/modules.json", json.dumps(
        [{"type": "x.Transformer", "path": ""}, {"type": "x.Pooling", "path": "../../etc"}]))), SEEDED, 2, "leads to another directory"),
    ("family-is-missing", config(), SEEDED + " --family=nowhere.yaml", 2, "nowhere.yaml: error: cannot open"),
    ("family-is-binary", all_of(config(), file("f.yaml", b"\x7fELF\0\0\xff")), SEEDED + " --family=f.yaml", 2, "f.yaml"),
]  # fmt: skip

TOY = """sluice: 1
model: {name: toy, kind: op}
axes: {width: 8}
random: 3
weights:
  scale: {name: norm.weight, shape: [width], role: scale}
  dense: {name: dense.weight, shape: [width, width]}
functions:
  layer:
    inputs: {x: "f32[rows, width]"}
    steps:
      - {op: norm, kind: rms, x: x, weight: scale, eps: 1.0e-5, to: h}
      - {op: linear, x: h, weight: dense, to: h}
    results: {y: h}
"""
YAML = "sluicec toy.sluice.yaml -o out.sluice"


def toy(old=None, new="", text=None):
    """The toy description with one piece of its text changed."""
    whole = TOY if text is None else text
    assert old is None or old in whole, old
    return file("toy.sluice.yaml", whole.replace(old, new) if old else whole)


DESCRIPTION = [
    ("good", toy(), YAML, 0, "wrote out.sluice"),
    ("missing", files(), YAML, 2, "toy.sluice.yaml: error: cannot open: No such file or directory"),
    ("empty", toy(text=""), YAML, 2, "expected a map at the top of the file, but found nothing"),
    ("list", toy(text="- 1\n- 2\n"), YAML, 2, "expected a map at the top of the file, but found a list"),
    ("scalar", toy(text="hello"), YAML, 2, "expected a map at the top of the file"),
    ("binary", file("toy.sluice.yaml", bytes(range(256))), YAML, 2, "toy.sluice.yaml"),
    ("zero-byte", toy("toy", "t\0y"), YAML, 2, "toy.sluice.yaml"),
    ("nests-flow", toy(text="a: " + "[" * 100000), YAML, 2, "toy.sluice.yaml"),
    ("nests-maps", toy(text="".join(" " * i + "a:\n" for i in range(400))), YAML, 2, "nested levels"),
    ("nests-maps-flow", toy(text="a: " + "{a: " * 50000), YAML, 2, "toy.sluice.yaml"),
    ("nests-dashes", toy(text="a: \n" + "- " * 50000 + "b\n"), YAML, 2, "toy.sluice.yaml"),
    ("documents-100000", toy(text="--- \n" * 100000), YAML, 2, "toy.sluice.yaml"),
    ("document-ends", toy(text="...\n" * 100000), YAML, 2, "expected one document"),
    ("billion-laughs", toy(text="a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"), YAML, 2, "anchors and aliases are not part of the language"),
    ("tag", toy(text="a: !!python/object:os.system x\n"), YAML, 2, "tags are not part of the language"),
    ("directive", toy(text="%YAML 1.2\n---\na: b\n"), YAML, 2, "YAML directives are not part of the language"),
    ("tab", toy("  scale:", "\tscale:"), YAML, 2, "expected spaces as indentation, but found a tab"),
    ("key-twice", toy("axes: {width: 8}", "axes: {width: 8, width: 9}"), YAML, 2, "key 'width' appears twice"),
    ("quote-open", toy('"f32[rows, width]"', '"f32[rows, width]'), YAML, 2, "toy.sluice.yaml"),
    ("large", sparse("toy.sluice.yaml", 17 << 20), YAML, 2, "expected at most 16777216 bytes"),
    ("is-directory", directory("toy.sluice.yaml"), YAML, 2, "config.json"),
    ("edition-2", toy("sluice: 1", "sluice: 2"), YAML, 2, "sluice"),
    ("edition-missing", toy("sluice: 1\n", ""), YAML, 2, "sluice"),
    ("key-unknown", toy("random: 3", "randum: 3"), YAML, 2, "key 'randum' is not known"),
    ("axis-zero", toy("width: 8", "width: 0"), YAML, 2, "expected a number from 1 to 2147483647"),
    ("axis-2^31", toy("width: 8", "width: 2147483648"), YAML, 2, "expected a number from 1 to 2147483647"),
    ("axis-overflow", toy("width: 8", "width: 9223372036854775807 + 1"), YAML, 2, "64"),
    ("axis-division", toy("width: 8", "width: 8 / 0"), YAML, 2, "toy.sluice.yaml:3"),
    ("axis-minimum-negated", toy("width: 8", "width: -9223372036854775807 - 1 // -1"), YAML, 2, "toy.sluice.yaml:3"),
    ("axis-itself", toy("width: 8", "width: width"), YAML, 2, "width"),
    ("expression-nests", toy("width: 8", "width: " + "(" * 5000 + "8" + ")" * 5000), YAML, 2, "toy.sluice.yaml:3"),
    ("expression-minuses", toy("width: 8", "width: " + "-" * 199999 + "8"), YAML, 2, "toy.sluice.yaml:3"),
    ("expression-long-number", toy("width: 8", "width: " + "9" * 5000), YAML, 2, "toy.sluice.yaml:3"),
    ("name-terminal", toy("op: norm", 'op: "\\e[2J"'), YAML, 2, "?[2J"),
    ("op-unknown", toy("op: linear", "op: linnear"), YAML, 2, "linnear"),
    ("value-unknown", toy("x: h, weight: dense", "x: g, weight: dense"), YAML, 2, "g"),
    ("weight-unknown", toy("weight: dense", "weight: dence"), YAML, 2, "dence"),
    ("weight-shape", toy("shape: [width, width]", "shape: [width, width + 1]"), YAML, 2, "toy.sluice.yaml"),
    ("weight-rank-1000", toy("shape: [width, width]", "shape: [" + "1, " * 999 + "1]"), YAML, 2, "toy.sluice.yaml"),
    ("eps-nan", toy("1.0e-5", "0.0 / 0.0"), YAML, 2, "toy.sluice.yaml:12"),
    ("eps-string", toy("1.0e-5", "'small'"), YAML, 2, "toy.sluice.yaml:12"),
    ("block-itself", file("toy.sluice.yaml",
     TOY.replace("functions:", "blocks:\n  a:\n    - {block: a}\nfunctions:").replace("{op: linear, x: h, weight: dense, to: h}", "{block: a}")),
     YAML, 2, "does 'a' call itself?"),
    ("blocks-double-40-times", file("toy.sluice.yaml", TOY.replace("functions:", "blocks:\n  b0:\n    - {op: linear, x: h, weight: dense, to: h}\n" +
     "".join(f"  b{i}:\n    - {{block: b{i - 1}}}\n    - {{block: b{i - 1}}}\n" for i in range(1, 40)) + "functions:").replace(
         "      - {op: linear, x: h, weight: dense, to: h}", "      - {block: b39}")), YAML, 2, "expected blocks to call blocks at most 16 levels deep"),
    ("repeat-2^31", file("toy.sluice.yaml", TOY.replace("{op: linear, x: h, weight: dense, to: h}",
     "{op: repeat, layers: 2147483647, carry: [h], steps: [{op: linear, x: h, weight: dense, to: h}]}")), YAML, 2, "expected from 1 to 4096 layers, but found 2147483647"),
    ("step-at-nothing", toy("weight: dense, to: h}", "weight: dense, to: h, at: []}"), YAML, 2,
     "expected at least one FILE:LINE:COLUMN, but found an empty list"),
    ("no-functions", toy("functions:\n  layer:", "blocks:\n  layer:"), YAML, 2, "toy.sluice.yaml"),
    ("from-missing", toy(text="sluice: 1\nfrom: {hf: nowhere}\n"), YAML, 2, "config.json: error: cannot open"),
    ("from-unknown-key", toy(text="sluice: 1\nfrom: {url: x}\n"), YAML, 2, "key 'url' is not known in 'from'"),
    ("set-list", all_of(config(), toy(text="sluice: 1\nfrom: {hf: model}\nset: {hidden_size: [1]}\n")), YAML, 2, "expected a number, a word"),
    ("checkpoint-missing", toy("random: 3", "checkpoint: nowhere"), YAML, 2, "nowhere"),
    ("checkpoint-pickle", all_of(toy("random: 3", "checkpoint: w"), file("w/pytorch_model.bin", b"x")), YAML, 2, "a pickle can run code"),
]  # fmt: skip

MIXTRAL = dict(model_type="mixtral", num_local_experts=4, num_experts_per_tok=2)
QWEN2_MOE = dict(model_type="qwen2_moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=6,
                 shared_expert_intermediate_size=6)
GPT_OSS = dict(model_type="gpt_oss", num_local_experts=4, num_experts_per_tok=2, sliding_window=3)


def routed(attributes, top=2, weigh="sum"):
    """An encoder whose step routes with |attributes| beside."""
    return file("model.sluice.yaml", f"""sluice: 1
model: {{name: m, kind: encoder}}
random: 1
limits: {{vocab: 9}}
weights:
  table: {{name: t, shape: [9, 4], role: table}}
functions:
  forward:
    inputs: {{tokens: "i32[rows]", batch: batch}}
    steps:
      - {{op: embed, table: table, ids: tokens, to: z}}
      - {{op: route, score: softmax, logits: z, top: {top}, weigh: {weigh}{attributes}, to: [i, w]}}
    results: {{w: w}}
""".encode())


ROUTE = "sluicec model.sluice.yaml -o out.sluice"
EXPERTS = [
    ("mixtral", config(**MIXTRAL), SEEDED, 0, "wrote out.sluice"),
    ("mixtral-top-more", config(**{**MIXTRAL, "num_experts_per_tok": 5}), SEEDED, 2, "num_experts_per_tok must not be more than"),
    ("mixtral-top-zero", config(**{**MIXTRAL, "num_experts_per_tok": 0}), SEEDED, 2, "to be at least 1"),
    ("mixtral-no-experts", config(**{**MIXTRAL, "num_local_experts": 0}), SEEDED, 2, "to be at least 1"),
    ("mixtral-many-experts", config(**{**MIXTRAL, "num_local_experts": 4097}), SEEDED, 2, "to be at most 4096"),
    ("mixtral-two-counts", config(**MIXTRAL, num_experts=6), SEEDED, 2, "num_experts"),
    ("qwen2-moe", config(**QWEN2_MOE), SEEDED, 0, "wrote out.sluice"),
    ("qwen2-moe-step-zero", config(**QWEN2_MOE, decoder_sparse_step=0), SEEDED, 2, "to be at least 1"),
    ("qwen2-moe-top-more", config(**{**QWEN2_MOE, "num_experts_per_tok": 5}), SEEDED, 2, "num_experts_per_tok must not be more than"),
    ("gpt-oss", config(**GPT_OSS), SEEDED, 0, "wrote out.sluice"),
    ("gpt-oss-limit", config(**GPT_OSS, swiglu_limit=-1.0), SEEDED, 2, "swiglu_limit"),
    ("gpt-oss-quantised", config(**GPT_OSS, quantization_config={"quant_method": "gptq"}), SEEDED, 3, "gptq"),
    ("llama-quantised", config(quantization_config={"quant_method": "mxfp4"}), SEEDED, 3, "quantised checkpoints are not read"),
    ("route-top", routed("", top=5), ROUTE, 2, "expects 'top' from 1 to the 4 experts, but it is 5  [R3]"),
    ("route-groups", routed(", groups: 3, top_groups: 1"), ROUTE, 2, "expects 'groups' to divide the 4 experts, but it is 3  [R5]"),
    ("route-groups-open", routed(", groups: 4, top_groups: 1"), ROUTE, 2, "expects 1 groups of 1 experts to have the 2"),
    ("route-capacity", routed(", capacity: 0"), ROUTE, 2, "expected a number from 1"),
    ("route-capacity-factor", routed(", capacity_factor: 0.0"), ROUTE, 2, "expects 'capacity_factor' to be finite and positive"),
    ("route-capacities", routed(", capacity: 1, capacity_factor: 1.0"), ROUTE, 2, "expects only one of 'capacity'"),
    ("route-contradiction", routed("", weigh="softmax"), ROUTE, 2, "expects 'weigh softmax' with raw scores"),
    ("route-experts-choose", routed(", chooser: experts"), ROUTE, 2, "expects a capacity when experts choose"),
]

GROUPS = {"safetensors": SAFETENSORS, "index": INDEX, "config": CONFIG, "description": DESCRIPTION, "experts": EXPERTS}
