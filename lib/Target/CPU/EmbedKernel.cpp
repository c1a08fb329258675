// SPDX-License-Identifier: Apache-2.0
//
// embed: rows of a table by number. Numbers come from outside, so each is checked: a wrong one
// gives a row of zeros and a trap record, never an access.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/LinearBlocks.h"
#include "lib/Target/CPU/RowLoops.h"
#include "sluice-rt/kernel_abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

struct Variant {
  Type table, result;
  Layout layout;
  BlocksAttr blocks = {};

  std::string name() const {
    if (blocks) {
      BlocksVariant format;
      format.blocks = blocks;
      return "embed_" + format.format() + "_to_" + nameOf(result);
    }
    return ("embed_" + stringifyLayout(layout) + "_" + nameOf(table) + "_to_" + nameOf(result))
        .str();
  }
};

void gatherRow(KernelBuilder &k, const Variant &variant, Val table, Val at, Val result,
               Val resultAt, Val channels) {
  forLanes(k, channels, [&](Lanes lanes) {
    if (variant.table == variant.result)
      lanes.copy(table, at, result, resultAt);
    else
      lanes.store(lanes.load(table, at), result, resultAt);
  });
}

/// Channel c of a row of panels lies c/g groups of 16 on, at the row's lane (docs/Contracts.md,
/// section 3).
void gatherFromPanel(KernelBuilder &k, const Variant &variant, Val table, Val id, Val result,
                     Val resultAt, Val channels) {
  int64_t g = variant.table.isF32() ? 1 : 2;
  Val panel = id / kLanes * (k.ceilDiv(channels, g) * (kLanes * g));
  Val lane = panel + id % kLanes * g;
  k.forLoop(0, channels, 1, [&](Val c) {
    Val number = k.load(table, lane + c / g * (kLanes * g) + c % g);
    if (variant.table != variant.result)
      number = k.extend(number);
    k.store(number, result, resultAt + c);
  });
}

/// The same of codes; |scales| is the table too.
void gatherFromBlocks(KernelBuilder &k, const Variant &variant, Val table, Val scales, Val id,
                      Val result, Val resultAt, Val channels) {
  BlocksAttr blocks = variant.blocks;
  PanelShape shape(k, blocks, channels);
  int64_t perWord = blocks.getCodesPerWord(), bits = blocks.getBits();
  Val panel = id / kLanes, lane = id % kLanes;
  Val wordAt = panel * shape.wordStride + lane;
  Val scaleAt = panel * shape.scaleStride + shape.scalesAt + lane;
  k.forLoop(0, channels, 1, [&](Val c) {
    Val scale = k.extend(k.load(scales, scaleAt + c / blocks.getColumns() * kLanes));
    Val word = k.load(table, wordAt + c / perWord * kLanes);
    Val code = c % perWord;
    Val shift = bits == 8 ? code * 8 : code % 4 * 8 + code / 4 * 4;
    Val stored = word >> k.toI32(shift) & (1 << bits) - 1;
    k.store(k.toF32(stored - static_cast<int32_t>(blocks.getOffset())) * scale, result,
            resultAt + c);
  });
}

/// Table, its stride (0 for panels) and rows; ids and their stride; result and its stride;
/// channels; trap record, code, location; share; what is added to ids; the scales of a table of
/// codes.
func::FuncOp kernelFor(ModuleOp module, const Variant &variant) {
  Builder b(module.getContext());
  Type index = b.getIndexType(), i32 = b.getI32Type();
  SmallVector<Type> types = {arrayOf(variant.table),
                             index,
                             index,
                             arrayOf(i32),
                             index,
                             arrayOf(variant.result),
                             index,
                             index,
                             LLVM::LLVMPointerType::get(b.getContext()),
                             i32,
                             i32,
                             index,
                             index,
                             index};
  if (variant.blocks)
    types.push_back(arrayOf(variant.blocks.getScale()));
  return getOrCreateKernel(module, variant.name(), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    Val table = a[0], bound = a[2], result = a[5], channels = a[7];
    k.forLoop(a[11], a[12], 1, [&](Val row) {
      Val id = k.toIndex(k.load(a[3], row * a[4])), resultAt = row * a[6];
      k.ifElse((id >= 0) & (id < bound),
               [&] {
                 Val number = id + a[13];
                 if (variant.blocks)
                   gatherFromBlocks(k, variant, table, a[14], number, result, resultAt, channels);
                 else if (variant.layout == Layout::Rows)
                   gatherRow(k, variant, table, number * a[1], result, resultAt, channels);
                 else
                   gatherFromPanel(k, variant, table, number, result, resultAt, channels);
               },
               [&] {
                 forLanes(k, channels,
                          [&](Lanes lanes) { lanes.store(k.splat(0), result, resultAt); });
                 emitTrap(k, module, a[8], a[9], a[10], id, bound);
               });
    });
  });
}

struct EmbedKernel : CPUKernelOpInterface::ExternalModel<EmbedKernel, EmbedOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<EmbedOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, kRowShares)) ||
        failed(expectUnitStride(op, op.getTable(), "table")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    View ids = step.view(op.getIds()), result = step.view(destination);
    Variant variant{{}, result.element(), Layout::Rows};
    Val table, stride, bound, scales;
    if (auto type = dyn_cast<RankedTensorType>(op.getTable().getType())) {
      WeightView weight = step.weight(op.getTable());
      table = weight.array;
      variant.layout = weight.layout;
      variant.blocks = weight.blocks;
      scales = weight.scales;
      stride = k.index(weight.layout == Layout::Rows ? type.getDimSize(1) : 0);
      bound = k.index(type.getDimSize(0));
    } else {
      View rows = step.view(op.getTable());
      table = rows.array, stride = rows.strides[0], bound = rows.sizes[0];
    }
    variant.table = cast<MemRefType>(table.type()).getElementType();
    auto offset = static_cast<int64_t>(op.getOffset().value_or(0));
    bound = bound - offset;
    bool isPosition = op.getIds().getDefiningOp<BatchPositionsOp>() != nullptr;
    Range share = step.range(result.sizes[0]);
    SmallVector<Val> operands = {table,
                                 stride,
                                 bound,
                                 ids.array,
                                 ids.strides[0],
                                 result.array,
                                 result.strides[0],
                                 result.sizes[1],
                                 step.trapRecord(),
                                 k.i32(isPosition ? SLUICE_TRAP_POSITION : SLUICE_TRAP_ID),
                                 step.locationNumber(op),
                                 share.begin,
                                 share.end,
                                 k.index(offset)};
    if (scales)
      operands.push_back(scales);
    k.call(kernelFor(step.module(), variant), operands);
    return success();
  }
};

} // namespace

void registerEmbedKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    EmbedOp::attachInterface<EmbedKernel>(*context);
  });
}

} // namespace sluice::cpu
