# SPDX-License-Identifier: Apache-2.0
"""One module per engine. Each has `open_job(spec)`, which makes everything that is not timed (packing, compiling,
loading) and returns a job: `settings` (what was chosen, in words), `prepare(case)`, `call(case, turn)` (what is timed)
and `result(case)` (numbers to check). Raises Unavailable when the engine cannot do what the spec asks; the table then
says why."""


class Unavailable(Exception):
    """This engine cannot do that; the message says why, for the table."""


class Job:
    """What `open_job` returns. Cases are what the driver times one by one: a number of rows, a length of context."""

    settings = ""
    facts = {}  # what the results should say besides: weight_bytes, for one
    warm_seconds = 0.01

    def prepare(self, case):
        """Not timed; before each run."""

    def call(self, case, turn):
        """The timed work, once. |turn| counts up, so that buffers can rotate."""
        raise NotImplementedError

    def result(self, case):
        """f32 array: what the last call computed, for the check."""
        raise NotImplementedError
