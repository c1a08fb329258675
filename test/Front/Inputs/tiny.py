# SPDX-License-Identifier: Apache-2.0
"""Models that the front's tests make: a config.json, a tokenizer trained on the spot, a chat template. Weights come from a seed."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

RANDOM = "--weights=random:3"
VOCAB = 391
CORPUS = [
    "the quick brown fox jumps over the lazy dog",
    "été à Zürich: 你好世界, здравствуй мир! 🎉🦊",
    "one two three four five six seven",
] * 4
TEMPLATE = """{%- for m in messages %}
<|{{ m.role }}|>{{ m.content }}<|end|>
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}"""
CONFIGS = {
    "llama": {"architectures": ["LlamaForCausalLM"], "attention_bias": False},
    "qwen2": {"architectures": ["Qwen2ForCausalLM"], "use_sliding_window": False},
}


def byte_level():
    """Every byte is a token, so any text has tokens and random tokens are broken characters. 0 to 4 are special."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>", "<|system|>"]
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=320, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer


def byte_fallback():
    """As sentencepiece has it: marks instead of blanks, bytes as tokens of their own."""
    pieces = (
        ["<unk>", "<s>", "</s>"]
        + [f"<0x{byte:02X}>" for byte in range(256)]
        + ["▁", "▁the", "▁dog", "e", "n", "s", "!"]
    )
    tokenizer = Tokenizer(
        models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], byte_fallback=True, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return tokenizer


def write_model(folder, family="llama", template=TEMPLATE, tokenizer=None, **keys):
    """A model directory without weights; |keys| change config.json."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": family,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "hidden_act": "silu",
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": VOCAB,
        "max_position_embeddings": 160,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps({**config, **CONFIGS[family], **keys}, indent=1))
    (tokenizer or byte_level()).save(str(folder / "tokenizer.json"))
    settings = {"bos_token": "<s>", "eos_token": {"content": "</s>"}}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**settings, **({"chat_template": template} if template else {})})
    )
    return folder


def front(*arguments, input=None, **options):
    """What `python -m sluice run` does with |arguments|."""
    command = [sys.executable, "-m", "sluice", "run", *map(str, arguments)]
    options.setdefault("env", os.environ)
    return subprocess.run(command, capture_output=True, input=input, timeout=120, **options)


def front_inside(*arguments, input=b""):
    """The same in this process, which is faster."""
    from sluice.__main__ import main

    saved = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (input, b"", b"")
    )
    try:
        code = main(["run", *map(str, arguments)])
        sys.stdout.flush()
        sys.stderr.flush()
        return subprocess.CompletedProcess(arguments, code, sys.stdout.buffer.getvalue(), sys.stderr.buffer.getvalue())
    finally:
        sys.stdin, sys.stdout, sys.stderr = saved


def expect_refused(done, code, *words):
    """Ended with |code| and one sentence that has |words|, and no trace of Python."""
    error = done.stderr.decode("utf-8", "replace")
    assert done.returncode == code, (done.returncode, error)
    assert "Traceback" not in error and done.stdout.strip() == b"", done
    for word in words:
        assert word in error, f"expected '{word}' in: {error}"
