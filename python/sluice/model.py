# SPDX-License-Identifier: Apache-2.0
"""A decoder that takes text and gives text: the API that `python -m sluice` is made of."""

import ctypes
import math
from dataclasses import dataclass, field
from pathlib import Path

from . import runtime, text
from .cache import artefact_of
from .errors import BadInput, SluiceError, Usage

USUAL_ROWS = 512  # of one step, when the artefact sets no bound
USUAL_NEW = 256  # tokens, when nobody says
SCORE_BYTES = 64 << 20  # of logits at a time


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen from logits. Everything at its default takes the most likely one.

    In this order: |logit_bias| (id -> added number, -inf forbids), |repetition_penalty| (0 or 1: none) of tokens that the text
    has, then with a |temperature| above 0 a draw, seeded by |seed|, among the |top_k| likeliest (0: all), of those the likeliest
    that first reach the probability |top_p| together (0 or 1: all), of those the ones that are at least |min_p| times as likely
    as the first.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 0.0
    min_p: float = 0.0
    repetition_penalty: float = 0.0
    logit_bias: dict = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self):
        def expect(good, name, what):
            if not good:
                raise Usage(f"{name.replace('_', '-')} is {getattr(self, name)}, expected {what}")

        expect(0 <= self.temperature <= 1e6, "temperature", "a number from 0 to 1e6")
        expect(0 <= self.top_k < 1 << 31, "top_k", "a whole number from 0 to 2147483647")
        expect(0 <= self.top_p <= 1, "top_p", "a probability from 0 to 1")
        expect(0 <= self.min_p <= 1, "min_p", "a number from 0 to 1")
        expect(0 <= self.repetition_penalty <= 1e6, "repetition_penalty", "a number from 0 to 1e6")
        expect(-(1 << 63) <= self.seed < 1 << 63, "seed", "a whole number of 64 bits")
        for token, bias in self.logit_bias.items():
            if math.isnan(bias) or bias > 1e6:
                raise Usage(f"logit-bias of token {token} is {bias}, expected a number up to 1e6, or -inf")


@dataclass(frozen=True)
class Score:
    """How likely a model finds a text: the natural logarithm of each token's probability given those before it."""

    tokens: list
    log_likelihoods: list

    @property
    def total(self):
        return math.fsum(self.log_likelihoods)

    @property
    def perplexity(self):
        return math.exp(min(-self.total / len(self.tokens), 700.0))


class Model:
    """A decoder, loaded: |path| is a Hugging Face directory (compiled once and cached) or an artefact.

    tokenizer      a tokenizer.json or a directory that has one; by default beside the model
    chat_template  a file with a Jinja template instead of the model's own
    threads        workers, 0: one per core
    cache          the folder for artefacts (~/.cache/sluice)
    options        more options of sluicec, as ["--quantize=int8"]
    remark         a function that hears remarks (compiling takes a while)

    Raises BadInput when the files do not fit, CannotCompile when the compiler cannot. One text at a time: finish or close a
    stream before the next one begins. Close the model, or use it in a `with`.
    """

    def __init__(self, path, *, tokenizer=None, chat_template=None, threads=0, cache=None, options=(), remark=None):
        self._path = Path(path)
        self._artefact = self._session = None
        self._tokenizer_given, self._template_given = tokenizer, chat_template
        self._tokenizer = None
        self._threads = threads
        self._busy = False
        self.artefact = artefact_of(path, list(options), cache, remark)
        self._artefact = runtime.Artefact(self.artefact)
        info = self._artefact.info
        functions = self._artefact.functions()
        if info.kind != runtime.KIND_DECODER or not {"step", "sample"} <= set(functions):
            self.close()
            raise BadInput(f"{path} is no decoder, so it cannot continue a text; use sluice-run for it")
        step = functions["step"]
        self._width = step.args[step.arg_count - 1].row_elements
        self.vocab = info.limits.vocab
        bounds = [bound for bound in (info.limits.max_seq, info.limits.max_positions) if bound >= 0]
        self.longest = min(bounds)
        self._most_rows = info.max_rows if info.max_rows > 0 else USUAL_ROWS
        self.stops = {info.eos[i] for i in range(info.eos_count)} | text.stop_ids(self._directory, self.vocab)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Gives back memory and threads. Twice is once."""
        if self._session is not None:
            self._session.close()
        if self._artefact is not None:
            self._artefact.close()
        self._session = None

    @property
    def _directory(self):
        return self._path if self._path.is_dir() else self._path.parent

    @property
    def tokenizer(self):
        """The model's `tokenizers.Tokenizer`, loaded when it is first needed."""
        if self._tokenizer is None:
            self._tokenizer = text.load_tokenizer(text.find_tokenizer(self._directory, self._tokenizer_given))
        return self._tokenizer

    def chat_template(self):
        """The model's chat template (text.ChatTemplate), or None."""
        beside = self._tokenizer_given if self._tokenizer_given is not None else self._directory
        beside = Path(beside) if Path(beside).is_dir() else Path(beside).parent
        return text.find_chat_template(beside, self._template_given)

    def encode(self, words, special=True):
        """Token ids of |words|; |special| adds the tokens that the tokenizer begins or ends a text with."""
        try:
            words.encode("utf-8")
        except UnicodeEncodeError:
            raise BadInput(
                "the text is not valid Unicode: it has half a surrogate pair, or bytes that were no UTF-8"
            ) from None
        tokens = self.tokenizer.encode(words, add_special_tokens=special).ids
        for token in tokens:
            if token >= self.vocab:
                piece = self.tokenizer.id_to_token(token)
                raise BadInput(
                    f"the tokenizer gives token {token} ({piece!r}), expected ids below {self.vocab} (the model's vocabulary): it belongs to another model"
                )
        return tokens

    def encode_chat(self, messages):
        """Token ids of a conversation (dictionaries with role and content) by the model's chat template."""
        template = self.chat_template()
        if template is None:
            raise BadInput(
                f"{self._directory} has no chat template (chat_template in tokenizer_config.json, or chat_template.jinja)"
            )
        return self.encode(template.apply(messages), special=False)

    # ---- tokens in, tokens out ----

    def _begin(self, length, rows):
        """A session that holds |length| tokens and steps |rows| rows."""
        if self._busy:
            raise SluiceError("another stream of this model is not finished; read it to its end or close it first")
        session = self._session
        if session is None or session.capacity < length or session.rows < rows:
            if session is not None:
                session.close()
            self._session = None
            self._session = runtime.Session(self._artefact, length, rows, self._threads)
        return self._session

    def _check(self, tokens, new):
        if not tokens:
            raise BadInput("the prompt has no tokens, expected at least one")
        for token in tokens:
            if not 0 <= token < self.vocab:
                raise BadInput(f"token {token}, expected 0 to {self.vocab - 1} (the vocabulary)")
        # The last new token is given out but not run.
        if len(tokens) + max(new - 1, 0) > self.longest:
            raise BadInput(
                f"{len(tokens)} tokens of prompt and {new} new ones, the model's limit is {self.longest} together"
            )

    def stream_tokens(self, tokens, max_new_tokens=None, sampling=Sampling(), ignore_stops=False):
        """The ids that continue |tokens|, as they are made. The last one may be one of |stops|.

        Without |max_new_tokens| there are at most 256, or as many as the model has room for.
        """
        tokens = list(tokens)
        if max_new_tokens is None:
            max_new_tokens = max(min(USUAL_NEW, self.longest + 1 - len(tokens)), 1)
        if max_new_tokens < 0:
            raise Usage(f"max-new-tokens is {max_new_tokens}, expected 0 or more")
        self._check(tokens, max_new_tokens)
        for token in sampling.logit_bias:
            if not 0 <= token < self.vocab:
                raise BadInput(f"logit-bias: token {token}, expected 0 to {self.vocab - 1} (the vocabulary)")
        session = self._begin(len(tokens) + max(max_new_tokens - 1, 0), min(self._most_rows, len(tokens)))
        return self._stream(session, tokens, max_new_tokens, sampling, set() if ignore_stops else self.stops)

    def _stream(self, session, tokens, count, sampling, stops):
        if count == 0:
            return
        if self._busy or session is not self._session:
            raise SluiceError("another stream of this model began before this one was read; begin again")
        logits = (ctypes.c_float * self._width)()
        rng = ctypes.c_int64(sampling.seed)
        choice = Choice(sampling, tokens, self.vocab)
        self._busy = True
        sequence = session.begin()
        try:
            for at in range(0, len(tokens), session.rows):
                rows = tokens[at : at + session.rows]
                session.step(b"step", sequence, rows, int(at + len(rows) == len(tokens)), logits)
            while True:
                choice.apply(logits, self._width)
                token = session.sample(logits, sampling.temperature, rng)
                count -= 1
                yield token
                if token in stops or count == 0:
                    return
                choice.see(token)
                session.step(b"step", sequence, [token], 1, logits)
        finally:
            session.drop(sequence)
            self._busy = False

    # ---- text in, text out ----

    def prompt_tokens(self, prompt):
        """Ids of |prompt|: text, a conversation (a list of dictionaries), or ids as they are."""
        if isinstance(prompt, str):
            return self.encode(prompt)
        prompt = list(prompt)
        return self.encode_chat(prompt) if prompt and isinstance(prompt[0], dict) else prompt

    def stream(self, prompt, max_new_tokens=None, sampling=Sampling(), ignore_stops=False):
        """Pieces of text that continue |prompt| (see prompt_tokens), as soon as they are certain.

        No piece ends within a character; joined, they are the whole text without the token that ended it.
        """
        tokens = self.prompt_tokens(prompt)
        made = self.stream_tokens(tokens, max_new_tokens, sampling, ignore_stops)
        return self._pieces(text.Detokenizer(self.tokenizer, tokens), made, set() if ignore_stops else self.stops)

    @staticmethod
    def _pieces(detokenizer, made, stops):
        try:
            for token in made:
                piece = "" if token in stops else detokenizer.feed(token)
                if piece:
                    yield piece
            rest = detokenizer.finish()
            if rest:
                yield rest
        finally:
            made.close()

    def generate(self, prompt, max_new_tokens=None, sampling=Sampling(), ignore_stops=False):
        """The text that continues |prompt|, all at once."""
        return "".join(self.stream(prompt, max_new_tokens, sampling, ignore_stops))

    def score(self, words, prompt=None):
        """How likely the model finds |words| after |prompt| (text, a conversation, ids or nothing).

        |words| is text or ids. Without a prompt and without a token that the tokenizer begins texts with, the first token has
        nothing before it and is not scored.
        """
        before = self.prompt_tokens(prompt) if prompt is not None else []
        if isinstance(words, str):
            whole = self.encode(words, special=not before)
            bare = self.encode(words, special=False)
            # What the tokenizer puts before a text is context, not text.
            front = len(whole) - len(bare)
            if not before and front > 0 and whole[front:] == bare:
                before, words = whole[:front], bare
            else:
                words = whole
        else:
            words = list(words)
        if not before:
            before, words = words[:1], words[1:]
        if not words or not before:
            raise BadInput("score: the text has too few tokens, expected at least one with another one before it")
        tokens = before + words
        self._check(tokens, 0)
        rows = max(1, min(self._most_rows, len(tokens) - 1, SCORE_BYTES // 4 // self._width))
        session = self._begin(len(tokens), rows)
        logits = (ctypes.c_float * (rows * self._width))()
        likelihood, found = ctypes.c_double(), []
        self._busy = True
        sequence = session.begin()
        try:
            for at in range(0, len(tokens) - 1, rows):
                part = tokens[at : min(at + rows, len(tokens) - 1)]
                ask = max(0, min(len(part), at + len(part) - (len(before) - 1)))
                session.step(b"step", sequence, part, ask, logits)
                for i in range(ask):
                    target = tokens[at + len(part) - ask + i + 1]
                    row = ctypes.byref(logits, 4 * i * self._width)
                    runtime.call(
                        "sluice_logits_score",
                        ctypes.cast(row, ctypes.POINTER(ctypes.c_float)),
                        self._width,
                        target,
                        ctypes.byref(likelihood),
                    )
                    found.append(likelihood.value)
        finally:
            session.drop(sequence)
            self._busy = False
        return Score(words, found)


class Choice:
    """What is done to logits before a draw, with the distinct tokens that the text has so far."""

    def __init__(self, sampling, tokens, vocab):
        self._room = (ctypes.c_int32 * vocab)()
        self._known = set()
        bias = sampling.logit_bias
        self._set = runtime.SamplingSet(
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            repetition_penalty=sampling.repetition_penalty,
            bias_count=len(bias),
            bias_tokens=runtime.ids(list(bias)),
            bias=(ctypes.c_float * len(bias))(*bias.values()),
            seen=self._room,
        )
        for token in tokens:
            self.see(token)

    def see(self, token):
        if token not in self._known:
            self._room[len(self._known)] = token
            self._known.add(token)
            self._set.seen_count = len(self._known)

    def apply(self, logits, width):
        runtime.call("sluice_sampling_apply", ctypes.byref(self._set), logits, width)
