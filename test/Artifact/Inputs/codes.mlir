// Codes of every width and source type, stacked and joined, odd sizes; read from a checkpoint beside it.
#i8 = #sluice.blocks<element = i8, rows = 1, columns = 32, scale = bf16>
#i4 = #sluice.blocks<element = i4, rows = 1, columns = 64, scale = bf16>
module attributes {sluice.name = "codes", sluice.kind = "op", sluice.weights = "CHECKPOINT"} {
  sluice.param @joined role weight : tensor<40x75xf32, #i8> from ["a", "b"] rows [19, 21]
  sluice.param @stacked stack 2 role weight : tensor<2x20x130xbf16, #i4> from ["l.{}.w"] rows [20]
  sluice.param @half role weight : tensor<17x75xf16, #i4> from ["h"] rows [17]
  func.func @f(%x: tensor<?x75xf32> {sluice.name = "x"}, %y: tensor<?x130xbf16> {sluice.name = "y"})
      -> (tensor<?x40xf32> {sluice.name = "p"}, tensor<?x20xf32> {sluice.name = "q"}, tensor<?x17xf32> {sluice.name = "r"})
      attributes {sluice.export} {
    %c1 = arith.constant 1 : index
    %a = sluice.param.use @joined : tensor<40x75xf32, #i8>
    %b = sluice.param.use @stacked[%c1] : tensor<20x130xbf16, #i4>
    %h = sluice.param.use @half : tensor<17x75xf16, #i4>
    %p = sluice.linear %x, %a : (tensor<?x75xf32>, tensor<40x75xf32, #i8>) -> tensor<?x40xf32>
    %q = sluice.linear %y, %b : (tensor<?x130xbf16>, tensor<20x130xbf16, #i4>) -> tensor<?x20xf32>
    %r = sluice.linear %x, %h : (tensor<?x75xf32>, tensor<17x75xf16, #i4>) -> tensor<?x17xf32>
    return %p, %q, %r : tensor<?x40xf32>, tensor<?x20xf32>, tensor<?x17xf32>
  }
}
