// RUN: sluice-opt %s --tensor-quantize-weights=encoding=int8w | FileCheck %s --check-prefixes=ALL,INT8
// RUN: sluice-opt %s --tensor-quantize-weights=encoding=int4 | FileCheck %s --check-prefixes=ALL,INT4
// RUN: sluice-opt %s --tensor-quantize-weights=encoding=int4:64 | FileCheck %s --check-prefix=GROUP
// RUN: not sluice-opt %s --tensor-quantize-weights=encoding=int5 2>&1 | FileCheck %s --check-prefix=WORD
// RUN: not sluice-opt %s --tensor-quantize-weights=encoding=int4:48 2>&1 | FileCheck %s --check-prefix=SIZE

// WORD: error: encoding expects one of int8, int4, int8w, int4w, but found 'int5'
// SIZE: error: encoding expects a group that is a power of two from 32 to 1024 after 'int4:', but found '48'

module attributes {sluice.name = "q", sluice.kind = "op", sluice.random_seed = 7 : i64} {
  // 896 = 7 * 128; 224 has 32 as its largest group.
  // INT8: sluice.param @w {{.*}} tensor<2x224x896xbf16, #sluice.blocks<element = i8, rows = 1, columns = 128, scale = bf16>>
  // INT4: sluice.param @w {{.*}} tensor<2x224x896xbf16, #sluice.blocks<element = i4, rows = 1, columns = 32, scale = bf16>>
  // GROUP: sluice.param @w {{.*}} tensor<2x224x896xbf16, #sluice.blocks<element = i4, rows = 1, columns = 64, scale = bf16>>
  sluice.param @w stack 2 role weight : tensor<2x224x896xbf16> from ["l.{}.w"] rows [224]
  // The logits' layer shares its weight with the embedding: int8 always.
  // INT8: sluice.param @embed {{.*}} tensor<50x224xbf16, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>
  // INT4: sluice.param @embed {{.*}} tensor<50x224xbf16, #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>>
  sluice.param @embed role table : tensor<50x224xbf16> from ["embed"] rows [50]
  // ALL: sluice.param @positions role table : tensor<9x224xbf16> from
  sluice.param @positions role table : tensor<9x224xbf16> from ["positions"] rows [9]
  // ALL: sluice.param @b role bias : tensor<224xbf16> from
  sluice.param @b role bias : tensor<224xbf16> from ["b"] rows [224]
  // ALL: sluice.param @odd {{.*}} columns = 32
  sluice.param @odd role weight : tensor<16x45xf32> from ["odd"] rows [16]
  // ALL: sluice.param @given {{.*}} columns = 256
  sluice.param @given role weight
    : tensor<16x45xf32, #sluice.blocks<element = i8, rows = 1, columns = 256, scale = bf16>> from ["given"] rows [16]

  func.func @step(%ids: tensor<?xi32>, %x: tensor<?x896xbf16>, %y: tensor<?x45xf32>)
      -> (tensor<?x50xf32>, tensor<?x16xf32>, tensor<?x16xf32>) {
    %l = arith.constant 1 : index
    %t = sluice.param.use @embed : tensor<50x224xbf16>
    %p = sluice.param.use @positions : tensor<9x224xbf16>
    %w = sluice.param.use @w[%l] : tensor<224x896xbf16>
    %b = sluice.param.use @b : tensor<224xbf16>
    %o = sluice.param.use @odd : tensor<16x45xf32>
    %g = sluice.param.use @given : tensor<16x45xf32, #sluice.blocks<element = i8, rows = 1, columns = 256, scale = bf16>>
    %e = sluice.embed %t[%ids] : (tensor<50x224xbf16>, tensor<?xi32>) -> tensor<?x224xf32>
    %f = sluice.embed %p[%ids] : (tensor<9x224xbf16>, tensor<?xi32>) -> tensor<?x224xf32>
    // INT8: sluice.linear %{{.*}}, %{{.*}} bias %{{[^ ]*}} :
    // INT4: sluice.linear %{{.*}}, %{{.*}} inputs int8 bias
    %h = sluice.linear %x, %w bias %b : (tensor<?x896xbf16>, tensor<224x896xbf16>, tensor<224xbf16>) -> tensor<?x224xf32>
    %s = arith.addf %h, %e : tensor<?x224xf32>
    %u = arith.addf %s, %f : tensor<?x224xf32>
    %r = arith.truncf %u : tensor<?x224xf32> to tensor<?x224xbf16>
    %z = sluice.linear %r, %t : (tensor<?x224xbf16>, tensor<50x224xbf16>) -> tensor<?x50xf32>
    %q = sluice.linear %y, %o : (tensor<?x45xf32>, tensor<16x45xf32>) -> tensor<?x16xf32>
    %v = sluice.linear %y, %g : (tensor<?x45xf32>, tensor<16x45xf32, #sluice.blocks<element = i8, rows = 1, columns = 256, scale = bf16>>) -> tensor<?x16xf32>
    return %z, %q, %v : tensor<?x50xf32>, tensor<?x16xf32>, tensor<?x16xf32>
  }
}
