# SPDX-License-Identifier: Apache-2.0
"""Hostile programs: MLIR text at every stage through sluicec, sluice-opt and sluice-check."""

from inputs import *

FROM = {stage: f"sluicec in.mlir --from={stage} -o out.sluice" for stage in ("tensor", "placed", "target")}
CHECK = "sluice-check in.mlir --target=cpu --against=reference"

GOOD = """module attributes {sluice.name = "t", sluice.kind = "op", sluice.random_seed = 1} {
  sluice.param @w role weight : tensor<8x16xf32> from ["w"] rows [8]
  func.func @f(%x: tensor<?x16xf32> {sluice.name = "x"}) -> (tensor<?x8xf32> {sluice.name = "y"}) attributes {sluice.export} {
    %w = sluice.param.use @w : tensor<8x16xf32>
    %y = sluice.linear %x, %w : (tensor<?x16xf32>, tensor<8x16xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}
"""


def program(old=None, new="", text=None):
    whole = GOOD if text is None else text
    assert old is None or old in whole, old
    return file("in.mlir", whole.replace(old, new) if old else whole)


def function(body, arguments="%x: tensor<?x16xf32>", results=""):
    return program(text=f"func.func @f({arguments}) {results} {{\n{body}\n}}\n")


TENSOR = [
    ("good", program(), FROM["tensor"], 0, "wrote out.sluice"),
    ("missing", files(), FROM["tensor"], 2, "in.mlir:0:0: error: cannot open: No such file or directory"),
    ("is-directory", directory("in.mlir"), FROM["tensor"], 2, "expected a regular file of MLIR text"),
    ("is-fifo", fifo("in.mlir"), FROM["tensor"], 2, "expected a regular file of MLIR text"),
    ("large", sparse("in.mlir", 300 << 20), FROM["tensor"], 2, "expected at most 268435456 bytes, but the file has 314572800"),
    ("empty", program(text=""), FROM["tensor"], 2, "error"),
    ("binary", file("in.mlir", bytes(range(256)) * 4), FROM["tensor"], 2, "error"),
    ("zero-byte", program("@f", "@\0f"), FROM["tensor"], 2, "error"),
    ("bytecode-header", file("in.mlir", b"ML\xefR" + b"\x0d" + bytes(50)), FROM["tensor"], 2, "expected MLIR text, but found bytecode"),
    ("bytecode-cut", file("in.mlir", b"ML\xefR"), FROM["tensor"], 2, "error"),
    ("nests-parentheses", program(text="(" * 200000), FROM["tensor"], 2, "more than 128 brackets inside one another"),
    ("nests-attributes", program(text="module attributes {a = " + "[" * 129 + "]" * 129 + "} {}"), FROM["tensor"], 2, "more than 128 brackets inside one another"),
    ("nests-types", program(text="func.func private @f(" + "tuple<" * 100000 + ")"), FROM["tensor"], 2, "more than 128 brackets inside one another"),
    ("nests-arrows", program(text="func.func private @f() -> " + "(() -> " * 100000), FROM["tensor"], 2, "more than 128 brackets inside one another"),
    ("nests-arrows-bare", program(text='"a"() {f = ' + "() -> " * 50000 + "()} : () -> ()"), FROM["tensor"], 2, "error"),
    ("nests-affine", program(text="#m = affine_map<(d0) -> (" + "-" * 100000 + "d0)>"), FROM["tensor"], 2, "an affine map of more than 4096 bytes"),
    ("long-affine-sum", program(text="#m = affine_map<(d0) -> (d0" + " + d0" * 100000 + ")>"), FROM["tensor"], 2, "an affine map of more than 4096 bytes"),
    ("aliases-double", program(text="#a0 = [1]\n" + "".join(f"#a{i} = [#a{i - 1}, #a{i - 1}]\n" for i in range(1, 60)) + "module attributes {a = #a59} {}"),
     FROM["tensor"], 2, "an alias in which more than 100000 aliases stand"),
    ("aliases-chain", program(text="#a0 = [1]\n" + "".join(f"#a{i} = [#a{i - 1}]\n" for i in range(1, 50000)) + "module {}"),
     FROM["tensor"], 2, "more than 128 brackets inside one another"),
    ("type-aliases-chain", program(text="!a0 = i32\n" + "".join(f"!a{i} = tuple<!a{i - 1}>\n" for i in range(1, 50000)) + "module {}"),
     FROM["tensor"], 2, "more than 128 brackets inside one another"),
    ("location-names-device", program(text='module {\n  func.func @f() {\n    return\n  } loc("/dev/zero":1:1)\n} loc("/dev/zero":1:1)\n'), FROM["tensor"], 2, "error"),
    ("location-names-fifo", all_of(fifo("pipe"), program(text='module {} loc("pipe":1:1)\n')), FROM["tensor"], 2, "error"),
    ("nests-dense", program(text="module attributes {a = dense<" + "[" * 1000 + "> : tensor<1xf32>} {}"), FROM["tensor"], 2, "more than 128 brackets inside one another"),
    ("locations-chain", program(text="module {} loc(" + "callsite(" * 2000), FROM["tensor"], 2, "more than 128 brackets"),
    ("op-unknown", program("sluice.linear", "sluice.linnear"), FROM["tensor"], 2, "sluice.linnear"),
    ("dialect-unknown", program("sluice.linear", "sluce.linear"), FROM["tensor"], 2, "sluce"),
    ("value-unknown", program("linear %x", "linear %z"), FROM["tensor"], 2, "use of undeclared SSA value name"),
    ("value-twice", program("%w = sluice", "%x = sluice"), FROM["tensor"], 2, "redefinition of SSA value"),
    ("param-missing", program("param.use @w", "param.use @v"), FROM["tensor"], 2, "v"),
    ("param-is-function", program("param.use @w", "param.use @f"), FROM["tensor"], 2, "error"),
    ("param-type", program("param.use @w : tensor<8x16xf32>", "param.use @w : tensor<8x17xf32>"), FROM["tensor"], 2, "error"),
    ("param-dynamic", program("role weight : tensor<8x16xf32>", "role weight : tensor<?x16xf32>"), FROM["tensor"], 2, "error"),
    ("param-huge", program(text=GOOD.replace("8x16", "2147483647x2147483647")), FROM["tensor"], 2, "error"),
    ("param-2^48-numbers", program(text=GOOD.replace("8x16", "17592186044416x16").replace("rows [8]", "rows [17592186044416]").replace("?x8x", "?x17592186044416x")),
     FROM["tensor"], 2, "error"),
    ("param-zero", program(text=GOOD.replace("8x16", "0x16").replace("rows [8]", "rows [0]").replace("?x8x", "?x0x")), FROM["tensor"], 2, "error"),
    ("param-rank-0", program("role weight : tensor<8x16xf32>", "role weight : tensor<f32>"), FROM["tensor"], 2, "error"),
    ("param-element", program("role weight : tensor<8x16xf32>", "role weight : tensor<8x16xcomplex<f32>>"), FROM["tensor"], 2, "error"),
    ("param-no-sources", program(' from ["w"] rows [8]', ""), FROM["tensor"], 2, "error"),
    ("param-source-rows", program("rows [8]", "rows [-8]"), FROM["tensor"], 2, "error"),
    ("param-source-rows-wrap", program('["w"] rows [8]', '["w", "v", "u"] rows [9223372036854775807, 9223372036854775807, 10]'),
     FROM["tensor"], 2, "error"),
    ("param-stack", program("@w role", "@w stack 9223372036854775807 role"), FROM["tensor"], 2, "error"),
    ("shape-2^63", program("?x16xf32", "?x9223372036854775808xf32"), FROM["tensor"], 2, "error"),
    ("shapes-disagree", program("%x: tensor<?x16xf32>", "%x: tensor<?x17xf32>"), FROM["tensor"], 2, "error"),
    ("no-rank", function("  return %x : tensor<*xf32>", "%x: tensor<*xf32>", "-> tensor<*xf32>"), FROM["tensor"], 2, "error"),
    ("recursion", program(text='module attributes {sluice.name = "t", sluice.kind = "op", sluice.random_seed = 1} {\n  func.func @f(%x: tensor<?x16xf32> {sluice.name = "x"}) -> (tensor<?x16xf32> {sluice.name = "y"}) attributes {sluice.export} {\n    %y = call @f(%x) : (tensor<?x16xf32>) -> tensor<?x16xf32>\n    return %y : tensor<?x16xf32>\n  }\n}\n'),
     FROM["tensor"], 3, "error"),
    ("no-body", program(text="func.func private @f(tensor<4xf32>)"), FROM["tensor"], 2, "error"),
    ("no-attributes", program(' attributes {sluice.name = "t", sluice.kind = "op", sluice.random_seed = 1}', ""), FROM["tensor"], 2, "error"),
    ("kind-unknown", program('kind = "op"', 'kind = "demon"'), FROM["tensor"], 2, "error"),
    ("kind-number", program('kind = "op"', "kind = 3"), FROM["tensor"], 2, "error"),
    ("name-number", program('name = "t"', "name = 3"), FROM["tensor"], 2, "error"),
    ("seed-string", program("random_seed = 1", 'random_seed = "1"'), FROM["tensor"], 2, "error"),
    ("limits-array", program("random_seed = 1", "random_seed = 1, sluice.limits = [1]"), FROM["tensor"], 2, "to be a dictionary, but found"),
    ("limits-string", program("random_seed = 1", 'random_seed = 1, sluice.limits = {vocab = "many"}'), FROM["tensor"], 2, "positive 32-bit numbers"),
    ("weights-nowhere", program("sluice.random_seed = 1", 'sluice.weights = "/nowhere"'), FROM["tensor"], 2, "expected weights in"),
    ("weights-number", program("sluice.random_seed = 1", "sluice.weights = 7"), FROM["tensor"], 2, "error"),
    ("export-twice", program("sluice.export}", "sluice.export, sluice.export}"), FROM["tensor"], 2, "error"),
    ("result-unnamed", program(' {sluice.name = "y"}', ""), FROM["tensor"], 2, "error"),
    ("names-equal", program('sluice.name = "y"', 'sluice.name = "x"'), FROM["tensor"], 0, ""),
    ("unsupported-op", program("sluice.linear %x, %w : (tensor<?x16xf32>, tensor<8x16xf32>)", '"tosa.exp"(%x) : (tensor<?x16xf32>)'), FROM["tensor"], 2, "error"),
    ("printf", function('  %0 = llvm.mlir.zero : !llvm.ptr\n  llvm.store %0, %0 : !llvm.ptr, !llvm.ptr\n  return'), FROM["tensor"], 2, "error"),
    ("inline-asm", function('  llvm.inline_asm "ud2", "" : () -> ()\n  return'), FROM["tensor"], 2, "error"),
    ("loop-forever", function("  cf.br ^a\n^a:\n  cf.br ^a"), FROM["tensor"], 2, "error"),
    ("wrong-stage", program(), FROM["placed"], 2, "error"),
    ("control-characters", program(text="\x1b[2J\x07"), FROM["tensor"], 2, "error"),
]  # fmt: skip

TEAM = """func.func @f(%x: memref<?x16xf32> {place.extent = "rows"}, %y: memref<?x16xf32> {place.extent = "rows", sluice.out}) attributes {sluice.export} {
  place.team {
    place.phase "p" share rows {
      place.copy %x into %y : memref<?x16xf32>, memref<?x16xf32>
    }
  }
  return
}
"""

LATER = [
    ("placed-empty-module", program(text="module {}"), FROM["placed"], 2, "error"),
    ("placed-no-team", program(text="func.func @f() { return }"), FROM["placed"], 3, "expected exported functions only"),
    ("placed-team", program(text=TEAM), FROM["placed"], 2, "error"),
    ("placed-share-unknown", program(text=TEAM.replace("share rows", "share crumbs")), FROM["placed"], 2, "error"),
    ("placed-extent-number", program(text=TEAM.replace('extent = "rows"', "extent = 3")), FROM["placed"], 2, "error"),
    ("placed-extent-unknown", program(text=TEAM.replace('extent = "rows"', 'extent = "moons"')), FROM["placed"], 2, "error"),
    ("placed-barrier-outside", program(text="func.func @f() {\n  place.barrier\n  return\n}"), FROM["placed"], 2, "error"),
    ("placed-phase-outside", program(text='func.func @f() {\n  place.phase "p" share rows {}\n  return\n}'), FROM["placed"], 2, "error"),
    ("placed-buffer-negative", program(text="func.func @f() {\n  %x = place.buffer \"rows\" size <row = -1, seq = 0, fixed = 0> at <row = 0, seq = 0, fixed = 0> : memref<?x4xf32>\n  place.team {}\n  return\n}"),
     FROM["placed"], 2, "error"),
    ("target-empty-module", program(text="module {}"), FROM["target"], 2, "error"),
    ("target-no-manifest", program(text="func.func @f() attributes {llvm.emit_c_interface} { return }"), FROM["target"], 2, "error"),
    ("target-calls-system", program(text='module {\n  func.func private @system(!llvm.ptr) -> i32\n  func.func @sluice_fn_f(%a: !llvm.ptr, %m: i32, %n: i32) {\n    %0 = call @system(%a) : (!llvm.ptr) -> i32\n    return\n  }\n}'),
     FROM["target"], 2, "calls 'system', which the module does not define"),
    ("target-struct-position", program(text="llvm.func @f(%a: !llvm.struct<(i32)>, %b: i32) {\n  %0 = llvm.insertvalue %b, %a[4294967296] : !llvm.struct<(i32)>\n  llvm.return\n}"),
     FROM["target"], 2, "a position that no struct has"),
    ("target-struct-position-generic", program(text='"llvm.extractvalue"() : () -> ()'), FROM["target"], 2, "the generic form of"),
    ("target-manifest-number", program(text="module attributes {sluice.manifest = 3} {}"), FROM["target"], 2, "error"),
    ("target-manifest-empty", program(text="module attributes {sluice.manifest = {}} {}"), FROM["target"], 2, "error"),
    ("target-allocates", program(text="func.func @f() {\n  %0 = memref.alloc() : memref<1099511627776xf32>\n  return\n}"), FROM["target"], 2, "error"),
    ("target-contracts", program(text="func.func @f(%a: vector<1099511627776xf32>) {\n  return\n}"), FROM["target"], 2, "error"),
]  # fmt: skip

TOOLS = [
    ("opt-nests", program(text="(" * 200000), "sluice-opt in.mlir", 1, "more than 128 brackets inside one another"),
    ("opt-missing", files(), "sluice-opt in.mlir", 1, "No such file"),
    ("opt-binary", file("in.mlir", bytes(range(256))), "sluice-opt in.mlir", 1, "error"),
    ("opt-pass-unknown", program(), "sluice-opt in.mlir --nonsense", 1, "nonsense"),
    ("check-nests", program(text="[" * 200000), CHECK, 2, "more than 128 brackets inside one another"),
    ("check-missing", files(), CHECK, 2, "error"),
    ("check-binary", file("in.mlir", bytes(range(256))), CHECK, 2, "error"),
    ("check-good", program(), CHECK, 0, ""),
    ("check-corrupt", program(), CHECK + " --corrupt=y:0", 5, "y"),
    ("check-corrupt-nothing", program(), CHECK + " --corrupt=z:0", 2, "there is no 'z:0'"),
    ("check-corrupt-index", program(), CHECK + " --corrupt=y:99999999999999999999", 1, ""),
    ("check-rows-negative", program(), CHECK + " --rows=-1", 1, "expects numbers separated by commas"),
    ("check-rows-2^40", program(), CHECK + " --rows=1099511627776", 1, "expects numbers separated by commas"),
    ("check-target-unknown", program(), "sluice-check in.mlir --target=abacus", 3, "abacus"),
    ("check-huge-param", program(text=GOOD.replace("8x16", "2000000000x2000000000").replace("rows [8]", "rows [2000000000]")), CHECK, 2, "error"),
    ("reduce-missing", files(), "sluice-reduce in.mlir", 1, ""),
]  # fmt: skip

GROUPS = {"tensor": TENSOR, "later": LATER, "tools": TOOLS}
