// SPDX-License-Identifier: Apache-2.0
//
// cache.append and cache.pack: each row writes its slot of a tile, for every kv head. They differ
// in how they find the tile: an append asks the page table, and believes nothing that it says.
#include "lib/Target/CPU/KVTile.h"
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/RowLoops.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

/// A row's keys and values: arrays, where the row starts, and how far apart its heads are.
struct RowOfHeads {
  Val key, keyAt, keyHead, value, valueAt, valueHead;
};

/// Writes |slot| of the tile at element |tile| of |into| with what head |head| of |row| has.
void writeSlot(KernelBuilder &k, const KVTile &tile, const RowOfHeads &row, Val head, Val into,
               Val tileAt, Val slot) {
  Type element = cast<MemRefType>(into.type()).getElementType();
  int64_t g = tile.group;
  Val key = row.keyAt + head * row.keyHead, value = row.valueAt + head * row.valueHead;
  Val keys = tileAt + slot * g;
  k.forLoop(0, tile.keySize, 1, [&](Val d) {
    Val to = keys + d / g * (KVTile::kSlots * g) + d % g;
    k.store(k.round(k.load(row.key, key + d), element), into, to);
  });
  if (tile.keySize % g)
    k.store(k.constant(0, element), into, keys + (tile.keySize / g * KVTile::kSlots * g + 1));
  if (tile.shared)
    return;
  Val values = tileAt + tile.keyWords() * g + slot / g * (tile.valueSize * g) + slot % g;
  if (g == 1)
    return forLanes(k, k.index(tile.valueSize),
                    [&](Lanes lanes) { lanes.store(lanes.load(row.value, value), into, values); });
  k.forLoop(0, tile.valueSize, 1, [&](Val e) {
    k.store(k.round(k.load(row.value, value + e), element), into, values + e * g);
  });
}

std::string suffix(const KVTile &tile, Type element) {
  return llvm::formatv("_{0}_{1}_{2}{3}", nameOf(element), tile.keySize, tile.valueSize,
                       tile.shared ? "_shared" : "");
}

/// Keys and values with the strides of each; kv heads; share.
SmallVector<Type> rowTypes(Builder &b) {
  Type array = arrayOf(b.getF32Type()), index = b.getIndexType();
  return {array, index, index, array, index, index, index, index, index};
}

SmallVector<Val> rowOperands(const View &key, const View &value, Range share) {
  return {key.array,        key.strides[0], key.strides[1], value.array, value.strides[0],
          value.strides[1], key.sizes[1],   share.begin,    share.end};
}

RowOfHeads rowAt(ArrayRef<Val> a, Val row) {
  return {a[0], row * a[1], a[2], a[3], row * a[4], a[5]};
}

LogicalResult checkOperands(Operation *op, StepContext &step, Value key, Value value) {
  return failure(failed(step.expectShare(op, {place::Share::Rows})) ||
                 failed(expectUnitStride(op, key, "key")) ||
                 (value && failed(expectUnitStride(op, value, "value"))));
}

//===-- pack
//--------------------------------------------------------------------------------------===//

/// Row operands; tiles; tiles per kv head; first rows and sequences of rows.
func::FuncOp packKernel(ModuleOp module, const KVTile &tile) {
  Builder b(module.getContext());
  SmallVector<Type> types = rowTypes(b);
  Type numbers = arrayOf(b.getI32Type());
  types.append({arrayOf(b.getF32Type()), b.getIndexType(), numbers, numbers});
  return getOrCreateKernel(
      module, "cache_pack" + suffix(tile, b.getF32Type()), types,
      [&](KernelBuilder &k, ArrayRef<Val> a) {
        Val tiles = a[9], tilesPerHead = a[10], rowStart = a[11], rowSeq = a[12];
        k.forLoop(a[7], a[8], 1, [&](Val row) {
          Val seq = k.toIndex(k.load(rowSeq, row));
          Val first = k.toIndex(k.load(rowStart, seq));
          Val key = row - first;
          Val number = first / KVTile::kSlots + seq + key / KVTile::kSlots;
          k.forLoop(0, a[6], 1, [&](Val head) {
            Val at = (head * tilesPerHead + number) * tile.words();
            writeSlot(k, tile, rowAt(a, row), head, tiles, at, key % KVTile::kSlots);
          });
        });
      });
}

struct PackKernel : CPUKernelOpInterface::ExternalModel<PackKernel, CachePackOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<CachePackOp>(operation);
    KernelBuilder &k = step.builder();
    if (failed(checkOperands(op, step, op.getKey(), op.getValue())))
      return failure();
    View key = step.view(op.getKey()), value = step.view(op.getValue());
    KVTile tile(cast<MemRefType>(op.getKey().getType()).getDimSize(2),
                cast<MemRefType>(op.getValue().getType()).getDimSize(2), k.f32Type());
    SmallVector<Val> operands = rowOperands(key, value, step.range(key.sizes[0]));
    BatchView batch = step.batch();
    operands.append({step.arrayAs(op.getInto(), k.f32Type()), tilesPerHead(step), batch.rowStart,
                     batch.rowSeq});
    k.call(packKernel(step.module(), tile), operands);
    return success();
  }
};

//===-- append
//------------------------------------------------------------------------------------===//

/// Row operands; pages; layer, pages of the pool, tiles per page; the batch's rowStart, rowSeq,
/// past, pageStart, pageTable; trap record and location.
func::FuncOp appendKernel(ModuleOp module, const KVTile &tile, Type element) {
  Builder b(module.getContext());
  SmallVector<Type> types = rowTypes(b);
  Type index = b.getIndexType(), numbers = arrayOf(b.getI32Type());
  types.append({arrayOf(element), index, index, index, numbers, numbers, numbers, numbers, numbers,
                LLVM::LLVMPointerType::get(b.getContext()), b.getI32Type()});
  return getOrCreateKernel(
      module, "cache_append" + suffix(tile, element), types,
      [&](KernelBuilder &k, ArrayRef<Val> a) {
        Val heads = a[6], pages = a[9], layer = a[10], pageCount = a[11], tilesPerPage = a[12];
        Val rowStart = a[13], rowSeq = a[14], past = a[15], pageStart = a[16], pageTable = a[17];
        Val trap = a[18], location = a[19], code = k.i32(SLUICE_TRAP_PAGE);
        auto at = [&](Val array, Val i) { return k.toIndex(k.load(array, i)); };
        k.forLoop(a[7], a[8], 1, [&](Val row) {
          Val seq = at(rowSeq, row);
          Val slot = at(past, seq) + row - at(rowStart, seq);
          Val slotsPerPage = tilesPerPage * KVTile::kSlots;
          Val entry = slot / slotsPerPage, firstEntry = at(pageStart, seq);
          Val entries = at(pageStart, seq + 1) - firstEntry;
          k.ifElse(
              entry < entries,
              [&] {
                Val page = at(pageTable, firstEntry + entry);
                k.ifElse(
                    (page >= 0) & (page < pageCount),
                    [&] {
                      Val inPage = slot % slotsPerPage;
                      k.forLoop(0, heads, 1, [&](Val head) {
                        Val number = ((layer * pageCount + page) * heads + head) * tilesPerPage +
                                     inPage / KVTile::kSlots;
                        writeSlot(k, tile, rowAt(a, row), head, pages,
                                  number * (tile.words() * tile.group), inPage % KVTile::kSlots);
                      });
                    },
                    [&] { emitTrap(k, module, trap, code, location, page, pageCount); });
              },
              [&] { emitTrap(k, module, trap, code, location, entry, entries); });
        });
      });
}

struct AppendKernel : CPUKernelOpInterface::ExternalModel<AppendKernel, CacheAppendOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<CacheAppendOp>(operation);
    KernelBuilder &k = step.builder();
    if (failed(checkOperands(op, step, op.getKey(), op.getValue())))
      return failure();
    View key = step.view(op.getKey());
    // Where values are parts of the keys these are passed, and not read.
    View value = op.getValue() ? step.view(op.getValue()) : key;
    PagesView pages = step.pages(op.getPages());
    Type element = pages.kv.getElement();
    KVTile tile(pages.kv.getKey(), pages.kv.getValue(), element, pages.kv.getShared());
    SmallVector<Val> operands = rowOperands(key, value, step.range(key.sizes[0]));
    BatchView batch = step.batch();
    operands.append({k.arrayAt(pages.pointer, element), step.scalar(op.getLayer()), pages.pageCount,
                     k.index(static_cast<int64_t>(pages.kv.getPage()) / KVTile::kSlots),
                     batch.rowStart, batch.rowSeq, batch.past, batch.pageStart, batch.pageTable,
                     step.trapRecord(), step.locationNumber(op)});
    k.call(appendKernel(step.module(), tile, element), operands);
    return success();
  }
};

} // namespace

Val tilesPerHead(StepContext &step) { return step.maxRows() / KVTile::kSlots + step.maxSeqs() + 1; }

void registerCacheKernels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    CacheAppendOp::attachInterface<AppendKernel>(*context);
    CachePackOp::attachInterface<PackKernel>(*context);
  });
}

} // namespace sluice::cpu
