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
    "gemm": ("sluice", "torch", "torch-packed", "openblas"),
    "attention": ("sluice", "torch", "llama.cpp"),
    "model": ("sluice", "torch", "torch-packed", "llama.cpp"),
}
WRITERS = {"gemm": workloads.write_gemm, "attention": workloads.write_attention, "model": workloads.write_model}


def measure(rig, work, engines, repetitions, scratch):
    """The entries of one workload: open, check, interleave, close."""
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
    entries, checked, result_file = [], {}, scratch / "result.npy"
    bounds = workloads.MODEL_ERROR_BOUNDS if kind == "model" else workloads.ERROR_BOUNDS
    for case in work.cases:
        errors, good = {}, []
        for name in engines:
            reason = why.get(name)
            if reason is None:
                try:
                    key = {"do": "prefill", "rows": models.CHECK_TOKENS} if kind == "model" else case.key
                    if kind != "model" or name not in checked:
                        rig.engines[name].ask(do="check", case=key, to=str(result_file))
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
    rig.close(engines)
    return entries


def selected(dtypes, seed, quick, only):
    """The workloads with a case whose name matches |only|, less their other cases."""
    chosen = []
    for work in (*workloads.gemm_list(dtypes, seed, quick), *workloads.attention_list(dtypes, seed, quick),
                 *workloads.model_list(dtypes, quick)):
        work.cases = [case for case in work.cases if re.search(only, case.name)]
        if work.spec["kind"] != "model":
            work.spec["rows"] = [case.key for case in work.cases]
        if work.cases:
            chosen.append(work)
    return chosen


def run(chosen, engines, cores, threads, repetitions, seed, out):
    """Measures |chosen| and merges each workload's entries into the file |out| as soon as it has them."""
    where = results.context(cores, threads)
    if where["load_avg"][0] > 0.5:
        print(f"the machine is busy (load {where['load_avg'][0]:.1f}): expect noise", file=sys.stderr)
    scratch = tools.build_folder() / "bench" / "peers"
    scratch.mkdir(parents=True, exist_ok=True)
    used = [n for n in ENGINES if n in engines and any(n in PARTS[work.spec["kind"]] for work in chosen)]
    document = None
    with Rig(used, cores, threads, seed) as rig:
        for work in chosen:
            part = [n for n in used if n in PARTS[work.spec["kind"]]]
            document = results.merge(out, measure(rig, work, part, repetitions, scratch), where)
    return document
