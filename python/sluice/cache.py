# SPDX-License-Identifier: Apache-2.0
"""Artefacts of model directories, compiled once and kept.

A cached artefact is named after everything that it depends on: the model's files (by path, size and time), the compiler, its
options and this processor. Nothing is ever changed in place and nothing is removed: the folder may be deleted at any time.
"""

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from .errors import BadInput, CannotCompile, RunTimeFailure, SluiceError, Usage, describe
from .tools import build_folder

MODEL_FILES = (".json", ".safetensors", ".yaml")
ERRORS = {1: Usage, 2: BadInput, 3: CannotCompile, 4: RunTimeFailure}


def default_folder():
    """$XDG_CACHE_HOME/sluice, or ~/.cache/sluice."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


def is_artefact(path):
    return (Path(path) / "manifest.json").is_file()


def processor():
    """What code that is compiled for this machine depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part")
    return [platform.machine()] + sorted({line for line in lines if line.split(":")[0].strip() in names})


def key_of(model, compiler, options):
    """A name for the artefact of |model| (a directory or a description)."""
    model = Path(model).resolve()
    files = sorted(model.iterdir()) if model.is_dir() else [model]
    stamps = [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for file in files
        if file.suffix in MODEL_FILES and file.exists()
    ]
    made_by = (compiler.stat().st_size, compiler.stat().st_mtime_ns)
    parts = [str(model), stamps, made_by, list(options), processor()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def artefact_of(model, options=(), folder=None, remark=None):
    """The artefact of |model|: itself when it is one, else what sluicec makes of it with |options|, from |folder| or anew.

    |remark| (a function of one text) hears that something is compiled. Raises what fits the compiler's exit code, with its
    words.
    """
    model = Path(model)
    if is_artefact(model):
        if options:
            raise Usage(
                f"{model} is compiled already, so these options of the compiler can do nothing: {shlex.join(options)}"
            )
        return model
    if not model.exists():
        raise BadInput(f"{model}: no such model; expected a Hugging Face directory or an artefact")
    if model.is_dir() and not (model / "config.json").is_file():
        raise BadInput(
            f"{model} has neither config.json nor manifest.json: it is no Hugging Face directory and no artefact"
        )
    compiler = build_folder() / "bin" / "sluicec"
    if not compiler.is_file():
        raise BadInput(f"{compiler} is missing; build it (./dev build) or say in SLUICE_BUILD where it is")
    folder = Path(folder) if folder is not None else default_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        artefact = folder / f"{model.resolve().name}-{key_of(model, compiler, options)}.sluice"
        if is_artefact(artefact):
            return artefact
        scratch = Path(tempfile.mkdtemp(prefix=".compiling-", dir=folder))
    except OSError as error:
        raise BadInput(
            f"cannot keep an artefact in {folder}: {describe(error)}; choose another folder with --cache"
        ) from None
    (remark or (lambda text: None))(f"compiling {model} into {artefact}")
    try:
        # The model by its whole path: the artefact may be used from anywhere.
        command = [str(compiler), str(model.resolve()), "-o", str(scratch / "model.sluice"), *options]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
        said = done.stderr.strip()
        if done.returncode == 130:
            raise KeyboardInterrupt
        if done.returncode != 0:
            raise ERRORS.get(done.returncode, SluiceError)(said or f"sluicec ended with {done.returncode}")
        # Where it was written for a moment is nobody's business.
        said = "\n".join(line for line in said.splitlines() if not line.startswith("sluicec: wrote "))
        if said and remark:
            remark(said)
        try:
            (scratch / "model.sluice").rename(artefact)
        except OSError:
            # Somebody else was faster, and theirs is the same; anything else is said.
            if not is_artefact(artefact):
                raise
        return artefact
    except OSError as error:
        raise RunTimeFailure(f"cannot write {artefact}: {describe(error)}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
