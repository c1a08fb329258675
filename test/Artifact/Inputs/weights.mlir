// Every layout and element type, stacked and joined, odd sizes; read from a checkpoint beside it.
module attributes {sluice.name = "weights", sluice.kind = "op", sluice.weights = "CHECKPOINT"} {
  sluice.param @panel32 role weight : tensor<40x24xf32> from ["a", "b"] rows [19, 21]
  sluice.param @panel16 stack 2 role weight : tensor<2x20x33xbf16> from ["l.{}.w"] rows [20]
  sluice.param @half role weight : tensor<17x24xf16> from ["h"] rows [17]
  sluice.param @rows stack 2 role scale : tensor<2x24xf32> from ["l.{}.n"] rows [24]
  func.func @f(%x: tensor<?x24xf32> {sluice.name = "x"}, %y: tensor<?x33xbf16> {sluice.name = "y"})
      -> (tensor<?x40xf32> {sluice.name = "p"}, tensor<?x20xf32> {sluice.name = "q"}, tensor<?x17xf32> {sluice.name = "r"},
          tensor<?x24xf32> {sluice.name = "s"}) attributes {sluice.export} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %a = sluice.param.use @panel32 : tensor<40x24xf32>
    %b = sluice.param.use @panel16[%c1] : tensor<20x33xbf16>
    %h = sluice.param.use @half : tensor<17x24xf16>
    %n = sluice.param.use @rows[%c0] : tensor<24xf32>
    %p = sluice.linear %x, %a : (tensor<?x24xf32>, tensor<40x24xf32>) -> tensor<?x40xf32>
    %q = sluice.linear %y, %b : (tensor<?x33xbf16>, tensor<20x33xbf16>) -> tensor<?x20xf32>
    %r = sluice.linear %x, %h : (tensor<?x24xf32>, tensor<17x24xf16>) -> tensor<?x17xf32>
    %s = sluice.norm rms %x weight %n {eps = 1.0e-6 : f64} : (tensor<?x24xf32>, tensor<24xf32>) -> tensor<?x24xf32>
    return %p, %q, %r, %s : tensor<?x40xf32>, tensor<?x20xf32>, tensor<?x17xf32>, tensor<?x24xf32>
  }
}
