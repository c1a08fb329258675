// SPDX-License-Identifier: Apache-2.0
//
// sluice-lsp-server: what an editor talks to for .mlir files with our dialects: hover, definitions,
// and the verifiers' messages at the op that breaks the rule.

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "sluice/InitAll.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  sluice::registerAllDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
