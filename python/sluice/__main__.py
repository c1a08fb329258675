# SPDX-License-Identifier: Apache-2.0
"""`python -m sluice run MODEL --prompt "..."`: text in, text out, by a compiled decoder.

The text goes to stdout as it is made; remarks and errors go to stderr. Exit codes as of every tool: 0 ok, 1 usage, 2 bad
input, 3 cannot compile, 4 run-time failure, 70 internal error, 130 interrupted.
"""

import argparse
import json
import math
import os
import shlex
import sys
import time

from .errors import SluiceError, Usage, describe

EXAMPLE = """example:
  python -m sluice run Qwen2.5-0.5B-Instruct --prompt "Why is the sky blue?" --max-new-tokens 64
  python -m sluice run model.sluice --tokenizer Qwen2.5-0.5B --raw --prompt "Once upon" --temperature 0.8 --top-p 0.95
  python -m sluice run Qwen2.5-0.5B --score "The sky is blue." --format json

exit codes: 0 ok, 130 interrupted, 1 usage, 2 bad input, 3 cannot compile, 4 run-time failure, 70 internal error
"""


class Parser(argparse.ArgumentParser):
    """argparse ends with 2 where it does not understand; that code means bad input here."""

    def error(self, message):
        raise Usage(f"{message}; {self.prog} --help lists the options")


def logit_bias(value):
    """ID:X,ID:X as a dictionary."""
    found = {}
    for item in value.split(","):
        token, colon, bias = item.partition(":")
        try:
            found[int(token)] = float(bias if colon else "nan")
        except ValueError:
            colon = ""
        if not colon:
            raise argparse.ArgumentTypeError(f"'{item}', expected TOKEN:NUMBER with commas between them")
    return found


def make_parser():
    parser = Parser(
        prog="python -m sluice",
        description="Runs language models that Sluice compiles.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    run = verbs.add_parser(
        "run",
        help="continue a text, or score one",
        epilog=EXAMPLE,
        allow_abbrev=False,
        description="Continues a prompt with a decoder, or says how likely it finds a text.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument(
        "model", metavar="MODEL", help="a Hugging Face directory (compiled once, then cached) or an artefact"
    )
    text = run.add_argument_group("text")
    text.add_argument("--prompt", metavar="TEXT", help="what to continue; - reads it from stdin")
    text.add_argument("--system", metavar="TEXT", help="a system message before the prompt; needs a chat template")
    text.add_argument("--raw", action="store_true", help="the prompt as it is, without the model's chat template")
    text.add_argument("--chat-template", metavar="FILE", help="a Jinja template instead of the model's own")
    text.add_argument("--tokenizer", metavar="PATH", help="a tokenizer.json, or a directory that has one (MODEL)")
    text.add_argument(
        "--score", metavar="TEXT", help="instead of continuing: the log-likelihood of TEXT (after --prompt, if any)"
    )
    text.add_argument("--max-new-tokens", type=int, metavar="N", help="at most (256, or what the model has room for)")
    text.add_argument("--ignore-eos", action="store_true", help="do not stop at the ids that end a text")
    text.add_argument("--format", choices=("text", "json"), default="text", help="of the result (text)")
    choice = run.add_argument_group("sampling")
    choice.add_argument("--temperature", type=float, default=0.0, metavar="T", help="0 takes the most likely token (0)")
    choice.add_argument(
        "--top-k", type=int, default=0, metavar="K", help="draw among the K most likely tokens (0: all)"
    )
    choice.add_argument(
        "--top-p", type=float, default=0.0, metavar="P", help="... that first reach the probability P together (0: all)"
    )
    choice.add_argument(
        "--min-p", type=float, default=0.0, metavar="P", help="... that are P times as likely as the first one (0: all)"
    )
    choice.add_argument(
        "--repetition-penalty", type=float, default=0.0, metavar="R", help="of tokens that the text has (0 or 1: none)"
    )
    choice.add_argument(
        "--logit-bias",
        type=logit_bias,
        default={},
        metavar="ID:X,...",
        help="added to these tokens' logits; -inf forbids",
    )
    choice.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws (0)")
    machine = run.add_argument_group("machine")
    machine.add_argument("--threads", type=int, default=0, metavar="N", help="workers (one per core)")
    machine.add_argument("--cache", metavar="DIR", help="where compiled directories are kept (~/.cache/sluice)")
    machine.add_argument(
        "--compile", default="", metavar="OPTIONS", help="options of sluicec, as --compile=--quantize=int8"
    )
    return parser


def remark(text):
    print(text, file=sys.stderr, flush=True)


def shown(piece):
    """A piece for a terminal: a model's text must not move the cursor or ring the bell."""
    if not sys.stdout.isatty():
        return piece
    return "".join("\ufffd" if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 else c for c in piece)


def number(value):
    """JSON has no infinity; what cannot be drawn has no likelihood."""
    return value if math.isfinite(value) else None


def read_prompt(o):
    if o.prompt != "-":
        return o.prompt
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Usage(f"the prompt on stdin is no text in UTF-8: {error.reason} at byte {error.start}") from None


def prompt_tokens(model, o):
    """The prompt's ids: by the chat template where there is one and the prompt is not --raw."""
    prompt = read_prompt(o)
    if o.raw or (o.score is not None and o.system is None and o.chat_template is None):
        return model.encode(prompt)
    if o.system is None and model.chat_template() is None:
        return model.encode(prompt)
    system = [] if o.system is None else [{"role": "system", "content": o.system}]
    return model.encode_chat(system + [{"role": "user", "content": prompt}])


def run(o):
    from .model import Model, Sampling

    if o.prompt is None and o.score is None:
        raise Usage("nothing to do: give --prompt, --score, or both")
    if o.raw and (o.system is not None or o.chat_template is not None):
        raise Usage("--raw uses no chat template, so --system and --chat-template cannot go with it")
    if o.system is not None and o.prompt is None:
        raise Usage("--system needs a --prompt after it")
    if o.max_new_tokens is not None and o.max_new_tokens < 0:
        raise Usage(f"--max-new-tokens is {o.max_new_tokens}, expected 0 or more")
    if not 0 <= o.threads < 1 << 31:
        raise Usage(f"--threads is {o.threads}, expected 0 (one per core) or more")
    try:
        options = shlex.split(o.compile)
    except ValueError as error:
        raise Usage(f"--compile: {str(error).lower()}") from None
    sampling = Sampling(o.temperature, o.top_k, o.top_p, o.min_p, o.repetition_penalty, o.logit_bias, o.seed)
    with Model(
        o.model,
        tokenizer=o.tokenizer,
        chat_template=o.chat_template,
        threads=o.threads,
        cache=o.cache,
        options=options,
        remark=remark,
    ) as model:
        if o.score is not None:
            score(model, o)
        else:
            complete(model, o, sampling)


def complete(model, o, sampling):
    from .text import Detokenizer

    tokens = prompt_tokens(model, o)
    detokenizer, made, pieces = Detokenizer(model.tokenizer, tokens), [], []
    begin = time.perf_counter()
    first = None

    def give(piece):
        pieces.append(piece)
        if o.format == "text" and piece:
            sys.stdout.write(shown(piece))
            sys.stdout.flush()

    for token in model.stream_tokens(tokens, o.max_new_tokens, sampling, o.ignore_eos):
        first = first if first is not None else time.perf_counter()
        made.append(token)
        if o.ignore_eos or token not in model.stops:
            give(detokenizer.feed(token))
    give(detokenizer.finish())
    end = time.perf_counter()
    stopped = bool(made) and not o.ignore_eos and made[-1] in model.stops
    if o.format == "json":
        print(
            json.dumps(
                {"text": "".join(pieces), "tokens": made, "prompt_tokens": len(tokens), "stopped": stopped},
                ensure_ascii=False,
            )
        )
        return
    print(flush=True)
    if made:
        rate = f", {(len(made) - 1) / (end - first):.4g} tokens/s" if len(made) > 1 else ""
        remark(f"{len(tokens)} tokens of prompt in {first - begin:.3g} s, {len(made)} new ones{rate}")


def score(model, o):
    result = model.score(o.score, prompt_tokens(model, o) if o.prompt is not None else None)
    if o.format == "json":
        likelihoods = [number(value) for value in result.log_likelihoods]
        print(json.dumps({"tokens": result.tokens, "log_likelihoods": likelihoods, "sum": number(result.total)}))
        return
    print(f"{result.total:.9g}")
    remark(f"log-likelihood of {len(result.tokens)} tokens, perplexity {result.perplexity:.6g}")


def main(arguments=None):
    # A text is in UTF-8 wherever it goes; half a character never gets here.
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    sys.stderr.reconfigure(errors="backslashreplace")
    parser = make_parser()
    try:
        o = parser.parse_args(arguments)
        if o.verb is None:
            parser.error("expected a verb: run")
        run(o)
        sys.stdout.flush()
        return 0
    except SluiceError as error:
        remark(f"sluice: {error}")
        return error.code
    except KeyboardInterrupt:
        remark("sluice: interrupted")
        return 130
    except OSError as error:
        # What is left in the buffer cannot be written either; Python would try, and complain, at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        remark(f"sluice: cannot write the results to stdout: {describe(error)}")
        return 4
    except MemoryError:
        remark("sluice: out of memory")
        return 4
    except Exception as error:
        remark(f"sluice: internal error: {type(error).__name__}: {error}; please report it with the command")
        return 70


if __name__ == "__main__":
    sys.exit(main())
