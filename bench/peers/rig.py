# SPDX-License-Identifier: Apache-2.0
"""Starts one process per engine on the same cores, freezes all but the one that works, and times them in turn."""

import ctypes
import json
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from sluice import tools

HERE = Path(__file__).resolve().parent
VENV = tools.ROOT / "build" / "peers-venv" / "bin" / "python"
# What each name in tables and results stands for: the module, and whether it needs the peers' environment.
ENGINES = {
    "sluice": ("ours", False),
    "torch": ("torch_eager", True),
    "torch-packed": ("torch_packed", True),
    "openblas": ("openblas", True),
    "onnxruntime": ("ort", True),
    "openvino": ("ov", True),
    "iree": ("iree_", True),
    "llama.cpp": ("llamacpp", True),
    "ceilings": ("ceilings", False),
}


# A repetition counts when the ceilings around it are at least this part of the best seen.
UNDISTURBED = 0.8


class EngineError(Exception):
    """The engine did not answer as it should; |missing| when it is not able to do it at all."""

    def __init__(self, why, missing=False):
        super().__init__(why)
        self.missing = missing


def prepare_child(cores):
    """The same cores for all; and a frozen engine must not outlive a driver that was killed."""
    os.sched_setaffinity(0, cores)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Engine:
    def __init__(self, name, cores, threads):
        self.name, self.process, self.ready = name, None, False
        module, peer = ENGINES[name]
        python = VENV if peer else Path(sys.executable)
        if peer and not VENV.exists():
            raise EngineError("not installed: ./dev setup --peers", missing=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(tools.ROOT / "python")]),
                       "SLUICE_BUILD": str(tools.build_folder()), "OMP_NUM_THREADS": str(threads),
                       "MKL_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads),
                       "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        log = tools.build_folder() / "bench" / "peers" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self.process = subprocess.Popen([str(python), "-m", "peers.worker", module], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=log.open("w"), env=environment,
                                        preexec_fn=lambda: prepare_child(cores), bufsize=0)
        self.pending = b""

    def ask(self, timeout=300.0, **request):
        """The answer to one request. The engine runs during that time only."""
        if self.process.poll() is not None:
            raise EngineError(f"its process ended with code {self.process.returncode}; see {self.log}")
        os.kill(self.process.pid, signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            answer = json.loads(self.read_line(timeout))
        except (BrokenPipeError, json.JSONDecodeError, EOFError):
            self.process.wait(10)
            raise EngineError(f"its process ended with code {self.process.returncode}; see {self.log}") from None
        finally:
            if self.process.poll() is None:
                os.kill(self.process.pid, signal.SIGSTOP)
        if not answer["ok"]:
            raise EngineError(answer["why"], answer.get("missing", False))
        return answer

    def read_line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                self.stop()
                raise EngineError(f"no answer in {timeout:.0f} s")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise EOFError
            self.pending += chunk
        line, self.pending = self.pending.split(b"\n", 1)
        return line

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Rig:
    """The engines of one invocation. `with Rig(...) as rig:` ends their processes."""

    def __init__(self, names, cores, threads, seed, best=None):
        """|best|: the ceilings' best rates of earlier runs on this machine, by their names joined with +."""
        self.cores, self.threads, self.order = cores, threads, random.Random(seed)
        self.engines, self.absent, self.best = {}, {}, dict(best or {})
        for name in ["ceilings", *(n for n in names if n != "ceilings")]:
            try:
                self.engines[name] = Engine(name, cores, threads)
            except EngineError as error:
                self.absent[name] = str(error)
        self.work = self.engines["ceilings"].ask(do="ask", what="work", arguments=[threads])["work"]
        self.engines["ceilings"].ask(do="open", spec={"threads": threads})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for engine in self.engines.values():
            engine.stop()

    def open(self, name, spec, timeout=600.0):
        """(settings, facts) of the job that engine |name| makes of |spec|. EngineError says why there is none."""
        if name in self.absent:
            raise EngineError(self.absent[name], missing=True)
        engine = self.engines[name]
        if engine.process.poll() is not None:  # an earlier job ended it
            self.engines[name] = engine = Engine(name, self.cores, self.threads)
        answer = engine.ask(timeout, do="open", spec=spec)
        return answer["settings"], answer["facts"] | {"open_seconds": answer["seconds"]}

    def restart(self, name):
        """A fresh process of engine |name|."""
        if name in self.absent:
            raise EngineError(self.absent[name], missing=True)
        self.engines[name].stop()
        self.engines[name] = Engine(name, self.cores, self.threads)

    def close(self, names):
        for name in names:
            if name in self.engines and self.engines[name].process.poll() is None:
                try:
                    self.engines[name].ask(do="close")
                except EngineError:
                    self.engines[name].stop()

    def peak(self, kinds):
        """The fastest of |kinds|' rates per second, measured now."""
        rates = []
        for kind in kinds:
            if self.work[kind]:
                rates.append(self.work[kind] / self.engines["ceilings"].ask(do="run", case=kind, count=1, warm=False)["seconds"])
        return max(rates, default=0.0)

    def interleave(self, names, case, ceiling, repetitions, least=0.02, most=20.0):
        """name -> {"seconds": [per call], "ceilings": [rate beside it]}; what fails has "why" instead. Engines in a new
        order in each repetition, each beside the ceiling measured before and after that repetition."""
        counts, samples, long = {}, {}, set()
        for name in names:
            samples[name] = {"seconds": [], "cpu": [], "ceilings": []}
            try:
                once = self.engines[name].ask(do="run", case=case, count=1)["seconds"]
                counts[name] = max(1, min(1000, round(least / max(once, 1e-7))))
                if once > 0.25:  # needs no more warming
                    long.add(name)
            except EngineError as error:
                samples[name] = {"why": str(error)}
        start, quiet, disturbed = time.monotonic(), [], []
        while len(quiet) < repetitions and len(quiet) + len(disturbed) < 2 * repetitions:
            order = [name for name in names if "why" not in samples[name]]
            self.order.shuffle(order)
            before, taken = self.peak(ceiling), {}
            for name in order:
                try:
                    taken[name] = self.engines[name].ask(do="run", case=case, count=counts[name], warm=name not in long)
                except EngineError as error:
                    samples[name] = {"why": str(error)}
            after = self.peak(ceiling)
            # Where a ceiling is far below what it was, somebody else has a core: that says nothing about the engines.
            best = self.best["+".join(ceiling)] = max(self.best.get("+".join(ceiling), 0.0), before, after)
            (disturbed if min(before, after) < UNDISTURBED * best else quiet).append(((before + after) / 2, taken))
            if time.monotonic() - start > most and (len(quiet) >= 5 or len(quiet) + len(disturbed) >= 12):
                break
        enough = len(quiet) >= min(5, repetitions)
        for peak, taken in quiet if enough else quiet + disturbed:
            for name, answer in taken.items():
                if "why" not in samples[name]:
                    samples[name]["seconds"].append(answer["seconds"] / counts[name])
                    samples[name]["cpu"].append(answer["cpu"] / counts[name])
                    samples[name]["ceilings"].append(peak)
                    samples[name]["iterations"] = counts[name]
                    samples[name]["discarded"] = len(disturbed) if enough else 0
                    samples[name]["disturbed"] = not enough
        return samples


def quartiles(values):
    """(first, median, third) quartile."""
    if len(values) < 2:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
