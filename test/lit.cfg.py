# SPDX-License-Identifier: Apache-2.0
#
# How lit finds and runs the tests. Folders mirror the code; a file is a test when it has a RUN line.
# Substitutions beyond lit's own: %python (with python/ on its path), %cc (the C compiler), %root (the sources),
# %build (the build folder). Features name what a machine may lack; a test that lacks one is skipped and counted.
import os
import shutil
import subprocess

import lit.formats

config.name = "sluice"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".py"]
config.excludes = ["Inputs", "lit.cfg.py", "lit.site.cfg.py"]
config.test_source_root = os.path.join(config.sluice_src_root, "test")
config.test_exec_root = os.path.join(config.sluice_build_root, "test")

# ---- environment ----
tools = os.path.join(config.sluice_build_root, "bin")
config.environment["PATH"] = os.pathsep.join([tools, config.llvm_tools_dir, config.environment["PATH"]])
config.environment["FILECHECK_OPTS"] = "-enable-var-scope --allow-unused-prefixes=false"
config.environment["PYTHONPATH"] = os.path.join(config.sluice_src_root, "python")
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
config.environment["SLUICE_BUILD"] = config.sluice_build_root
# Tests say themselves how many threads they use.
config.environment["OMP_NUM_THREADS"] = "1"

venv_python = os.path.join(config.sluice_src_root, ".venv", "bin", "python")
config.substitutions += [
    ("%python", venv_python),
    ("%cc", config.sluice_cc),
    ("%root", config.sluice_src_root),
    ("%build", config.sluice_build_root),
]

# ---- features ----
def cpu_flags():
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith(("flags", "Features")):
                return set(line.split(":", 1)[1].split())
    return set()


def python_has(module):
    found = subprocess.run(
        [venv_python, "-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"],
        capture_output=True,
    )
    return found.returncode == 0


def targets():
    """What sluice-check can run (`target-cpu` and so on)."""
    tool = os.path.join(tools, "sluice-check")
    if not os.path.exists(tool):
        return []
    return subprocess.run([tool, "--targets"], capture_output=True, text=True).stdout.split()


flags = cpu_flags()
features = config.available_features
if {"avx2", "fma"} <= flags:
    features.add("avx2")
if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
    features.add("avx512")
if "avx512_bf16" in flags:
    features.add("avx512bf16")
if os.path.exists("/dev/nvidia0") and os.path.exists("/dev/nvidiactl"):
    features.add("cuda-device")
if shutil.which("ptxas") or os.path.exists("/usr/local/cuda/bin/ptxas"):
    features.add("ptxas")
if python_has("torch") and python_has("transformers"):
    features.add("pytorch")
features |= {f"target-{name}" for name in targets()}
# The demo's weights are 90 MB and come from a package registry; see examples/minilm.
if os.path.exists(os.path.join(config.sluice_build_root, "cache", "minilm", "verified")):
    features.add("minilm-weights")
# sluice-run for 64-bit Arm, and an emulator; see test/Portability/CMakeLists.txt.
arm_tool = os.path.join(config.sluice_build_root, "aarch64", "sluice-run")
arm_run = f"qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu max {arm_tool}"
config.substitutions.append(("%arm_run", arm_run))
if os.path.exists(arm_tool) and shutil.which("qemu-aarch64"):
    features.add("aarch64-run")
# Built by ./dev test, in a tree of its own.
if os.path.exists(os.path.join(config.sluice_build_root, "fuzz", "bin", "fuzz-config")):
    features.add("fuzzers")
# ./dev test --long
if lit_config.params.get("long"):
    features.add("long")

# ---- a test that hangs fails ----
try:
    import psutil  # noqa: F401  (lit kills a test's children with it; it is in .venv)

    lit_config.maxIndividualTestTime = 6 * 3600 if lit_config.params.get("long") else 300
except ImportError:
    lit_config.note("no psutil in this Python, so no time limits; ./dev test has them")
