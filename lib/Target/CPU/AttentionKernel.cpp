// SPDX-License-Identifier: Apache-2.0
//
// attention: work items are (row, kv head) pairs, counted kv head by kv head so that neighbours
// share keys; a worker's run of items is cut into blocks (AttentionBlock.h).
#include "lib/Target/CPU/AttentionBlock.h"
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

//===-- Block shapes
//------------------------------------------------------------------------------===//

/// Queries of a block: each has a sum per tile in a register, and the state of all of them is
/// worked out in the lanes of one vector.
static int64_t queriesPerBlock(int64_t accumulators) {
  return std::clamp<int64_t>(accumulators - 1, 1, 14);
}

int64_t AttentionVariant::headsPerBlock() const {
  int64_t chunks = llvm::divideCeil(group, queriesPerBlock(accumulators));
  return llvm::divideCeil(group, chunks);
}

int64_t AttentionVariant::rowsPerBlock() const {
  return std::max<int64_t>(1, queriesPerBlock(accumulators) / headsPerBlock());
}

std::string AttentionVariant::name() const {
  return llvm::formatv("attention_{0}_{1}_{2}_{3}x{4}_group{5}_to_{6}", paged ? "pages" : "tiles",
                       causal ? "causal" : "all", tile.group == 1 ? "f32" : "bf16", tile.keySize,
                       tile.valueSize, group, nameOf(result, round));
}

//===-- Operands
//----------------------------------------------------------------------------------===//

SmallVector<Type> AttentionOperands::types(Builder &b, const AttentionVariant &variant) {
  Type index = b.getIndexType(), numbers = arrayOf(b.getI32Type());
  Type words = variant.tile.group == 1 ? Type(b.getF32Type()) : b.getI32Type();
  return {arrayOf(b.getF32Type()),
          index,
          index,
          arrayOf(variant.result),
          index,
          index,
          arrayOf(words),
          index,
          index,
          index,
          index,
          index,
          numbers,
          numbers,
          numbers,
          numbers,
          numbers,
          index,
          b.getF32Type(),
          LLVM::LLVMPointerType::get(b.getContext()),
          b.getI32Type(),
          index,
          index};
}

SmallVector<Val> AttentionOperands::values() const {
  return {query,     queryRow,  queryHead, result,       resultRow, resultHead, words, tilesPerHead,
          layer,     pageCount, kvHeads,   tilesPerPage, rowStart,  rowSeq,     past,  pageStart,
          pageTable, rows,      scale,     trap,         location,  begin,      end};
}

AttentionOperands AttentionOperands::from(ArrayRef<Val> values) {
  AttentionOperands a;
  Val *fields[] = {&a.query,      &a.queryRow,     &a.queryHead,    &a.result, &a.resultRow,
                   &a.resultHead, &a.words,        &a.tilesPerHead, &a.layer,  &a.pageCount,
                   &a.kvHeads,    &a.tilesPerPage, &a.rowStart,     &a.rowSeq, &a.past,
                   &a.pageStart,  &a.pageTable,    &a.rows,         &a.scale,  &a.trap,
                   &a.location,   &a.begin,        &a.end};
  for (auto [field, value] : llvm::zip_equal(fields, values))
    *field = value;
  return a;
}

//===-- The kernel
//--------------------------------------------------------------------------------===//

namespace {

func::FuncOp kernelFor(ModuleOp module, const AttentionVariant &variant) {
  Builder b(module.getContext());
  return getOrCreateKernel(
      module, variant.name(), AttentionOperands::types(b, variant),
      [&](KernelBuilder &k, ArrayRef<Val> values) {
        AttentionOperands a = AttentionOperands::from(values);
        int64_t most = variant.rowsPerBlock(), heads = variant.headsPerBlock();
        AttentionScratch scratch(k, variant, most * heads);
        k.whileLoop(
            {a.begin}, [&](ArrayRef<Val> item) { return item[0] < a.end; },
            [&](ArrayRef<Val> item) -> SmallVector<Val> {
              Val kvHead = item[0] / a.rows, row = item[0] % a.rows;
              Val seq = k.toIndex(k.load(a.rowSeq, row));
              // Rows of the same sequence and kv head that are this worker's too.
              Val rows = k.min(k.toIndex(k.load(a.rowStart, seq + 1)) - row, a.end - item[0]);
              auto block = [&](int64_t count) {
                Val taken = count == 1 ? k.index(1) : k.min(rows, k.index(count));
                k.forLoop(0, variant.headChunks(), 1, [&](Val chunk) {
                  emitAttentionBlock(k, module, variant, a, scratch, count, seq, row,
                                     row + taken - 1, kvHead, chunk * heads);
                });
                return item[0] + taken;
              };
              if (most == 1)
                return {block(1)};
              // From a quarter on, a block that is not full is quicker than its rows one by one.
              return k.choose(
                  rows > std::max<int64_t>(1, most / 4),
                  [&]() -> SmallVector<Val> { return {block(most)}; },
                  [&]() -> SmallVector<Val> { return {block(1)}; });
            });
      });
}

struct AttentionKernel : CPUKernelOpInterface::ExternalModel<AttentionKernel, AttentionOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<AttentionOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, {place::Share::Heads})) ||
        failed(expectUnitStride(op, op.getQuery(), "query")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    if (op.getKey())
      return op.emitOpError("expects pages or tiles on the cpu; pack the keys first");
    bool causal = isa<CausalAttr>(op.getMask());
    if (!causal && !isa<AllAttr>(op.getMask()))
      return op.emitOpError("has a mask that the cpu has no kernel for: ") << op.getMask();
    if (op.getWindow() || op.getSoftcap() || op.getSlopes() || op.getBias() || op.getSinks() ||
        op.hasLse())
      return op.emitOpError("has a window, softcap, slopes, bias, sinks or lse, for which the cpu "
                            "has no kernel");

    auto queryType = cast<MemRefType>(op.getQuery().getType());
    View query = step.view(op.getQuery()), result = step.view(destination);
    BatchView batch = step.batch();
    AttentionOperands a;
    Type element = k.f32Type();
    int64_t keySize = queryType.getDimSize(2), valueSize = 0, kvHeads = 0;
    if (Value memory = op.getPages()) {
      PagesView pages = step.pages(memory);
      element = pages.kv.getElement();
      valueSize = pages.kv.getValue(), kvHeads = pages.kv.getHeads();
      a.words = k.arrayAt(pages.pointer, element.isF32() ? element : k.i32Type());
      a.layer = step.scalar(op.getLayer()), a.pageCount = pages.pageCount;
      a.tilesPerPage = k.index(static_cast<int64_t>(pages.kv.getPage()) / KVTile::kSlots);
      a.tilesPerHead = k.index(0);
    } else {
      valueSize = *op.getValueSize(), kvHeads = *op.getKvHeads();
      a.words = step.arrayAs(op.getTiles(), k.f32Type());
      a.layer = a.pageCount = a.tilesPerPage = k.index(0);
      a.tilesPerHead = tilesPerHead(step);
    }
    AttentionVariant variant{KVTile(keySize, valueSize, element),
                             static_cast<bool>(op.getPages()),
                             causal,
                             queryType.getDimSize(1) / kvHeads,
                             result.element(),
                             roundOf(op.getRound()),
                             step.accumulators()};
    a.query = query.array, a.queryRow = query.strides[0], a.queryHead = query.strides[1];
    a.result = result.array, a.resultRow = result.strides[0], a.resultHead = result.strides[1];
    a.kvHeads = k.index(kvHeads);
    a.rowStart = batch.rowStart, a.rowSeq = batch.rowSeq, a.past = batch.past;
    a.pageStart = batch.pageStart, a.pageTable = batch.pageTable;
    a.rows = result.sizes[0];
    a.scale = k.f32(static_cast<float>(op.getScale().convertToDouble()));
    a.trap = step.trapRecord(), a.location = step.locationNumber(op);
    Range share = step.range(a.rows * kvHeads);
    a.begin = share.begin, a.end = share.end;
    k.call(kernelFor(step.module(), variant), a.values());
    return success();
  }
};

} // namespace

void registerAttentionKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    AttentionOp::attachInterface<AttentionKernel>(*context);
  });
}

} // namespace sluice::cpu
