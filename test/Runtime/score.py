# SPDX-License-Identifier: Apache-2.0
#
# sluice-run --score: the log-likelihood of each token of a text, against the log-softmax of the logits that the model gives
# by --inputs, however the text is cut into steps.
# RUN: rm -rf %t && mkdir %t && sluicec %root/test/Fixtures/llama-gqa/model --weights=random:3 -o %t/tiny.sluice
# RUN: %python %s %t
import json
import os
import subprocess
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

scratch = sys.argv[1]
model, inputs, outputs = (os.path.join(scratch, name) for name in ("tiny.sluice", "in.safetensors", "out.safetensors"))
tokens = [int(token) for token in np.random.default_rng(7).integers(0, 90, 23)]
save_file({"input_ids": np.array([tokens], dtype=np.int64)}, inputs)
subprocess.run(["sluice-run", model, "--inputs", inputs, "--outputs", outputs], check=True)
logits = load_file(outputs)["logits"][0].astype(np.float64)
largest = logits.max(axis=1, keepdims=True)
expected = (logits - largest - np.log(np.exp(logits - largest).sum(axis=1, keepdims=True)))[np.arange(22), tokens[1:]]
text = ",".join(map(str, tokens))
runs = []
for rows in ("512", "5", "1"):
    done = subprocess.run(["sluice-run", model, "--tokens", text, "--score", "--format=json", "--max-rows", rows], check=True, capture_output=True, text=True)
    runs.append(json.loads(done.stdout))
    assert np.abs(np.array(runs[-1]["log_likelihoods"]) - expected).max() < 1e-8, rows
    assert abs(runs[-1]["sum"] - expected.sum()) < 1e-6
assert runs[0] == runs[1] == runs[2]
assert expected.std() > 0.1, "all tokens alike show nothing"
plain = subprocess.run(["sluice-run", model, "--tokens", text, "--score"], check=True, capture_output=True, text=True)
assert [float(x) for x in plain.stdout.split(",")] == runs[0]["log_likelihoods"] and "perplexity" in plain.stderr
for arguments, code, words in (
    (["--tokens", "1", "--score"], 2, "--score: 1 tokens, expected at least 2"),
    (["--inputs", inputs, "--outputs", outputs, "--score"], 1, "--score needs the text in --tokens"),
):
    refused = subprocess.run(["sluice-run", model, *arguments], capture_output=True, text=True)
    assert refused.returncode == code and words in refused.stderr, refused
