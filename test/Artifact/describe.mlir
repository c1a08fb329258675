// RUN: sluicec %root/test/Programs/decoder-step.mlir --from=tensor --to=placed -o - | sluice-opt --artifact-describe | FileCheck %s

// The attribute holds what the manifest will say; nothing of it is in the code.
// CHECK: sluice.manifest = {dot = "fma", functions = [{
// CHECK-SAME: args = [{bound = 100 : i64, dtype = "i32", io = "in", name = "tokens", shape = ["rows"]}, {bound = "rows", dtype = "i32", io = "in", name = "ask", shape = ["asked"]}, {dtype = "f32", io = "out", name = "logits", shape = ["asked", 100]}]
// CHECK-SAME: symbol = "sluice_fn_step"
// CHECK-SAME: kv = [{dtype = "f32", k = 8 : i64, kv_heads = 1 : i64, layers = 2 : i64, name = "kv", page = 16 : i64, v = 8 : i64}]
// 40 outputs are three panels of 16, 24 inputs of 4 bytes: 4608 bytes a layer.
// CHECK-SAME: bytes = 9216 : i64, dtype = "f32", layout = "panel", name = "qkv", random_seed = 7 : i64
