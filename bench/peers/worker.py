# SPDX-License-Identifier: Apache-2.0
"""The process of one engine: takes requests (one JSON object a line) on stdin, answers on stdout, one line each.

  python -m peers.worker ENGINE           (the driver does this; ENGINE is a module of peers/engines)

  {"do": "open", "spec": {...}}           make a job, not timed   -> {"settings", "seconds"}
  {"do": "check", "case": C, "to": FILE}  call once, numbers to FILE (npy)
  {"do": "run", "case": C, "count": N}    some calls untimed, then N timed -> {"seconds": of all N}
  {"do": "close"}                         forget the job

An answer has "ok"; when it is false, "why", and "missing" when the engine is not able to do it at all.
"""

import gc
import importlib
import json
import os
import sys
import time
import traceback

import numpy as np

from peers.engines import Unavailable


class Worker:
    def __init__(self, name):
        self.engine = importlib.import_module(f"peers.engines.{name}")
        self.job, self.turn = None, 0

    def answer(self, request):
        return getattr(self, "do_" + request["do"])(request)

    def do_open(self, request):
        start = time.perf_counter()
        self.job, self.turn = None, 0
        gc.collect()
        self.job = self.engine.open_job(request["spec"])
        return {"settings": self.job.settings, "seconds": time.perf_counter() - start, "facts": self.job.facts}

    def do_check(self, request):
        self.job.prepare(request["case"])
        self.job.call(request["case"], 0)
        np.save(request["to"], np.asarray(self.job.result(request["case"]), np.float32))
        return {}

    def do_run(self, request):
        case, count, call = request["case"], request["count"], self.job.call
        if request.get("warm", True):
            # Until threads are awake and each on its core, not only until code has been touched.
            self.job.prepare(case)
            awake = time.perf_counter() + self.job.warm_seconds
            while True:
                self.turn += 1
                call(case, self.turn)
                if time.perf_counter() > awake:
                    break
        self.job.prepare(case)
        first = self.turn + 1
        self.turn += 1 + count
        gc.disable()
        cpu, start = time.process_time(), time.perf_counter()
        for turn in range(first, first + count):
            call(case, turn)
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        gc.enable()
        return {"seconds": seconds, "cpu": cpu}

    def do_ask(self, request):
        """Anything else an engine offers, by name."""
        return getattr(self.engine, request["what"])(*request.get("arguments", []))

    def do_close(self, _):
        self.job = None
        gc.collect()
        return {}


def main():
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        worker, broken = Worker(sys.argv[1]), None
    except Unavailable as error:
        broken = str(error)
    except ImportError as error:
        broken = f"cannot be imported: {error}"
    for line in sys.stdin:
        try:
            answer = {"ok": False, "missing": True, "why": broken} if broken else {"ok": True, **worker.answer(json.loads(line))}
        except Unavailable as error:
            answer = {"ok": False, "missing": True, "why": str(error)}
        except Exception as error:  # the driver decides what a failing engine means
            traceback.print_exc()
            answer = {"ok": False, "why": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
