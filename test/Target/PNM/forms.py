# SPDX-License-Identifier: Apache-2.0
"""Text and bytes are two forms of one program: round trips, corrupted files, and what the verifier refuses.

RUN: %python %s %S/Inputs
"""

import random
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

INPUTS = Path(sys.argv[1])
HEADER, DESCRIPTOR = 64, 64
FOLDER = tempfile.TemporaryDirectory()
TEXT, BYTES, BACK = (Path(FOLDER.name) / name for name in ("a.pnm", "a.bin", "b.pnm"))


def run(*arguments):
    done = subprocess.run(["sluice-pnm", *map(str, arguments)], capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def assemble(text):
    TEXT.write_text(text)
    code, _, err = run("asm", TEXT, "-o", BYTES)
    assert code == 0, err
    return BYTES.read_bytes()


def disassemble(content):
    BYTES.write_bytes(content)
    code, out, err = run("disasm", BYTES)
    assert code == 0, err
    return out.decode()


def checksum(content):
    """|content| with the checksum that its bytes want: what a device sees has no file around it."""
    content = content[:28] + b"\0\0\0\0" + content[32:]
    return content[:28] + struct.pack("<I", zlib.crc32(content)) + content[32:]


def round_trips():
    for file in sorted(INPUTS.glob("*.pnm")):
        code, out, err = run("check", file)
        assert code == 0 and b"valid for" in out, err
        content = assemble(file.read_text())
        text = disassemble(content)
        assert assemble(text) == content and disassemble(content) == text
        assert checksum(content) == content
    # Descriptors of any content that decodes come back bit for bit, valid or not.
    header = assemble("pnm 1\nmachine ideal_roofline\n")
    dice = random.Random(7)
    opcodes = [*range(1, 8), *range(16, 21), *range(32, 38)]
    body = b""
    for _ in range(400):
        descriptor = bytearray(dice.randbytes(DESCRIPTOR))
        descriptor[0], descriptor[1] = dice.choice(opcodes), dice.randrange(64)
        descriptor[48:52] = bytes([dice.randrange(6), dice.randrange(6), dice.randrange(6), dice.randrange(3)])
        for at in (8, 16, 24):
            if dice.random() < 0.5:
                descriptor[at:at + 8] = bytes(8)
        body += bytes(descriptor)
    content = checksum(header[:16] + struct.pack("<Q", 400) + header[24:] + body)
    assert assemble(disassemble(content)) == content


def corrupted():
    content = assemble((INPUTS / "gemv.pnm").read_text())
    dice = random.Random(8)
    bits = [*dice.sample(range(HEADER * 8), 24), *(dice.randrange(HEADER * 8, len(content) * 8) for _ in range(16))]
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        BYTES.write_bytes(damaged)
        code, out, err = run("disasm", BYTES)
        assert code == 2 and not out and "error" in err, (bit, code, err)
    for length in (0, 5, 10, 63, 64, 100, len(content) - 64, len(content) - 1):
        BYTES.write_bytes(content[:length])
        code, out, err = run("check", BYTES)
        assert code == 2 and "error" in err, (length, code, err)
    BYTES.write_bytes(content + b"\0")
    assert run("check", BYTES)[0] == 2
    huge = checksum(content[:8] + struct.pack("<IIQ", 0xFFFFFFFF, 0xFFFFFFFF, 1 << 60) + content[24:])
    BYTES.write_bytes(huge)
    code, _, err = run("check", BYTES)
    assert code == 2 and "says that it has" in err, err


def planted():
    """A single-bit fault in a descriptor, with a checksum that fits, is refused, or is another program that says so."""
    file = INPUTS / "gemv.pnm"
    content = assemble(file.read_text())
    text = disassemble(content)
    first = len(content) - 6 * DESCRIPTOR
    dice = random.Random(9)
    refused = 0
    for bit in dice.sample(range(2 * DESCRIPTOR * 8), 40):
        damaged = bytearray(content)
        damaged[first + bit // 8] ^= 1 << bit % 8
        BYTES.write_bytes(checksum(bytes(damaged)))
        code, out, err = run("check", BYTES)
        if code in (2, 3):
            refused += 1
            assert "error" in err
        else:
            # The tag, an offset that still lies inside, a smaller extent: another program.
            assert code == 0 and disassemble(checksum(bytes(damaged))) != text, bit
    assert refused >= 20, refused


GOOD = (INPUTS / "gemv.pnm").read_text()
KV = """pnm 1
machine cxl_lpddr5x_pnm
group 1 first=0 count=8
memory kv tier=pnm group=1 shard=pages mut=append layout=hnd dtype=bf16 dims=[1024,8,32,128]
memory digests tier=pnm group=1 shard=pages layout=digest digest=minmax dtype=bf16 dims=[1024,8,32,128]
memory args tier=host dtype=u8 dims=[1048576]
memory pages tier=host dtype=i32 dims=[8,128]
memory states tier=host dtype=f32 dims=[64,32,132]
memory o tier=host dtype=f32 dims=[32,128]
search_topk group=1 src0=digests src1=args dst=pages n0=512 n1=32 n2=128 type0=bf16 acc=f32 layout=digest aux=16908352 id=1 flags=[event,broadcast]
host_wait id=1
attn_partial group=1 src0=kv src1=args dst=states n0=512 n1=16384 type0=bf16 acc=f32 layout=hnd scale=0.088388 aux=32 id=2 flags=[event,broadcast]
host_wait id=2
merge_states src0=states dst=o n0=64 n1=32 n2=128 acc=f32 flags=[normalised]
"""
FENCED = GOOD.replace("id=2 flags=[event,broadcast]", "id=2 flags=[fence,event,broadcast]")
RULES = [  # program, what is searched for, what it becomes, code, what is said
    (KV, "count=8", "count=8", 0, ""),
    (GOOD, "memory w tier=pnm group=1 shard=rows mut=frozen", "memory w tier=hbf group=1 shard=rows mut=rw", 3, "its cells wear out; keep it in pnm or host (V1)"),
    (KV, "memory kv tier=pnm group=1 shard=pages mut=append", "memory kv tier=hbf group=1 shard=pages mut=append", 3, "(V1)"),
    (GOOD, "memory table tier=pnm", "memory table tier=hbf", 0, "4.0 times as much (V2)"),
    (GOOD, "dims=[65536,256]", "dims=[6553600000,256]", 3, "its capacity is 512000000000 (V3)"),
    (GOOD, "memory w tier=pnm group=1", "memory w tier=sram group=1", 3, "must be resident in pnm or hbf (V4)"),
    (GOOD, "memory w tier=pnm group=1 shard=rows", "memory w tier=host group=0 shard=replicate", 3, "(V4)"),
    (GOOD, "gemv group=1", "gemv group=2", 3, "runs on group 2, which does not exist"),
    (GOOD, "group 1 first=0 count=8\n", "group 1 first=0 count=8\ngroup 2 first=0 count=4\n", 0, ""),
    (GOOD, "memory w tier=pnm group=1 shard=rows mut=frozen", "memory w tier=pnm group=1 shard=rows residency=streamed mut=frozen", 3, "is streamed and so not resident (V4)"),
    (KV, "kv tier=pnm group=1 shard=pages mut=append layout=hnd dtype=bf16 dims=[1024,8", "kv tier=pnm group=1 shard=heads mut=append layout=hnd dtype=bf16 dims=[1024,4", 3, "divide its pages instead (V5)"),
    (KV, "digest=minmax ", "", 3, "lacks the kind of its digests (V6)"),
    (KV, "search_topk group=1 src0=digests", "search_topk group=1 src0=kv", 3, "expected digests (V6)"),
    (KV, "aux=32 id=2 flags=[event,broadcast]", "aux=32 id=2 flags=[event,base2,broadcast]", 3, "(V7)"),
    (KV, "aux=32 id=2 flags=[event,broadcast]", "aux=32 id=2 flags=[event,normalised,broadcast]", 3, "partials are merged before they are divided (V7)"),
    (KV, "n1=16384 type0=bf16 acc=f32", "n1=16384 type0=bf16", 3, "accumulates in none, expected f32 (V8)"),
    (KV, "n1=16384 type0=bf16", "n1=16384 type0=f32", 3, "type0 is f32, but 'kv' has bf16 (V8)"),
    (KV, "layout=hnd dtype=bf16 dims=[1024,8,32", "layout=hnd dtype=i8 dims=[1024,8,32", 3, "expected f32 or bf16 (V8)"),
    (KV, "dims=[1024,8,32,128]", "dims=[1024,8,48,128]", 3, "pages of 48 slots, expected 16, 32, 64, 128 or 256"),
    (KV, "n0=512 n1=16384", "n0=512 n1=16385", 3, "16385 keys in 512 pages of 32"),
    (KV, "n0=512 n1=16384", "n0=512 n1=16352", 3, "16352 keys in 512 pages of 32"),
    (KV, "scale=0.088388", "scale=bits:0x7fc00000", 3, "scale is nan"),
    (KV, "aux=32 id=2", "aux=31 id=2", 3, "31 query heads for 8"),
    (KV, "dims=[64,32,132]", "dims=[63,32,132]", 3, "but it has 1064448"),
    (KV, "host_wait id=2\n", "", 3, "command 2 (attn_partial) may still write it; expected a fence or a wait"),
    (GOOD, "dst=e n0=8", "dst=y n0=8", 3, "writes 'y' while command 0 (gemv) may still write it"),
    (FENCED, "dst=e n0=8", "dst=y n0=8", 3, "writes 'y' while command 0 (gemv) may still write it"),
    (GOOD, "host_wait id=2", "host_wait id=9", 3, "waits for event 9, which no earlier command signals"),
    (GOOD, "id=2 flags", "id=1 flags", 3, "signals event 1, which command 0 signals too"),
    (GOOD, "n2=2048 type0", "n2=2047 type0", 3, "n2 is 2047, but 'w' has rows of 2048"),
    (GOOD, "src0=w src1", "src0=w+2 src1", 3, "starts inside a row"),
    (GOOD, "src0=w src1", "src0=w+4096 src1", 3, "reads rows 1 to 4096 of 'w', which has 4096"),
    (GOOD, "dst=y", "dst=w", 3, "which is frozen"),
    (GOOD, "src1=x", "src1=#77", 3, "src1 is memory 77"),
    (GOOD, "flags=[event,broadcast]\ngather", "flags=[event]\ngather", 3, "flag 'broadcast' is false"),
    (GOOD, "n1=1 n2=2048 type0", "n1=0 n2=2048 type0", 3, "expected 1 or more"),
    (GOOD, "n1=1 n2=2048", "n1=1 n2=2048 stride=4", 3, "stride is 4, but 'gemv' does not use it"),
    (GOOD, "machine cxl_lpddr5x_pnm", "machine hbf_gen1", 3, "group 1 has devices 0 to 7, but 'hbf_gen1' has 1 devices"),
    (GOOD, "machine cxl_lpddr5x_pnm", "machine upmem_v1a", 3, "but 'upmem_v1a' has integers only"),
    (GOOD, "machine cxl_lpddr5x_pnm", "machine nowhere", 2, "there is no machine of this name"),
    (GOOD, "count=8", "count=0", 3, "has devices"),
    (GOOD, "count=8", "count=4294967295", 3, "has 8 devices"),
    (GOOD, "dims=[4096,2048]", "dims=[281474976710655,281474976710655]", 3, "2^48 and more"),
    (GOOD, "dims=[4096,2048]", "dims=[4096,0]", 3, "has no bytes"),
    (GOOD, "pnm 1", "pnm 2", 2, "expected the first line to be 'pnm 1'"),
    (GOOD, "gemv group", "gemw group", 2, "did you mean 'gemv'?"),
    (GOOD, "src0=w ", "src0=v ", 2, "there is no memory 'v' above"),
    (GOOD, "n0=4096", "n0=4294967296", 2, "a number from 0 to 4294967295"),
    (GOOD, "n0=4096", "n0=-1", 2, "found '-1'"),
    (GOOD, "n0=4096", "n0=4096 n0=1", 2, "'n0' stands twice"),
    (GOOD, "flags=[event,broadcast]\ngather", "flags=[event,loud]\ngather", 2, "found 'loud'"),
    (GOOD, "memory x tier=host", "memory w tier=host", 2, "there is a memory 'w' already"),
    (GOOD, "dims=[2048]", "dims=[2048", 2, "]"),
    (GOOD, "group 1", "group 2", 2, "numbered in order from 1"),
]  # fmt: skip


def rules():
    for program, before, after, code, words in RULES:
        assert before in program, before
        TEXT.write_text(program.replace(before, after, 1))
        got, out, err = run("check", TEXT)
        assert got == code and words in err and (code == 0) == bool(out), (before, after, got, err)
    TEXT.write_text(GOOD.replace("memory table tier=pnm", "memory table tier=hbf"))
    code, _, err = run("check", TEXT, "--gated-energy", "--machine=cxl_lpddr5x_pnm", "--set=energy.dram_read=unknown")
    assert code == 3 and "(V9)" in err, err


round_trips()
corrupted()
planted()
rules()
