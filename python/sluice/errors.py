# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, each with the exit code that the tools use for it.

A message is one sentence in lower case: what was expected, what was found, where, and what to do.
"""


class SluiceError(Exception):
    """Something of Sluice failed. |code| is the exit code of a command that ends with it."""

    code = 70


class Usage(SluiceError):
    """An option or argument that cannot be."""

    code = 1


class BadInput(SluiceError):
    """A file or value from outside that does not fit: model, tokenizer, template, token, length."""

    code = 2


class CannotCompile(SluiceError):
    """The compiler knows the model but cannot compile it."""

    code = 3


class RunTimeFailure(SluiceError):
    """The machine had no more, or compiled code refused a value."""

    code = 4


def describe(error):
    """An OSError as a sentence's end: its reason alone, because the sentence names the file."""
    return (error.strerror or str(error)).lower()
