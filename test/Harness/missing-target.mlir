// A target that this build lacks is refused by name, and lit skips the tests of one: it has no feature for it.

// RUN: %python %S/Inputs/exit-code.py 3 sluice-check %s --target=nowhere --against=reference 2>&1 | FileCheck %s
// CHECK: sluice-check: the target 'nowhere' is not part of this build; it has reference, cpu

// RUN: rm -rf %t && mkdir %t && cp %S/Inputs/needs-nowhere.mlir %root/test/lit.cfg.py %t
// RUN: sed -e '$d' %build/test/lit.site.cfg.py >%t/lit.site.cfg.py
// RUN: echo 'lit_config.load_config(config, "%t/lit.cfg.py")' >>%t/lit.site.cfg.py
// RUN: echo 'config.test_source_root = config.test_exec_root = "%t"' >>%t/lit.site.cfg.py
// RUN: lit -v %t | FileCheck %s --check-prefix=SKIPPED
// SKIPPED: UNSUPPORTE{{D}}: sluice :: needs-nowhere.mlir
// SKIPPED: Unsupported: 1

func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
  return %x : tensor<1xf32>
}
