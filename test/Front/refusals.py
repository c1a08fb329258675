# SPDX-License-Identifier: Apache-2.0
#
# Bad input ends in one sentence and the right exit code: options, missing and broken tokenizers, templates of all kinds of
# faults, ids that no token has, texts that are none, models that are none, lengths past the limit, outputs that are closed.
# RUN: rm -rf %t && env PYTHONPATH=%root/python:%S/Inputs %python %s %t
import json
import os
import signal
import shutil
import subprocess
import sys
import time
from pathlib import Path

import tiny

scratch = Path(sys.argv[1])
scratch.mkdir(parents=True)
COMMON = ("--cache", scratch / "cache", f"--compile={tiny.RANDOM}", "--threads=1", "--max-new-tokens=4")
model = tiny.write_model(scratch / "good")
assert tiny.front(model, "--prompt", "fox", *COMMON).returncode == 0
artefact = next((scratch / "cache").glob("good-*.sluice"))
rows = []


def refuse(code, words, *arguments, **options):
    rows.append((code, words, arguments, options))


def with_files(name, **files):
    """A copy of the compiled model with other files beside it; None removes one."""
    folder = scratch / name
    shutil.copytree(artefact, folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model / file, folder)
    for file, content in files.items():
        file = folder / file.replace("__", ".")
        if content is None:
            file.unlink()
        elif isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content)
    return folder


def with_template(name, template):
    return with_files(name, tokenizer_config__json=json.dumps({"chat_template": template}))


# ---- options ----
for words, arguments in (
    ("nothing to do: give --prompt, --score", ()),
    ("unrecognized arguments: --temprature=1", ("--prompt=x", "--temprature=1")),
    ("unrecognized arguments: --temp=1", ("--prompt=x", "--temp=1")),
    ("argument --top-k: invalid int value: 'many'", ("--prompt=x", "--top-k=many")),
    ("top-k is -1, expected a whole number from 0", ("--prompt=x", "--top-k=-1")),
    ("top-k is 4294967297, expected", ("--prompt=x", "--top-k=4294967297")),
    ("top-p is 1.5, expected a probability from 0 to 1", ("--prompt=x", "--top-p=1.5")),
    ("min-p is nan, expected a number from 0 to 1", ("--prompt=x", "--min-p=nan")),
    ("temperature is -1.0, expected a number from 0", ("--prompt=x", "--temperature=-1")),
    ("temperature is inf, expected", ("--prompt=x", "--temperature=inf")),
    ("repetition-penalty is -2.0, expected", ("--prompt=x", "--repetition-penalty=-2")),
    ("seed is 9223372036854775808, expected a whole number of 64 bits", ("--prompt=x", "--seed=9223372036854775808")),
    ("'7', expected TOKEN:NUMBER", ("--prompt=x", "--logit-bias=7")),
    ("'a:1', expected TOKEN:NUMBER", ("--prompt=x", "--logit-bias=1:2,a:1")),
    ("logit-bias of token 3 is inf, expected a number up to 1e6", ("--prompt=x", "--logit-bias=3:inf")),
    ("--max-new-tokens is -1", ("--prompt=x", "--max-new-tokens=-1")),
    ("--threads is -1, expected 0", ("--prompt=x", "--threads=-1")),
    ("--raw uses no chat template", ("--prompt=x", "--raw", "--system=y")),
    ("--system needs a --prompt", ("--score=x", "--system=y")),
    ("invalid choice: 'xml'", ("--prompt=x", "--format=xml")),
    ("--compile: no closing quotation", ("--prompt=x", "--compile='")),
    (
        "compiled already, so these options of the compiler can do nothing: --dtype=bf16",
        (artefact, "--prompt=x", "--compile=--dtype=bf16"),
    ),
):
    refuse(1, words, *(arguments if arguments and arguments[0] == artefact else (model, *arguments)))

# ---- models ----
(scratch / "empty").mkdir()
(scratch / "broken-config").mkdir()
(scratch / "broken-config" / "config.json").write_text("{")
encoder = scratch / "encoder"
encoder.mkdir()
(encoder / "config.json").write_text(
    json.dumps(
        {
            "model_type": "bert",
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 24,
            "vocab_size": 30,
            "max_position_embeddings": 16,
            "type_vocab_size": 2,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
        }
    )
)
(scratch / "occupied").write_text("a file")
refuse(2, "no such model; expected a Hugging Face directory or an artefact", scratch / "nowhere", "--prompt=x")
refuse(2, "neither config.json nor manifest.json", scratch / "empty", "--prompt=x")
refuse(2, "config.json", scratch / "broken-config", "--prompt=x", *COMMON)
refuse(2, "is no decoder, so it cannot continue a text", encoder, "--prompt=x", *COMMON)
refuse(2, "manifest.json", with_files("cut", manifest__json="{"), "--prompt=x")
refuse(
    2,
    "choose another folder with --cache",
    model,
    "--prompt=x",
    "--cache",
    scratch / "occupied" / "below",
    f"--compile={tiny.RANDOM}",
)
refuse(1, "--nonsense", model, "--prompt=x", "--cache", scratch / "cache", "--compile=--nonsense")
refuse(2, "good", model, "--prompt=x", "--cache", scratch / "cache")  # no weights, and no seed for them
refuse(2, "is missing; build it (./dev build)", model, "--prompt=x", env={**os.environ, "SLUICE_BUILD": str(scratch)})
refuse(2, "cannot load the runtime", artefact, "--prompt=x", env={**os.environ, "SLUICE_BUILD": str(scratch)})

# ---- tokenizers ----
big = tiny.byte_level()
big.add_tokens([f"<extra{i}>" for i in range(200)])
refuse(
    2,
    "has no tokenizer.json, so text cannot become tokens; say where there is one with --tokenizer",
    artefact,
    "--prompt=x",
)
refuse(2, "no such tokenizer", artefact, "--prompt=x", "--tokenizer", scratch / "nowhere")
refuse(2, "tokenizer.json is no tokenizer", with_files("no-json", tokenizer__json="{"), "--prompt=x")
refuse(
    2,
    "tokenizer.json is no tokenizer",
    with_files("other-json", tokenizer__json='{"model": {"type": "Mystery"}}'),
    "--prompt=x",
)
refuse(2, "is no text in UTF-8", with_files("latin", tokenizer__json=b'{"\xe9": 1}'), "--prompt=x")
refuse(2, "belongs to another model", with_files("big", tokenizer__json=big.to_str()), "--raw", "--prompt=<extra199>")
refuse(
    2,
    "the prompt has no tokens",
    with_files("no-bos", tokenizer__json=tiny.byte_fallback().to_str()),
    "--raw",
    "--prompt=",
)
refuse(
    2,
    "the text is not valid Unicode",
    artefact,
    "--tokenizer",
    model,
    "--raw",
    "--prompt",
    b"\xff\xfe".decode(errors="surrogateescape"),
)
refuse(
    1,
    "the prompt on stdin is no text in UTF-8: invalid start byte at byte 2",
    artefact,
    "--tokenizer",
    model,
    "--prompt=-",
    input=b"ab\xff",
)
refuse(2, "too few tokens", with_files("no-bos-score", tokenizer__json=tiny.byte_fallback().to_str()), "--score=")

# ---- templates ----
refuse(2, "bad chat template, line 2", with_template("unclosed", "a\n{% if x %}"), "--prompt=x")
refuse(2, "bad chat template", with_template("tag", "{% frobnicate %}"), "--prompt=x")
refuse(
    2, "roles must alternate", with_template("raises", "{{ raise_exception('roles must alternate') }}"), "--prompt=x"
)
refuse(2, "refuses this conversation", with_template("divides", "{{ 1 / 0 }}"), "--prompt=x")
refuse(
    2,
    "refuses this conversation",
    with_template("escapes", "{{ ''.__class__.__mro__[1].__subclasses__() }}"),
    "--prompt=x",
)
refuse(2, "refuses this conversation", with_template("mutates", "{{ messages.append(1) }}"), "--prompt=x")
refuse(
    2, "refuses this conversation", with_template("range", "{% for i in range(10 ** 9) %}x{% endfor %}"), "--prompt=x"
)
refuse(
    2,
    "MiB of text",
    with_template(
        "endless", "{% for i in range(9999) %}{% for j in range(9999) %}{{ 'x' * 9999 }}{% endfor %}{% endfor %}"
    ),
    "--prompt=x",
)
refuse(2, 'expected "chat_template" to be text', with_template("number", 7), "--prompt=x")
refuse(2, 'named "default"', with_template("others", [{"name": "tools", "template": "x"}]), "--prompt=x")
refuse(
    2, "tokenizer_config.json:1:2: expected JSON", with_files("bad-settings", tokenizer_config__json="{"), "--prompt=x"
)
refuse(2, "expected a JSON object, found list", with_files("list", tokenizer_config__json="[]"), "--prompt=x")
refuse(2, "nested too deeply", with_files("deep", tokenizer_config__json='{"a":' + "[" * 200000), "--prompt=x")
refuse(2, "has no chat template", with_template("none", None), "--prompt=x", "--system=y")
refuse(2, "cannot read", model, "--prompt=x", "--chat-template", scratch / "nowhere", *COMMON)

# ---- ids and lengths ----
for value in ("391", "-1", '"</s>"', "[0, 1.5]", "true"):
    name = f"stop{len(rows)}"
    refuse(
        2,
        "expected ids from 0 to 390 (the vocabulary)",
        with_files(name, generation_config__json='{"eos_token_id": %s}' % value),
        "--prompt=x",
    )
refuse(
    2, "logit-bias: token 391, expected 0 to 390", artefact, "--tokenizer", model, "--prompt=x", "--logit-bias=391:1"
)
refuse(2, "the model's limit is 160 together", artefact, "--tokenizer", model, "--prompt=x", "--max-new-tokens=200")
refuse(2, "the model's limit is 160 together", artefact, "--tokenizer", model, "--raw", "--prompt", "é" * 500)


def check(row):
    code, words, arguments, options = row
    try:
        front = tiny.front if "env" in options else tiny.front_inside
        tiny.expect_refused(front(*arguments, **options), code, words)
    except AssertionError as error:
        return f"{arguments[1:]}: {error}"


wrong = [message for message in map(check, rows) if message]
assert not wrong, "\n".join(wrong)
assert len(rows) > 55, len(rows)

# Without a verb, or with another one.
for arguments, words in (((), "expected a verb: run"), (("walk",), "invalid choice: 'walk'")):
    done = subprocess.run([sys.executable, "-m", "sluice", *arguments], capture_output=True)
    tiny.expect_refused(done, 1, words)
done = subprocess.run([sys.executable, "-m", "sluice", "run", "--help"], capture_output=True, text=True)
assert done.returncode == 0 and "example:" in done.stdout and "--repetition-penalty" in done.stdout

# A result that nobody can take, and an interrupt.
with open("/dev/full", "w") as full:
    command = [
        sys.executable,
        "-m",
        "sluice",
        "run",
        str(artefact),
        "--tokenizer",
        str(model),
        "--prompt=x",
        "--max-new-tokens=9",
    ]
    done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 4 and b"cannot write the results to stdout: no space left" in done.stderr, done
    process = subprocess.Popen(
        command[:-2] + ["--prompt=-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    # It waits for its prompt once the model is loaded.
    while "model.so" not in Path(f"/proc/{process.pid}/maps").read_text():
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130 and error.strip() == b"sluice: interrupted", (process.returncode, error)

# Nothing half-written stays, and a broken compile leaves no artefact.
assert not list((scratch / "cache").glob(".compiling-*"))
assert {path.name.rsplit("-", 1)[0] for path in (scratch / "cache").iterdir()} == {"good", "encoder"}
