# RUN: rm -rf %t && mkdir %t
# RUN: sluice-make-fake %build/runtime/abi-suite/sluice_fake_model.so %t/fake.sluice
# RUN: sluice-make-fake %build/runtime/abi-suite/sluice_fake_model.so %t/encoder.sluice '"decoder"' '"encoder"'
# RUN: sluice-make-fake %build/runtime/abi-suite/sluice_fake_model.so %t/small.sluice '"vocab": 50' '"vocab": 49'
# RUN: %python %s %t
# --inputs and --outputs: padded batches in and out, encoders, functions by name; and everything that is refused.
import os
import signal
import subprocess
import sys
import time

import numpy as np
from safetensors.numpy import load_file, save_file

folder = sys.argv[1]
source, result = f"{folder}/in.safetensors", f"{folder}/out.safetensors"


def start(artefact, inputs, *options):
    save_file({name: np.ascontiguousarray(value) for name, value in inputs.items()}, source)
    if os.path.exists(result):
        os.unlink(result)
    command = ["sluice-run", f"{folder}/{artefact}", "--inputs", source, "--outputs", result, *options]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def run(inputs, *options, artefact="fake.sluice"):
    done = start(artefact, inputs, *options)
    assert done.returncode == 0, done.stderr
    return load_file(result)


def refuse(code, words, inputs, *options, artefact="fake.sluice"):
    done = start(artefact, inputs, *options)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert words in done.stderr, (words, done.stderr)
    left = [name for name in os.listdir(folder) if "part" in name or name.startswith("out.")]
    assert not left, left


rng = np.random.default_rng(1)
ids = rng.integers(0, 49, (5, 37))
mask = np.ones((5, 37), dtype=np.int64)
mask[0, :9] = mask[1, 20:] = mask[3] = 0  # left padding, right padding, nothing at all
batch = {"input_ids": ids, "attention_mask": mask}

# Decoders: [B,T,V]; hidden tokens give zeros and nothing else changes; any chunking, any number of threads.
logits = run(batch)["logits"]
assert logits.shape == (5, 37, 50) and logits.dtype == np.float32
assert (logits[mask == 0] == 0).all() and (logits[mask == 1] != 0).all()
for options in [["--max-rows=7"], ["--max-rows=1", "--threads=2"], ["--spin=never", "--threads=2"]]:
    assert (run(batch, *options)["logits"] == logits).all(), options
for options in [[], ["--max-rows=5", "--threads=2"]]:
    last = run(batch, "--logits=last", *options)["logits"]
    assert last.shape == (5, 1, 50)
    assert (last[0, 0] == logits[0, 36]).all() and (last[1, 0] == logits[1, 19]).all() and (last[3] == 0).all()
assert (run({"input_ids": ids[1:2, :20]})["logits"][0] == logits[1, :20]).all()
assert (run({"input_ids": ids[1:2, :20].astype(np.int32)})["logits"][0] == logits[1, :20]).all()
# Positions are arange(T) over hidden tokens too, unless they are given.
shifted = np.arange(9, 37, dtype=np.int64)[None]
assert (run({"input_ids": ids[:1, 9:], "position_ids": shifted})["logits"][0] == logits[0, 9:]).all()
assert (run({"input_ids": ids[:1, 9:]})["logits"][0] != logits[0, 9:]).any()

refuse(2, "input_ids[1,2] is 50, expected 0 to 49", {"input_ids": np.array([[1, 2, 3], [1, 2, 50]])})
refuse(2, "input_ids[0,0] is -1", {"input_ids": np.array([[-1]])})
refuse(2, "has no input_ids", {"attention_mask": mask})
refuse(2, 'the input "labels" is not one of', {"input_ids": ids, "labels": ids})
refuse(2, "attention_mask has rank 2 and another shape", {"input_ids": ids, "attention_mask": mask[:, 1:]})
refuse(2, "attention_mask[0,9] is 2", {"input_ids": ids, "attention_mask": mask + 1})
refuse(2, "input_ids is F32, expected integers", {"input_ids": ids.astype(np.float32)})
refuse(2, "max_positions", {"input_ids": ids[:1], "position_ids": np.full((1, 37), 500)})
refuse(2, "the model's limit is max_seq = 400", {"input_ids": np.ones((2, 401), dtype=np.int64)})
refuse(2, "token_type_ids, but step of fake takes none", {"input_ids": ids, "token_type_ids": ids * 0})
refuse(4, "fake.yaml:4:2", {"input_ids": np.array([[1, 49]])})
refuse(1, 'no function "stop"', {"input_ids": ids}, "--function=stop")

# Encoders: rows, and one row per sequence.
types = rng.integers(0, 2, (5, 37))
hidden = run(batch | {"token_type_ids": types}, "--max-rows=40", artefact="encoder.sluice")["last_hidden_state"]
assert hidden.shape == (5, 37, 3) and (hidden[mask == 0] == 0).all()
assert (hidden[..., 0] == ids * mask).all() and (hidden[..., 1] == (np.arange(37) + 1000 * types) * mask).all()
short = {"input_ids": ids[:, :12], "attention_mask": mask[:, :12]}
embeddings = run(short, "--function=embed", artefact="encoder.sluice")["embeddings"]
assert embeddings.shape == (5, 2) and (embeddings[:, 1] == mask[:, :12].sum(1)).all()
assert (embeddings[:, 0] == (ids * mask)[:, :12].sum(1)).all()
refuse(2, "13 tokens to embed, the model's limit is embed.max_seq_length = 12", {"input_ids": ids[:, :13]},
       "--function=embed", artefact="encoder.sluice")

# Any function, by its own arguments.
x, y = rng.standard_normal((4, 3), dtype=np.float32), rng.standard_normal((2, 3), dtype=np.float32)
z = run({"x": x, "y": y}, "--function=add")["z"]
assert (z == x + y[[0, 1, 0, 1]]).all()
assert run({"ids": np.array([3, 1, 19])}, "--function=fetch")["values"].shape == (3, 8)
refuse(2, "y has another shape than [2,3]", {"x": x, "y": x}, "--function=add")
refuse(2, 'has no "y"', {"x": x}, "--function=add")
refuse(2, "x is F64, expected F32", {"x": x.astype(np.float64), "y": y}, "--function=add")
refuse(2, "does not fit in 32 bits", {"ids": np.array([1 << 32])}, "--function=fetch")
refuse(4, "row number of a gather", {"ids": np.array([20])}, "--function=fetch")

# Files that are none.
save_file({"input_ids": ids}, source)
whole = open(source, "rb").read()
for cut in [0, 7, 8, 40, len(whole) - 1]:
    open(source, "wb").write(whole[:cut])
    command = ["sluice-run", f"{folder}/fake.sluice", "--inputs", source, "--outputs", result]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "error:" in done.stderr and not os.path.exists(result), (cut, done.stderr)
open(source, "wb").write(whole)
command[-1] = f"{folder}/nowhere/out.safetensors"
done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
assert done.returncode == 2 and "cannot write" in done.stderr, done.stderr

# An interrupt ends it with 130.
command = ["sluice-run", "bench", f"{folder}/small.sluice", "--prompt=200", "--repetitions=100000"]
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(0.5)
process.send_signal(signal.SIGINT)
assert process.wait(timeout=30) == 130
