// REQUIRES: target-cpu
// RUN: sluice-check %s --target=cpu --against=reference --seed=7

func.func @special(%x: tensor<?x19xbf16> {check.values = "special"}, %w: tensor<?x19xbf16> {check.values = "special"}) -> tensor<?x19xbf16> {
  %y = sluice.clamp %x width %w nan propagate : (tensor<?x19xbf16>, tensor<?x19xbf16>) -> tensor<?x19xbf16>
  return %y : tensor<?x19xbf16>
}

func.func @nan_ignore(%x: tensor<?x33xbf16> {check.values = "special"}, %w: tensor<?x33xbf16> {check.values = "special"}) -> tensor<?x33xbf16> {
  %y = sluice.clamp %x width %w nan ignore : (tensor<?x33xbf16>, tensor<?x33xbf16>) -> tensor<?x33xbf16>
  return %y : tensor<?x33xbf16>
}
