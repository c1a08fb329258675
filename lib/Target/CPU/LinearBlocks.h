// SPDX-License-Identifier: Apache-2.0
//
// Linear layers on encoded panels (`#sluice.blocks`): dest = residual + activation(rows x weights^T
// + bias), where a weight is a scale times a code.
//
// Two ways, which are different arithmetic (docs/Contracts.md, section 4):
//   rows as they are   codes become f32 in registers (few rows) or once for a block of rows (many),
//   and the chain is the
//                      same as with dense f32 weights
//   rows as codes      rows become int8 block by block, products are summed as integers, exactly,
//   and each block joins the
//                      sum with one fma
#ifndef SLUICE_LIB_TARGET_CPU_LINEARBLOCKS_H
#define SLUICE_LIB_TARGET_CPU_LINEARBLOCKS_H

#include "dialects/Sluice/Sluice.h"
#include "lib/Target/CPU/LinearLayer.h"

namespace sluice::cpu {

struct BlocksVariant : LinearFinish {
  BlocksAttr blocks;
  bool codedRows = false; ///< `inputs int8`
  mlir::Type rows;        ///< as they lie: f32, or bf16

  /// The kernel's name: says everything about it.
  std::string name() const;
  /// "blocks_i4_32": what tiles depend on.
  std::string format() const;
};

/// One layer's panels: the same memory as words (memref<?xi32>) and as scales (memref<?xbf16>).
struct BlocksWeights {
  Val words, scales;
};

/// Where the parts of a panel lie, as run-time numbers.
struct PanelShape {
  PanelShape(KernelBuilder &k, BlocksAttr blocks, Val inputs);
  Val blocks;      ///< of one output
  Val wordStride;  ///< words (i32) from panel to panel
  Val scaleStride; ///< scales (bf16) from panel to panel
  Val scalesAt;    ///< scales from a panel's start to its first
};

/// Calls the kernel of |variant|, which is added to |module| if it is the first call.
void callLinearBlocks(KernelBuilder &k, mlir::ModuleOp module, const CPUMachine &machine,
                      const BlocksVariant &variant, const BlocksWeights &weights,
                      const LinearOperands &operands);

} // namespace sluice::cpu

#endif
