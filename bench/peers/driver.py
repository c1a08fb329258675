# SPDX-License-Identifier: Apache-2.0
"""Runs workloads on a rig: every engine opens its job, is checked, and then they are timed in turn."""

import re
import shutil
import sys

import numpy as np

from peers import models, report, results, workloads
from peers.rig import ENGINES, EngineError, Rig
from sluice import tools

# Who takes part in what.
PARTS = {
    "gemm": ("sluice", "torch", "torch-packed", "openblas", "onnxruntime", "openvino", "iree"),
    "attention": ("sluice", "torch", "llama.cpp"),
    "model": ("sluice", "torch", "torch-packed", "onnxruntime", "openvino", "llama.cpp"),
    "compile": ("sluice", "torch-packed", "iree"),
    "start": ("sluice",),
}
WRITERS = {"gemm": workloads.write_gemm, "attention": workloads.write_attention, "model": workloads.write_model}


def measure(rig, work, engines, repetitions, scratch, save):
    """One workload: open, check, interleave, close. |save| gets the entries of each case as soon as they are there."""
    spec = work.spec | {"threads": rig.threads}
    kind = spec["kind"]
    if kind == "model":
        most = max(case.key.get("past", 0) + 128 for case in work.cases)
        spec |= {"checkpoint": str(models.checkpoint(spec["model"])), "weights_seed": models.SEED, "most": max(most, 1024),
                 "tokens": models.prompt(spec["model"], max(most, 1024))}
    data = scratch / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    error_of = WRITERS[kind](spec, data)
    settings, facts, why = {}, {}, {}
    for name in engines:
        folder = scratch / name
        folder.mkdir(exist_ok=True)
        try:
            settings[name], facts[name] = rig.open(name, spec | {"data": str(data), "scratch": str(folder)})
        except EngineError as error:
            why[name] = str(error)
    checked, result_file = {}, scratch / "result.npy"
    bounds = workloads.MODEL_ERROR_BOUNDS if kind == "model" else workloads.ERROR_BOUNDS
    for case in work.cases:
        errors, good, entries = {}, [], []
        for name in engines:
            reason = why.get(name)
            if reason is None:
                try:
                    key = {"do": "prefill", "rows": models.CHECK_TOKENS} if kind == "model" else case.key
                    if kind != "model" or name not in checked:
                        rig.engines[name].ask(600, do="check", case=key, to=str(result_file))
                        checked[name] = error_of(key, np.load(result_file))
                    errors[name] = checked[name]
                    if errors[name] > bounds[work.dtype]:
                        reason = f"its numbers differ: {errors[name]:.2g} of their root mean square"
                except EngineError as error:
                    reason = str(error)
            if reason is None:
                good.append(name)
            else:
                entries.append(results.absent(case, name, reason))
        samples = rig.interleave(good, case.key, case.ceiling, repetitions)
        for name in good:
            if "why" in samples[name]:
                entries.append(results.absent(case, name, samples[name]["why"]))
            else:
                entries.append(results.entry(case, name, samples[name], rig.threads, settings[name], errors[name], facts[name]))
        print(report.lines(entries, case.name), file=sys.stderr, flush=True)
        save(entries)
    rig.close(engines)


def measure_times(rig, work, engines, scratch, save):
    """Compiling and starting: the engines' own clocks around one process' work, a few rounds in turn."""
    for case in work.cases:
        entries = []
        seconds, settings, why = {name: [] for name in engines}, {}, {}
        for turn in range(case.key["rounds"]):
            for name in engines:
                # What takes a minute is not drawn out: one round says as much.
                if name in why or (turn >= 1 and seconds[name][0] > 40):
                    continue
                folder = scratch / name
                folder.mkdir(exist_ok=True)
                try:
                    rig.restart(name)
                    answer = rig.engines[name].ask(1800, do="ask", what=case.key["what"],
                                                   arguments=[str(models.checkpoint(work.spec["model"])), str(folder), rig.threads])
                    seconds[name].append(answer[case.key["result"]])
                    settings[name] = answer["settings"]
                except EngineError as error:
                    why[name] = str(error)
        for name in engines:
            if name in why:
                entries.append(results.absent(case, name, why[name]))
            else:
                samples = {"seconds": seconds[name], "cpu": seconds[name], "ceilings": [0.0] * len(seconds[name]), "iterations": 1}
                entries.append(results.entry(case, name, samples, rig.threads, settings[name], None, {}))
        print(report.lines(entries, case.name), file=sys.stderr, flush=True)
        save(entries)


def selected(dtypes, seed, quick, only):
    """The workloads with a case whose name matches |only|, less their other cases."""
    chosen = []
    def those(known):
        return [dtype for dtype in known if dtype in dtypes]

    for work in (*workloads.gemm_list(those(workloads.GEMM_DTYPES), seed, quick),
                 *workloads.attention_list(those(workloads.ATTENTION_DTYPES), seed, quick),
                 *workloads.model_list(those(workloads.MODEL_DTYPES), quick),
                 *(workloads.time_list(quick) if "bf16" in dtypes else [])):
        work.cases = [case for case in work.cases if re.search(only, case.name)]
        if work.spec["kind"] in WRITERS and work.spec["kind"] != "model":
            work.spec["rows"] = [case.key for case in work.cases]
        if work.cases:
            chosen.append(work)
    return chosen


def without(chosen, names):
    """The same less the cases of these names."""
    for work in chosen:
        work.cases = [case for case in work.cases if case.name not in names]
        if "rows" in work.spec:
            work.spec["rows"] = [case.key for case in work.cases]
    return [work for work in chosen if work.cases]


def run(chosen, engines, cores, threads, repetitions, seed, out):
    """Measures |chosen| and merges each case's entries into the file |out| as soon as it has them."""
    where = results.context(cores, threads)
    if where["load_avg"][0] > 0.5:
        print(f"the machine is busy (load {where['load_avg'][0]:.1f}): expect noise", file=sys.stderr)
    scratch = tools.build_folder() / "bench" / "peers"
    scratch.mkdir(parents=True, exist_ok=True)
    used = [n for n in ENGINES if n in engines and any(n in PARTS[work.spec["kind"]] for work in chosen)]
    best = results.load(out)["context"].get("best_ceilings") if out.exists() else None
    with Rig(used, cores, threads, seed, best) as rig:
        def save(entries):
            results.merge(out, entries, where, rig.best)

        for work in chosen:
            part = [n for n in used if n in PARTS[work.spec["kind"]]]
            if work.spec["kind"] in WRITERS:
                measure(rig, work, part, repetitions, scratch, save)
            else:
                measure_times(rig, work, part, scratch, save)
    return results.load(out)
