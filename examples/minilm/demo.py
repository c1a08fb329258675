# SPDX-License-Identifier: Apache-2.0
"""./dev demo minilm: compiles a trained sentence encoder, embeds a page of text, and searches the page by meaning.

The model is all-MiniLM-L6-v2, as its authors published it. sluicec reads its config.json and safetensors and writes an
artefact; sluice-run turns token ids into embeddings; Python cuts the text into tokens and prints.

    --require-weights   fail when the weights cannot be had. Otherwise a model of the same shape with random weights runs,
                        which shows the times but cannot rank
    --verify            compare every embedding with PyTorch's, live; needs ./dev setup --conformance

Exit codes: 0 ok, 1 usage, 4 the weights or PyTorch are missing or a tool failed, 5 an embedding differs.
"""

import argparse
import json
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np

import fetch
import text
from sluice import tools

HERE = Path(__file__).resolve().parent
LEAST_COSINE = 0.99999
SHOWN = 3
# all-MiniLM-L6-v2's shape, for when its files are not there.
SHAPE = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 384, "intermediate_size": 1536,
    "num_hidden_layers": 6, "num_attention_heads": 12, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512, "type_vocab_size": 2, "vocab_size": 30522, "pad_token_id": 0,
}  # fmt: skip
SENTENCE_FILES = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ],
    "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
}


def embed(artefact, inputs):
    """(f32 [B, 384] of length one, seconds): what sluice-run makes of the tokens, loading included."""
    start = time.perf_counter()
    out = tools.run_inputs(artefact, inputs, "--function", "embed")["embeddings"]
    return out, time.perf_counter() - start


def report_times(compile_seconds, artefact, inputs):
    """Embeds |inputs| and prints how long everything took. Loading is timed by a run of one token."""
    one = {name: array[:1, :1] for name, array in inputs.items()}
    load_seconds = min(embed(artefact, one)[1] for _ in range(2))
    found, seconds = embed(artefact, inputs)
    tokens = int(inputs["attention_mask"].sum())
    busy = max(seconds - load_seconds, 1e-3)
    print(f"compiled in {compile_seconds:.1f} s; loads and runs one token in {load_seconds * 1e3:.0f} ms; "
          f"{len(found)} sentences, {tokens} tokens in {busy * 1e3:.0f} ms: {tokens / busy:,.0f} tokens/s")
    return found


def rank(page, queries, page_vectors, query_vectors):
    for query, scores in zip(queries, query_vectors @ page_vectors.T):
        print(f"\n? {query}")
        for index in np.argsort(-scores, kind="stable")[:SHOWN]:
            print(f"  {scores[index]:.3f}  {page[index]}")


def verify(model, inputs, found):
    """Fails with 5 unless each embedding points where PyTorch's does."""
    import pytorch  # needs torch, which only --conformance installs

    expected = pytorch.embed(model, inputs)
    cosines = (found * expected).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(expected, axis=-1)
    worst = int(cosines.argmin())
    print(f"\nagainst PyTorch: the least cosine of {len(found)} sentences is {cosines[worst]:.7f}")
    if not cosines[worst] >= LEAST_COSINE:
        tools.fail(f"demo: sentence {worst} has cosine {cosines[worst]:.6f} to PyTorch's, below {LEAST_COSINE}", 5)


def run_trained(model, arguments):
    page, queries = ((HERE / name).read_text().splitlines() for name in ("page.txt", "queries.txt"))
    artefact = fetch.cache() / "minilm.sluice"
    print(f"model: all-MiniLM-L6-v2 from {model}")
    compile_seconds = tools.compile_model(model, artefact)
    tokenizer = text.load_tokenizer(model)
    inputs = text.encode(tokenizer, page)
    page_vectors = report_times(compile_seconds, artefact, inputs)
    query_vectors, _ = embed(artefact, text.encode(tokenizer, queries))
    rank(page, queries, page_vectors, query_vectors)
    if arguments.verify:
        verify(model, inputs, page_vectors)


def run_seeded(reason):
    print("THIS IS NOT THE TRAINED MODEL: random weights of the same shape, so only the times mean anything.")
    print(f"reason: {reason}")
    model = tools.build_folder() / "cache" / "minilm-seeded"
    shutil.rmtree(model, ignore_errors=True)
    for name, content in {"config.json": SHAPE, **SENTENCE_FILES}.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(json.dumps(content, indent=2) + "\n")
    artefact = model.with_suffix(".sluice")
    compile_seconds = tools.compile_model(model, artefact, "--weights=random:1")
    # As many tokens as the page has words and stops.
    lines = (HERE / "page.txt").read_text().splitlines()
    lengths = [len(re.findall(r"\w+|[^\w\s]", line)) + 2 for line in lines]
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    ids = np.random.default_rng(1).integers(1, SHAPE["vocab_size"], mask.shape) * mask
    report_times(compile_seconds, artefact,
                 {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})


def main():
    parser = argparse.ArgumentParser(prog="./dev demo minilm", description=__doc__.splitlines()[0])
    parser.add_argument("--verify", action="store_true", help="compare with PyTorch, live")
    parser.add_argument("--require-weights", action="store_true", help="fail when the trained weights cannot be had")
    try:
        arguments = parser.parse_args()
    except SystemExit as stop:
        return 1 if stop.code else 0
    try:
        model = fetch.fetch()
    except fetch.Unavailable as error:
        if arguments.require_weights or arguments.verify:
            tools.fail(f"demo: the trained weights are not available: {error}", 4)
        run_seeded(error)
        return 0
    run_trained(model, arguments)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except tools.ToolError as error:
        # A tool's own code says what went wrong better than one of ours would.
        tools.fail(f"demo: {error}", error.code)
