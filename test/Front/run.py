# SPDX-License-Identifier: Apache-2.0
#
# `python -m sluice run` on llama and qwen2: the tokens of sluice-run, greedy and sampled; the text is what the tokenizer
# decodes them to, whole and streamed; chat template, stop ids, cache, scoring; the Python API beside the command.
# RUN: rm -rf %t && env PYTHONPATH=%root/python:%S/Inputs %python %s %t
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import tiny
from sluice import Model, Sampling, Usage

scratch = Path(sys.argv[1])
scratch.mkdir(parents=True)
CACHE = scratch / "cache"
COMMON = ("--cache", CACHE, f"--compile={tiny.RANDOM}", "--threads", 1)
PROMPT = "the quick 你好 fox"


def ran(*arguments, **options):
    done = tiny.front(*arguments, *COMMON, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done


def of_sluice_run(artefact, tokens, *options):
    text = ",".join(map(str, tokens))
    done = subprocess.run(
        ["sluice-run", artefact, "--tokens", text, "--format=json", "--threads=1", *options],
        check=True,
        capture_output=True,
    )
    return json.loads(done.stdout)


for family in ("llama", "qwen2"):
    model = tiny.write_model(scratch / family, family)
    tokenizer = tiny.byte_level()
    first = ran(model, "--prompt", PROMPT, "--raw", "--max-new-tokens", 24, "--format", "json")
    assert b"compiling" in first.stderr
    result = json.loads(first.stdout)
    artefact = next(CACHE.glob(f"{family}-*.sluice"))
    ids = tokenizer.encode(PROMPT).ids
    assert ids[0] == 0 and result["prompt_tokens"] == len(ids)
    assert result["tokens"] == of_sluice_run(artefact, ids, "--max-new=24")["tokens"]
    assert len(set(result["tokens"])) > 4, "one token again and again shows nothing"
    # With context, so that a decoder that strips the beginning of a text does not strip this one.
    whole = tokenizer.decode(ids + result["tokens"])
    assert tokenizer.decode(ids) + result["text"] == whole, (result["text"], whole)

    drawn = (
        "--temperature=1.3",
        "--top-k=40",
        "--top-p=0.9",
        "--min-p=0.01",
        "--repetition-penalty=1.2",
        "--logit-bias=7:2.5,9:-inf",
        "--seed=77",
    )
    again = ran(model, "--prompt", PROMPT, "--raw", "--max-new-tokens", 24, "--format", "json", *drawn)
    assert b"compiling" not in again.stderr, "the artefact is kept"
    sampled = json.loads(again.stdout)["tokens"]
    assert sampled == of_sluice_run(artefact, ids, "--max-new=24", *drawn)["tokens"] != result["tokens"]

    # From an artefact the tokenizer is named; text is the same, byte for byte, and ends with a newline.
    text = tiny.front(
        artefact,
        "--tokenizer",
        model,
        "--raw",
        "--prompt",
        "-",
        "--max-new-tokens",
        24,
        "--threads",
        1,
        input=PROMPT.encode(),
    )
    assert text.returncode == 0 and text.stdout == result["text"].encode() + b"\n", text
    assert b"24 new ones" in text.stderr

    if family == "qwen2":
        continue  # What is below does not depend on the model.

    # The model's template: special tokens of the text are tokens, and the tokenizer adds none.
    chat = json.loads(
        ran(model, "--prompt", "dog", "--system", "fox", "--max-new-tokens", 5, "--format", "json").stdout
    )
    conversation = tokenizer.encode("<|system|>fox<|end|><|user|>dog<|end|><|assistant|>", add_special_tokens=False).ids
    assert (
        chat["prompt_tokens"] == len(conversation)
        and chat["tokens"] == of_sluice_run(artefact, conversation, "--max-new=5")["tokens"]
    )
    (scratch / "own.jinja").write_text("{{ bos_token }}{{ messages[0]['content'] | upper }}")
    own = json.loads(
        ran(
            model,
            "--prompt",
            "dog",
            "--chat-template",
            scratch / "own.jinja",
            "--max-new-tokens",
            5,
            "--format",
            "json",
        ).stdout
    )
    assert own["tokens"] == of_sluice_run(artefact, tokenizer.encode("DOG").ids, "--max-new=5")["tokens"]

    # Scoring: sluice-run's numbers; with a prompt, only what comes after it counts, and the two add up.
    scored = json.loads(ran(model, "--score", PROMPT, "--format", "json").stdout)
    expected = of_sluice_run(artefact, ids, "--score")
    assert scored["tokens"] == ids[1:]
    assert all(abs(a - b) < 1e-9 for a, b in zip(scored["log_likelihoods"], expected["log_likelihoods"], strict=True))
    tail = json.loads(ran(model, "--prompt", "the quick", "--score", " brown dog", "--format", "json").stdout)
    joined = tokenizer.encode("the quick").ids + tokenizer.encode(" brown dog", add_special_tokens=False).ids
    rest = of_sluice_run(artefact, joined, "--score")["log_likelihoods"][-len(tail["tokens"]) :]
    assert all(abs(a - b) < 1e-9 for a, b in zip(tail["log_likelihoods"], rest, strict=True))
    plain = ran(model, "--score", PROMPT)
    assert abs(float(plain.stdout) - scored["sum"]) < 1e-6 and b"perplexity" in plain.stderr

    # A stop id of generation_config.json ends the text, is given as a token and is no text; --ignore-eos goes on.
    stop = result["tokens"][3]
    at = result["tokens"].index(stop)
    (model / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, stop]}))
    ended = json.loads(ran(model, "--prompt", PROMPT, "--raw", "--max-new-tokens", 24, "--format", "json").stdout)
    assert ended["tokens"] == result["tokens"][: at + 1] and ended["stopped"], ended
    assert tokenizer.decode(ids) + ended["text"] == tokenizer.decode(ids + result["tokens"][:at])
    on = json.loads(
        ran(model, "--prompt", PROMPT, "--raw", "--max-new-tokens", 24, "--format", "json", "--ignore-eos").stdout
    )
    assert on["tokens"] == result["tokens"] and not on["stopped"]
    (model / "generation_config.json").unlink()

    with Model(model, cache=CACHE, options=[tiny.RANDOM], threads=1) as api:
        assert api.generate(PROMPT, 24) == result["text"] == "".join(api.stream(PROMPT, 24))
        assert list(api.stream_tokens(ids, 24)) == result["tokens"]
        assert list(api.stream_tokens(ids, 0)) == []
        assert (
            api.generate([{"role": "system", "content": "fox"}, {"role": "user", "content": "dog"}], 5) == chat["text"]
        )
        assert abs(api.score(PROMPT).total - scored["sum"]) < 1e-9
        assert math.isclose(
            api.score(PROMPT).perplexity, math.exp(-scored["sum"] / len(scored["tokens"])), rel_tol=1e-9
        )
        # A stream that is dropped half-way leaves the model free for the next one; two at once are refused.
        half = api.stream(PROMPT, 24)
        next(half)
        try:
            next(api.stream(PROMPT, 24))
            raise AssertionError("two streams at once")
        except Exception as error:
            assert "another stream" in str(error)
        half.close()
        assert api.generate(PROMPT, 24, Sampling(temperature=0)) == result["text"]
        # A text that fills the model: prompts longer than a step, up to the last position.
        long = (ids * 40)[:150]
        assert list(api.stream_tokens(long, 11)) == of_sluice_run(artefact, long, "--max-new=11")["tokens"]
    try:
        Sampling(top_p=2)
        raise AssertionError("top-p of 2")
    except Usage as error:
        assert "top-p is 2" in str(error)
