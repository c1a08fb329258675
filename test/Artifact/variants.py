# SPDX-License-Identifier: Apache-2.0
#
# REQUIRES: avx2
# An artefact for several processors: members that agree stand once, weights are shared where they lie the same, the loader
# takes the first that fits and says so, and a manifest that contradicts itself is refused with its place.
# RUN: rm -rf %t && mkdir %t
# RUN: sluicec %root/test/Fixtures/bert-sentence/model -o %t/two.sluice --weights=random:3 --cpu=neoverse-v2,x86-64-v3 --max-rows=64 --max-batch=3
# RUN: sluicec %root/test/Fixtures/bert-sentence/model -o %t/one.sluice --weights=random:3 --cpu=x86-64-v3
# RUN: %python %s %t

# Rows and sequences that a model was compiled for bound its sessions.
# RUN: sluicec %root/test/Fixtures/llama-gqa/model -o %t/small.sluice --weights=random:3 --max-rows=32 --max-batch=2
# RUN: sluice-run %t/small.sluice --tokens=@%S/Inputs/forty.txt --max-new=4 --ignore-eos > %t/small
# RUN: sluicec %root/test/Fixtures/llama-gqa/model -o %t/large.sluice --weights=random:3
# RUN: sluice-run %t/large.sluice --tokens=@%S/Inputs/forty.txt --max-new=4 --ignore-eos | diff - %t/small
# RUN: not sluice-run %t/small.sluice --tokens=@%S/Inputs/forty.txt --max-rows=48 2>&1 | FileCheck %s --check-prefix=ROWS
# ROWS: max_rows is {{[0-9]+}}, but the model was compiled with --max-rows=32
# RUN: not sluice-run bench %t/small.sluice --batch=3 --prompt=8 --generate=1 2>&1 | FileCheck %s --check-prefix=BATCH
# BATCH: max_seqs is 3, but the model was compiled with --max-batch=2
# RUN: sluice-run inspect %t/small.sluice | FileCheck %s --check-prefix=LIMITS
# LIMITS: limits: {{.*}}max_rows 32 max_seqs 2

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

folder = Path(sys.argv[1])
two, one = folder / "two.sluice", folder / "one.sluice"
manifest = json.loads((two / "manifest.json").read_text())
assert manifest["sluice"] == 2 and json.loads((one / "manifest.json").read_text())["sluice"] == 1
assert [v["target"]["cpu"] for v in manifest["variants"]] == ["x86-64-v3", "neoverse-v2"], "the wider first"
for variant in manifest["variants"]:
    assert set(variant) <= {"target", "library", "functions", "ops"}, f"{set(variant)}: the rest is the same for both"
    assert (two / variant["library"]).is_file()
assert "weights" in manifest and "library" not in manifest and "target" not in manifest
assert manifest["limits"]["max_rows"] == 64 and manifest["limits"]["max_seqs"] == 3
assert not list(two.glob("weights*")), "generated weights travel as a seed"


def run(artefact, *options):
    line = ["sluice-run", "inspect", str(artefact), "--format=json", *options]
    return subprocess.run(line, capture_output=True, text=True)


seen = json.loads(run(two).stdout)
assert seen["variant"] == 1 and seen["variants"] == ["x86-64-v3", "neoverse-v2"] and seen["target"]["cpu"] == "x86-64-v3"
other = json.loads(run(two, "--variant=2").stdout)
assert other["variant"] == 2 and other["target"]["triple"].startswith("aarch64"), "any can be looked at"
assert json.loads(run(one).stdout)["variants"] == ["x86-64-v3"]


def edited(change):
    """What sluice-run says to the artefact with a changed manifest."""
    bad = copy.deepcopy(manifest)
    change(bad)
    place = folder / "edited.sluice"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(two, place)
    (place / "manifest.json").write_text(json.dumps(bad))
    done = run(place)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    return done.stderr


def first(m):
    return m["variants"][0]


for change, words in [
    (lambda m: m.update(variants=[]), "variants has 0 entries, expected 1 to 64"),
    (lambda m: m.update(variants={}), "the manifest.variants is an object, expected an array"),
    (lambda m: m.update(variants=[1]), "variants[0] is a number, expected an object"),
    (lambda m: m.update(variants=m["variants"] * 33), "variants has 66 entries, expected 1 to 64"),
    (lambda m: first(m).pop("target"), "variants[0] lacks \"target\""),
    (lambda m: first(m)["target"].pop("cpu"), "lacks \"cpu\""),
    (lambda m: first(m).update(library="../x.so"), "expected a relative path that stays inside the artefact"),
    (lambda m: first(m).update(weight_file="/etc/passwd"), "weight_file is \"/etc/passwd\", expected a relative path"),
    (lambda m: first(m).update(weight_file=3), "the manifest.weight_file is a number, expected a string"),
    (lambda m: first(m).update(functions=[]), "functions is empty"),
    (lambda m: first(m)["ops"][0].update(function=99), "ops[0].function is 99, expected an integer from 0 to 1"),
    (lambda m: first(m)["ops"][0].update(times=-1), "ops[0].times is -1"),
    (lambda m: first(m)["ops"][0]["rows"].update(row=1 << 60), "ops[0].rows.row is 1152921504606846976"),
    (lambda m: first(m)["ops"][0].pop("memory"), "ops[0] lacks \"memory\", expected an object"),
    (lambda m: first(m)["ops"][0].update(path=None), "ops[0].path is null, expected a string"),
    (lambda m: first(m).update(ops=7), "the manifest.ops is a number, expected an array"),
    (lambda m: m["limits"].update(max_rows=0), "limits.max_rows is 0, expected an integer from 1"),
    (lambda m: m.update(sluice=3), "manifest version 3, this runtime reads up to 2"),
]:
    said = edited(change)
    assert words in said, f"expected {words!r}, found {said!r}"

# A variant that nothing here can run is passed over; when none is left, every one is named with what it lacks.
far = copy.deepcopy(manifest)
far["variants"] = [far["variants"][1]]
(two / "manifest.json").write_text(json.dumps(far))
done = subprocess.run(["sluice-run", str(two), "--inputs", "x", "--outputs", "y"], capture_output=True, text=True)
assert done.returncode == 2 and "was built for aarch64-unknown-linux-gnu, this machine is x86_64" in done.stderr, done.stderr
far["variants"].append(copy.deepcopy(manifest["variants"][0]))
far["variants"][1]["target"]["features"].append("amx-of-tomorrow")
(two / "manifest.json").write_text(json.dumps(far))
done = subprocess.run(["sluice-run", str(two), "--inputs", "x", "--outputs", "y"], capture_output=True, text=True)
assert done.returncode == 2 and "can run none of the artefact's 2 variants: neoverse-v2 is for aarch64-unknown-linux-gnu, " \
    "x86-64-v3 needs amx-of-tomorrow: compile with a --cpu that it has" in done.stderr, done.stderr
