# SPDX-License-Identifier: Apache-2.0
"""Search, digests, tables and clamp sums against NumPy; faults, bad lists, and how time and energy move.

RUN: rm -rf %t && mkdir %t && %python %s %t %S/Inputs
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FOLDER, INPUTS = Path(sys.argv[1]), Path(sys.argv[2])
HEAD = "pnm 1\nmachine cxl_lpddr5x_pnm\ngroup 1 first=0 count={count}\n"
FILE = FOLDER / "p.pnm"


def run(*command):
    done = subprocess.run(["sluice-pnm", *map(str, command)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def simulate(program, memories, *options):
    FILE.write_text(program)
    tensors = {name: np.frombuffer(np.ascontiguousarray(value).tobytes(), dtype=np.uint8) for name, value in memories.items()}
    save_file(tensors, FOLDER / "in.safetensors")
    return run("simulate", FILE, "--inputs", FOLDER / "in.safetensors", "--outputs", FOLDER / "out.safetensors", "--report=json", *options)


def outputs(program, memories):
    code, out, err = simulate(program, memories)
    assert code == 0, err
    report = json.loads(out)
    assert report["bytes"]["memory_read"] == report["touched"]["memory_read"], report
    assert report["bytes"]["memory_written"] == report["touched"]["memory_written"], report
    return load_file(FOLDER / "out.safetensors")


def pad(*parts):
    block = b""
    for part in parts:
        block += b"\0" * (-len(block) % 64) + np.ascontiguousarray(part).tobytes()
    return np.frombuffer(block, np.uint8)


def flags(count):
    return "event,broadcast" if count > 1 else "event"


def search(dice, count):
    pages, heads, query_heads, slots, size, k = 24, 2, 4, 32, 8, 6
    keys = dice.integers(-4, 5, (pages, 2, heads, slots, size)).astype(np.float32)  # small numbers: sums are exact, ties are many
    query = dice.integers(-3, 4, (query_heads, size)).astype(np.float32)
    # Owners of digests are those of their pages; any order of pages will do.
    table = dice.permutation(pages).astype(np.int32)
    valid = dice.integers(1, slots + 1, pages).astype(np.int32)
    aux = k | 1 << 16 | 2 << 24
    for kind, total in (("minmax", 0), ("minmax", 1), ("cuboid_mean", 0)):
        program = HEAD.format(count=count) + (
            f"memory kv tier=pnm group=1 shard=pages layout=hnd dtype=f32 dims=[{pages},{heads},{slots},{size}]\n"
            f"memory d tier=pnm group=1 shard=pages layout=digest digest={kind} dtype=f32 dims=[{pages},{heads},{slots},{size}]\n"
            f"memory new tier=host dtype=i32 dims=[{pages},2]\nmemory a tier=host dtype=u8 dims=[{len(pad(query, table))}]\n"
            f"memory best tier=host dtype=i32 dims=[{heads},{k}]\n"
            f"digest_update group=1 src0=kv src1=new dst=d n0={pages} type0=f32 layout=hnd id=1 flags=[{flags(count)}]\n"
            f"search_topk group=1 src0=d src1=a dst=best n0={pages} n1={query_heads} n2={size} type0=f32 acc=f32 layout=digest aux={aux | total << 31} id=2 flags=[fence,{flags(count)}]\n"
            "host_wait id=2\n"
        )
        out = outputs(program, {"kv": keys, "new": np.stack([np.arange(pages), valid], 1).astype(np.int32), "a": pad(query, table)})
        for h in range(heads):
            scores = []
            for page in table:
                seen = keys[page, 0, h, : valid[page]]
                most, least = seen.max(0), seen.min(0)
                if kind == "cuboid_mean":
                    centre = (most + least) * np.float32(0.5)
                    radius = np.zeros(size, np.float32)
                    for key in seen:
                        radius += np.abs(key - centre)
                    radius /= np.float32(valid[page])
                    most, least = centre + radius, centre - radius
                each = []
                for q in query[h * 2 : h * 2 + 2]:
                    score = np.float32(0)
                    for d in range(size):
                        score += np.maximum(q[d] * most[d], q[d] * least[d])
                    each.append(score)
                scores.append(np.float32(sum(each)) if total else max(each))
            kept = [0, pages - 2, pages - 1]
            rest = sorted((p for p in range(pages) if p not in kept), key=lambda p: (-scores[p], p))
            assert out["best"][h].tolist() == sorted(kept + rest[: k - 3]), (kind, total, h)


def tables(dice, count):
    rows, size, segments, taken = 50, 12, 5, 20
    table = dice.standard_normal((rows, size), dtype=np.float32)
    indices = dice.integers(0, rows, taken).astype(np.int32)
    offsets = np.array([0, 4, 4, 9, 15, 20], np.int32)
    weights = dice.standard_normal(taken, dtype=np.float32)
    for shard in ("rows", "replicate"):
        program = HEAD.format(count=count) + (
            f"memory t tier=pnm group=1 shard={shard} mut=frozen dtype=f32 dims=[{rows},{size}]\nmemory i tier=host dtype=i32 dims=[{taken}]\n"
            f"memory y tier=host dtype=f32 dims=[{taken},{size}]\n"
            f"gather group=1 src0=t src1=i dst=y n0={taken} type0=f32 id=1 flags=[{flags(count)}]\nhost_wait id=1\n"
        )
        assert (outputs(program, {"t": table, "i": indices})["y"] == table[indices]).all()
        assert simulate(program, {"t": table, "i": np.where(indices == indices[7], rows, indices).astype(np.int32)})[0] == 4
    for operation, weighted in ((0, 0), (0, 1), (1, 0), (2, 0)):
        block = pad(offsets, indices, weights)
        program = HEAD.format(count=count) + (
            f"memory t tier=pnm group=1 mut=frozen dtype=f32 dims=[{rows},{size}]\nmemory i tier=host dtype=u8 dims=[{len(block)}]\n"
            f"memory y tier=host dtype=f32 dims=[{segments},{size}]\n"
            f"gather_reduce group=1 src0=t src1=i dst=y n0={taken} n1={segments} type0=f32 acc=f32 aux={operation | weighted << 2} id=1 flags=[{flags(count)}]\nhost_wait id=1\n"
        )
        y = outputs(program, {"t": table, "i": block})["y"]
        for s in range(segments):
            part = table[indices[offsets[s] : offsets[s + 1]]]
            if not len(part):
                assert (y[s] == 0).all()
            elif operation == 2:
                assert (y[s] == part.max(0)).all()
            else:
                # An fma in NumPy: the product of two f32 is exact in f64.
                total = np.zeros(size, np.float32)
                for i, row in enumerate(part):
                    weight = np.float64(weights[offsets[s] + i]) if weighted else np.float64(1)
                    total = (weight * row.astype(np.float64) + total).astype(np.float32)
                assert np.allclose(y[s], total / np.float32(len(part)) if operation == 1 else total, rtol=1e-6)
    if count > 1:
        code, _, err = simulate(program.replace("memory t tier=pnm group=1", "memory t tier=pnm group=1 shard=rows"), {"t": table, "i": block})
        assert code == 4 and "which lie on two devices: a sum is one chain" in err, err


def clamps(dice, count):
    rows, size = 9, 20
    x, w = dice.standard_normal(size, dtype=np.float32), dice.standard_normal((rows, size), dtype=np.float32)
    program = HEAD.format(count=count) + (
        f"memory w tier=pnm group=1 shard=rows mut=frozen dtype=f32 dims=[{rows},{size}]\nmemory x tier=host dtype=f32 dims=[{size}]\n"
        f"memory y tier=host dtype=f32 dims=[{rows}]\n"
        f"clamp_reduce group=1 src0=w src1=x dst=y n0={rows} n1=1 n2={size} type0=f32 type1=f32 acc=f32 id=1 flags=[{flags(count)}]\nhost_wait id=1\n"
    )
    y = outputs(program, {"w": w, "x": x})["y"]
    total = np.zeros(rows, np.float32)
    for k in range(size):
        total += np.copysign(np.minimum(np.abs(x[k]), np.abs(w[:, k])), x[k])
    assert (y == total).all()
    # Integers, exact, on a machine that has nothing else.
    x, w = dice.integers(-128, 128, size).astype(np.int8), dice.integers(-128, 128, (rows, size)).astype(np.int8)
    for command in ("gemv", "clamp_reduce"):
        program = (
            f"pnm 1\nmachine upmem_v1a\ngroup 1 first=0 count={count}\nmemory w tier=pnm group=1 shard=rows mut=frozen dtype=i8 dims=[{rows},{size}]\n"
            f"memory x tier=host dtype=i8 dims=[{size}]\nmemory y tier=host dtype=i32 dims=[{rows}]\n"
            f"{command} group=1 src0=w src1=x dst=y n0={rows} n1=1 n2={size} type0=i8 type1=i8 acc=i32 id=1 flags=[{flags(count)}]\nhost_wait id=1\n"
        )
        a, b = x.astype(np.int32), w.astype(np.int32)
        expected = b @ a if command == "gemv" else (np.sign(a) * np.minimum(np.abs(a), np.abs(b))).sum(1)
        assert (outputs(program, {"w": w, "x": x})["y"] == expected).all()


def pages_are_shared(dice):
    program = HEAD.format(count=1) + (
        "memory kv tier=pnm group=1 mut=append layout=hnd dtype=f32 shared=2 dims=[4,1,16,4]\nmemory n tier=host dtype=u8 dims=[132]\nmemory c tier=host dtype=i32 dims=[1,2]\n"
        "{}\nhost_wait id=1\n"
    )
    append = "kv_append group=1 src1=n dst=kv n0=1 type1=f32 layout=hnd id=1 flags=[event]"
    new = np.ones(4, np.float32)
    code, _, err = simulate(program.format(append), {"n": np.concatenate([pad(new, new, np.array([17], np.int32))])})
    assert code == 4 and "others use too: copy it first (V10)" in err, err
    kv = outputs(program.format(append), {"n": pad(new, new, np.array([33], np.int32))})["kv"].view(np.float32).reshape(4, 2, 1, 16, 4)
    assert (kv[2, :, 0, 1] == 1).all() and kv.sum() == 8
    skipped = outputs(program.format(append), {"n": pad(new, new, np.array([-1], np.int32))})
    assert "kv" not in skipped or not skipped["kv"].any()
    copy = "kv_copy_pages group=1 src0=kv src1=c dst=kv n0=1 type0=f32 layout=hnd id=1 flags=[event]"
    data = dice.standard_normal((4, 2, 1, 16, 4), dtype=np.float32)
    kv = outputs(program.format(copy), {"kv": data, "c": np.array([[1, 3]], np.int32)})["kv"].view(np.float32).reshape(data.shape)
    assert (kv[3] == data[1]).all() and (kv[:3] == data[:3]).all()
    code, _, err = simulate(program.format(copy), {"kv": data, "c": np.array([[3, 1]], np.int32)})
    assert code == 4 and "(V10)" in err, err


def report(*options):
    code, out, err = run("simulate", INPUTS / "gemv.pnm", "--report=json", *options)
    assert code == 0, err
    return json.loads(out)


def moves():
    """Time and energy go where the machine pushes them, and come back the same when nothing changes."""
    work = (INPUTS / "gemv.pnm").read_text().replace("host_work n0=20000\n", "")
    FILE.write_text(work)
    base = json.loads(run("simulate", FILE, "--report=json")[1])
    assert base == json.loads(run("simulate", FILE, "--report=json")[1])

    def changed(*sets):
        code, out, err = run("simulate", FILE, "--report=json", *(f"--set={s}" for s in sets))
        assert code == 0, err
        return json.loads(out)

    for key, sign in (("dram.channel_bandwidth", -1), ("dram.stream_efficiency", -1), ("link.round_trip_ns", 1), ("command.issue_ns", 1),
                      ("command.decode_ns", 1), ("dram.latency_ns", 1), ("link.bandwidth", -1)):  # fmt: skip
        assert (changed(f"{key}=x1.1")["ns"] - base["ns"]) * sign > 0, key
    for key in ("energy.dram_read", "energy.link", "energy.mac_bf16", "power.static_w", "power.host_w", "energy.sram"):
        more = changed(f"{key}=x2")
        part = {"power.static_w": "static", "power.host_w": "host"}.get(key, key.split(".")[1])
        assert abs(more["energy"][part]["value"] / base["energy"][part]["value"] - 2) < 1e-9 and more["ns"] == base["ns"], key
    unknown = changed("energy.dram_read=unknown")
    assert unknown["unknown_energy"] == ["energy.dram_read"] and "dram_read" not in unknown["energy"]
    code, text, _ = run("simulate", FILE, "--set=energy.dram_read=unknown")
    assert code == 0 and "J/token      >= " in text and "(energy.dram_read unknown)" in text, text
    assert base["joules"]["lo"] < base["joules"]["value"] < base["joules"]["hi"]
    # The host works meanwhile: overlap, not a sum.
    with_host = report()
    assert max(20000, base["ns"]) <= with_host["ns"] < 20000 + 0.5 * base["ns"]
    ideal = json.loads(run("simulate", FILE, "--machine=ideal_roofline", "--report=json")[1])
    assert ideal["ns"] <= base["ns"]
    # Ten times the work takes ten times the time, give or take what overlaps.
    ten = json.loads(run("simulate", FILE, "--report=json", "--repeat=10")[1])
    assert ten["tokens"] == 10 and ten["bytes"]["memory_read"] == 10 * base["bytes"]["memory_read"]
    assert 9 * base["ns"] <= ten["ns"] <= 10 * base["ns"] * (1 + 1e-12)


def failures():
    code, out, err = run("simulate", INPUTS / "gemv.pnm", "--fail=3@1")
    assert code == 4 and "device 3 of 'cxl_lpddr5x_pnm' stopped at 1.000 us" in err and "command 0 (gemv, tag 1)" in err, err
    assert run("simulate", INPUTS / "gemv.pnm", "--fail=3@1000")[0] == 0
    for bad in ("8@1", "x@1", "3", "3@-1"):
        assert run("simulate", INPUTS / "gemv.pnm", f"--fail={bad}")[0] == 2, bad
    # Placed again without it.
    FILE.write_text((INPUTS / "gemv.pnm").read_text().replace("group 1 first=0 count=8", "group 1 first=4 count=4"))
    assert run("simulate", FILE, "--fail=3@1")[0] == 0
    for name in ("t.svg", "t.json"):
        assert run("simulate", FILE, f"--timeline={FOLDER / name}")[0] == 0
    events = json.loads((FOLDER / "t.json").read_text())["traceEvents"]
    busy = {}
    for event in (e for e in events if e["ph"] == "X"):
        busy.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    assert len(busy) > 10
    for spans in busy.values():
        spans.sort()
        assert all(a[1] <= b[0] + 1e-9 for a, b in zip(spans, spans[1:])), spans
    assert (FOLDER / "t.svg").read_text().startswith("<svg")


def traces():
    whole = report()["bytes"]["memory_moved"]
    for form, unit, marks in (("ramulator", 32, ("R ", "W ")), ("dramsim3", 32, (" READ ", " WRITE ")), ("aim", None, ("AiM ",))):
        total = 0
        for device in range(8):
            code, _, err = run("trace", INPUTS / "gemv.pnm", f"--format={form}", f"--device={device}", "-o", FOLDER / "trace")
            assert code == 0, err
            lines = (FOLDER / "trace").read_text().splitlines()
            assert all(any(mark in line for mark in marks) for line in lines)
            if form == "aim":
                assert lines.pop() == "AiM EOC"
                each = {"MAC_ABK": 512, "RD_SBK": 32, "WR_SBK": 32}
                total += sum(int(line.split()[2]) * each[line.split()[1]] for line in lines)
            else:
                total += unit * len(lines)
                if form == "ramulator":
                    assert all(len(line.split()[1].split(",")) == 6 for line in lines)
                    places = {line.split(" ", 1)[1] for line in lines}
                else:
                    places = {line.split()[0] for line in lines}
                assert len(places) == len(lines), "an address stands twice"
        assert total == whole, (form, total, whole)
    assert run("trace", INPUTS / "gemv.pnm", "--format=vcd", "-o", FOLDER / "trace")[0] == 2


dice = np.random.default_rng(5)
for count in (1, 3):
    search(dice, count)
    tables(dice, count)
    clamps(dice, count)
pages_are_shared(dice)
moves()
failures()
traces()
