# SPDX-License-Identifier: Apache-2.0
#
# What sluice-run does when it is interrupted, when its mapped files are cut, and when the disk is full. Nothing here depends on
# time: a signal is sent when the kernel shows that the process is where it should be, and the runs have no end of their own.
# RUN: rm -rf %t && mkdir %t && %python %s %build/runtime/abi-suite/sluice_fake_model.so %t
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import time

library, scratch = sys.argv[1:]
LONG = ["--prompt", "100", "--generate", "200", "--repetitions", "1000000"]


def safetensors(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header)
    text += " " * (-(len(text) + 8) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text.encode() + data)


def artefact(name):
    path = os.path.join(scratch, name)
    edits = {
        '"sources": [{"name": "lm_head.bias", "rows": 50}], "role": "bias", "random_seed": 7}': '"role": "bias"}',
        '"sources": [{"name": "table", "rows": 20}], "role": "table", "random_seed": 7': '"role": "table"',
        '"vocab": 50': '"vocab": 49',  # The hand-written model refuses token 49.
    }
    subprocess.run(["sluice-make-fake", library, path, *sum(map(list, edits.items()), [])], check=True)
    safetensors(
        os.path.join(path, "weights.safetensors"),
        {"head.bias": ("U8", [256], bytes(256)), "table": ("U8", [640], bytes(640))},
    )
    return path


def until(process, what, condition):
    end = time.monotonic() + 250
    while not condition():
        assert process.poll() is None, f"ended before {what}: {process.stderr.read()}"
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.005)


def start(arguments, **more):
    return subprocess.Popen(["sluice-run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def maps(process, text):
    with open(f"/proc/{process.pid}/maps") as file:
        return text in file.read()


def expect(process, code, words):
    out, err = process.communicate(timeout=250)
    assert process.returncode == code, f"exit code {process.returncode}, expected {code}: {err}"
    assert words in err, f"expected '{words}' in: {err}"
    return out


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Ctrl-C, and a polite kill.
good = artefact("good.sluice")
for number in (signal.SIGINT, signal.SIGTERM):
    for threads in (1, 2):
        process = start(["bench", good, "--threads", str(threads), *LONG])
        until(process, "weights", lambda: maps(process, "weights.safetensors"))
        process.send_signal(number)
        assert expect(process, 130, "") == ""

# While results are being written: nothing half-written stays.
inputs, outputs = os.path.join(scratch, "in.safetensors"), os.path.join(scratch, "out.safetensors")
safetensors(inputs, {"ids": ("I32", [3], struct.pack("<3i", 1, 2, 3))})
process = start([good, "--function=forever", "--inputs", inputs, "--outputs", outputs, "--threads=2"])
until(process, "output", lambda: any(name.endswith(".part") for name in os.listdir(scratch)))
process.send_signal(signal.SIGINT)
expect(process, 130, "")
assert not [name for name in os.listdir(scratch) if "out.safetensors" in name], os.listdir(scratch)

# A file that is cut while it is mapped, whichever thread meets it.
for member in ("weights.safetensors", "lib/model.so"):
    for threads in (1, 2):
        path = artefact(f"cut-{threads}-{member[:3]}.sluice")
        process = start(["bench", path, "--threads", str(threads), *LONG])
        # Loading takes less than this.
        until(process, "steps", lambda: cpu_seconds(process) > 0.2)
        os.truncate(os.path.join(path, member), 0)
        expect(process, 2, f"{path}/{member} was cut" if member[0] == "w" else "a mapped file was cut")

# No room on the disk: for the results' file, and for stdout.
def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


rows = 1000
safetensors(inputs, {"x": ("F32", [rows, 3], bytes(12 * rows)), "y": ("F32", [2, 3], bytes(24))})
process = start([good, "--function=add", "--inputs", inputs, "--outputs", outputs], preexec_fn=small_files)
expect(process, 4, "out.safetensors: File too large")
assert not [name for name in os.listdir(scratch) if "out.safetensors" in name], os.listdir(scratch)
with open(os.path.join(scratch, "stdout"), "w") as file:
    file.write(" " * 4000)
    file.flush()
    full = subprocess.run(["sluice-run", "inspect", good, "--format=json"], stdout=file, stderr=subprocess.PIPE, text=True, preexec_fn=small_files)
assert full.returncode == 4 and "cannot write the results to stdout: File too large" in full.stderr, full
# And with room it works.
process = start([good, "--function=add", "--inputs", inputs, "--outputs", outputs])
expect(process, 0, "")
assert os.path.exists(outputs)

# Threads: none, too many, and what the options say.
for value, words in (("0", '--threads is "0", expected an integer from 1'), ("1000", "1000 threads asked for, expected 1 to")):
    expect(start([good, "--tokens=1", "--threads", value]), 1, words)
