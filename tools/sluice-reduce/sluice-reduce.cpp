// SPDX-License-Identifier: Apache-2.0
//
// sluice-reduce: shrinks a .mlir file while a script still finds it interesting. `./dev reduce FILE
// -- COMMAND` writes that script.

#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "sluice/InitAll.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  sluice::registerAllDialects(registry);
  mlir::registerAllPasses();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
