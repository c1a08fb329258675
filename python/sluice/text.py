# SPDX-License-Identifier: Apache-2.0
"""Text in and out of a decoder: tokenizer.json, chat templates, and text that streams without broken characters."""

import datetime
import json
import os
from pathlib import Path

from .errors import BadInput, describe

# What a template may make of one conversation, and what the files beside a model may weigh: far beyond any honest one.
MOST_TEXT = 16 << 20
MOST_FILE = 512 << 20
BROKEN = "\ufffd"


def read_text(path):
    """The text of |path|, with a sentence when it cannot be had."""
    try:
        if os.path.getsize(path) > MOST_FILE:
            raise BadInput(f"{path} has more than {MOST_FILE >> 20} MiB, which no file of its kind has")
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {describe(error)}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no text in UTF-8: {error.reason} at byte {error.start}") from None


def read_json(path):
    """The JSON object in |path|."""
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}:{error.colno}: expected JSON: {error.msg.lower()}") from None
    except RecursionError:
        raise BadInput(f"{path}: JSON that is nested too deeply") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def find_tokenizer(model, given=None):
    """The tokenizer.json of |model| (a directory), or the one that was |given| (a file, or a directory that has it)."""
    place = Path(given if given is not None else model)
    path = place / "tokenizer.json" if place.is_dir() else place
    if path.is_file():
        return path
    if given is not None:
        raise BadInput(f"{place}: no such tokenizer; expected a tokenizer.json or a directory that has one")
    raise BadInput(
        f"{model} has no tokenizer.json, so text cannot become tokens; say where there is one with --tokenizer"
    )


def load_tokenizer(path):
    """The tokenizer that |path| describes."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise BadInput("the Python package tokenizers is missing; ./dev setup installs it into .venv") from None
    text = read_text(path)
    try:
        return Tokenizer.from_str(text)
    # The package raises plain Exception for files, and PanicException, no subclass of it, for what its own checks miss.
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        raise BadInput(f"{path} is no tokenizer: {str(error).lower()}") from None


class Detokenizer:
    """Text of tokens that come one by one. feed() gives what is certain, finish() the rest.

    What comes out is, joined, what decoding all tokens at once adds to the text of |before|: a piece is held back while it
    ends in a character of which bytes are missing.
    """

    def __init__(self, tokenizer, before=()):
        self._decode = lambda tokens: tokenizer.decode(tokens, skip_special_tokens=True)
        # All of them until the first piece is out: bytes only make characters from where the first one begins.
        self._tokens = list(before)
        self._given = len(self._tokens)  # tokens whose text is out

    def _ready(self):
        known, now = self._decode(self._tokens[: self._given]), self._decode(self._tokens)
        # A prompt may end in half a character itself; what completes it then is new text.
        known = known.rstrip(BROKEN) if not now.startswith(known) else known
        return now[len(known) :] if now.startswith(known) else now[len(os.path.commonprefix((known, now))) :]

    def feed(self, token):
        self._tokens.append(token)
        text = self._ready()
        if not text or text.endswith(BROKEN):
            return ""
        self._settle()
        return text

    def finish(self):
        text = self._ready()
        self._settle()
        return text

    def _settle(self):
        # The tokens of the last piece stay as context for the next one, unless their text began within a character.
        if not self._decode(self._tokens[: self._given]).endswith(BROKEN):
            del self._tokens[: self._given]
        self._given = len(self._tokens)


class ChatTemplate:
    """The Jinja template that makes one text of a conversation, as model directories bring it."""

    def __init__(self, source, where, tokens):
        self._where = where
        self._tokens = tokens
        try:
            import jinja2
            from jinja2.ext import loopcontrols
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError:
            raise BadInput("the Python package jinja2 is missing; ./dev setup installs it into .venv") from None
        self._error = jinja2.TemplateError
        from jinja2 import ext

        class Generation(ext.Extension):
            """{% generation %} marks what a model was trained on; its body is text like any other."""

            tags = {"generation"}

            def parse(self, parser):
                next(parser.stream)
                return parser.parse_statements(["name:endgeneration"], drop_needle=True)

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation]
        )
        environment.filters["tojson"] = lambda value, indent=None, **_: json.dumps(
            value, ensure_ascii=False, indent=indent
        )
        environment.globals["raise_exception"] = self._refuse
        environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
        try:
            self._template = environment.from_string(source)
        except self._error as error:
            line = getattr(error, "lineno", None)
            raise BadInput(f"{where}: bad chat template{f', line {line}' if line else ''}: {error}") from None
        except RecursionError:
            raise BadInput(f"{where}: bad chat template: nested too deeply") from None

    def _refuse(self, message):
        raise self._error(str(message))

    def apply(self, messages):
        """The text of |messages| (dictionaries with role and content), up to where the model is to answer."""
        pieces, length = [], 0
        try:
            for piece in self._template.generate(
                messages=messages, add_generation_prompt=True, tools=None, **self._tokens
            ):
                pieces.append(piece)
                length += len(piece)
                if length > MOST_TEXT:
                    raise BadInput(f"{self._where}: the chat template makes more than {MOST_TEXT >> 20} MiB of text")
        except BadInput:
            raise
        # A template is a program from outside: whatever it trips over is its own fault.
        except (Exception, RecursionError) as error:
            raise BadInput(
                f"{self._where}: the chat template refuses this conversation: {error or type(error).__name__}"
            ) from None
        return "".join(pieces)


def special_token(value):
    """tokenizer_config.json says a token as text, or as an object with its content."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def find_chat_template(directory, given=None):
    """The chat template of |directory| (or the file |given|), or None when there is none."""
    directory = Path(directory)
    config_file = directory / "tokenizer_config.json"
    config = read_json(config_file) if config_file.is_file() else {}
    tokens = {
        name: text
        for name, text in ((key, special_token(value)) for key, value in config.items())
        if name.endswith("_token") and text is not None
    }
    if given is not None:
        return ChatTemplate(read_text(given), given, tokens)
    for name in ("chat_template.jinja", "chat_template.json"):
        if (directory / name).is_file():
            source = (
                read_text(directory / name)
                if name.endswith("jinja")
                else read_json(directory / name).get("chat_template")
            )
            return ChatTemplate(checked_source(source, directory / name), directory / name, tokens)
    source = config.get("chat_template")
    return None if source is None else ChatTemplate(checked_source(source, config_file), config_file, tokens)


def checked_source(source, where):
    """The template's text; a list has several by name, of which "default" is meant."""
    if isinstance(source, list):
        source = next(
            (entry.get("template") for entry in source if isinstance(entry, dict) and entry.get("name") == "default"),
            None,
        )
    if not isinstance(source, str):
        raise BadInput(f'{where}: expected "chat_template" to be text, or a list with one that is named "default"')
    return source


def stop_ids(directory, vocab):
    """The ids that end a text, as generation_config.json and config.json of |directory| have them."""
    found = set()
    for name in ("generation_config.json", "config.json"):
        path = Path(directory) / name
        if not path.is_file():
            continue
        value = read_json(path).get("eos_token_id")
        for token in value if isinstance(value, list) else [] if value is None else [value]:
            if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < vocab:
                raise BadInput(
                    f"{path}: eos_token_id is {json.dumps(token)}, expected ids from 0 to {vocab - 1} (the vocabulary)"
                )
            found.add(token)
    return found
