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

/// A mask as part of a kernel's name: "#sluice.and<#sluice.causal, #sluice.window<5>>" is
/// "and.l.causal.window.l.5.g..g.".
static std::string nameOfMask(Attribute mask) {
  std::string text, name;
  llvm::raw_string_ostream(text) << mask;
  for (size_t at; (at = text.find("#sluice.")) != std::string::npos;)
    text.erase(at, 8);
  for (char c : text)
    name += c == '<'   ? ".l."
            : c == '>' ? ".g."
            : c == ',' ? "."
            : c == ' ' ? ""
                       : std::string(1, c);
  return name;
}

std::string AttentionVariant::name() const {
  std::string options;
  for (auto [set, word] : {std::pair(window, "_window"),
                           {softcap, "_softcap"},
                           {slopes, "_slopes"},
                           {sinks, "_sinks"},
                           {lse, "_lse"}})
    if (set)
      options += word;
  if (biasRank)
    options += biasRank == 2 ? "_relative" : "_pairs";
  return llvm::formatv("attention_{0}_{1}_{2}_{3}x{4}{8}_group{5}_to_{6}{7}",
                       paged ? "pages" : "tiles", nameOfMask(mask),
                       tile.group == 1 ? "f32" : "bf16", tile.keySize, tile.valueSize, group,
                       nameOf(result, round), options, tile.shared ? "_shared" : "");
}

//===-- Operands
//----------------------------------------------------------------------------------===//

namespace {
struct Field {
  Val AttentionOperands::*member;
  Type type;
};

SmallVector<Field> fieldsOf(Builder &b, const AttentionVariant &v) {
  using A = AttentionOperands;
  Type index = b.getIndexType(), f32 = b.getF32Type(), f32s = arrayOf(f32);
  Type numbers = arrayOf(b.getI32Type());
  SmallVector<Field> fields = {{&A::query, f32s},
                               {&A::queryRow, index},
                               {&A::queryHead, index},
                               {&A::result, arrayOf(v.result)},
                               {&A::resultRow, index},
                               {&A::resultHead, index},
                               {&A::words, v.tile.group == 1 ? f32s : numbers},
                               {&A::kvHeads, index},
                               {&A::rowStart, numbers},
                               {&A::rowSeq, numbers},
                               {&A::rows, index},
                               {&A::scale, f32},
                               {&A::trap, LLVM::LLVMPointerType::get(b.getContext())},
                               {&A::location, b.getI32Type()},
                               {&A::begin, index},
                               {&A::end, index}};
  auto addIf = [&](bool present, ArrayRef<Field> more) {
    if (present)
      fields.append(more.begin(), more.end());
  };
  unsigned needs = v.mask.getNeeds();
  addIf(!v.paged, {{&A::tilesPerHead, index}});
  addIf(v.paged, {{&A::layer, index},
                  {&A::pageCount, index},
                  {&A::tilesPerPage, index},
                  {&A::past, numbers},
                  {&A::pageStart, numbers},
                  {&A::pageTable, numbers}});
  addIf(v.window, {{&A::window, index}});
  addIf(needs & kNeedsSegments, {{&A::segments, numbers}});
  addIf(needs & kNeedsParents, {{&A::parents, numbers}});
  addIf(needs & kNeedsPrefixes, {{&A::prefixes, numbers}});
  addIf(v.softcap, {{&A::cap, f32}, {&A::inverseCap, f32}});
  addIf(v.slopes, {{&A::slopes, f32s}});
  addIf(v.sinks, {{&A::sinks, f32s}});
  addIf(v.biasRank, {{&A::bias, f32s}, {&A::biasRows, index}, {&A::biasKeys, index}});
  addIf(v.lse, {{&A::lse, f32s}, {&A::lseRow, index}});
  return fields;
}
} // namespace

SmallVector<Type> AttentionOperands::types(Builder &b, const AttentionVariant &variant) {
  return llvm::map_to_vector(fieldsOf(b, variant), [](const Field &field) { return field.type; });
}

SmallVector<Val> AttentionOperands::values(Builder &b, const AttentionVariant &variant) const {
  return llvm::map_to_vector(fieldsOf(b, variant),
                             [&](const Field &field) { return this->*field.member; });
}

AttentionOperands AttentionOperands::from(Builder &b, const AttentionVariant &variant,
                                          ArrayRef<Val> values) {
  AttentionOperands a;
  for (auto [field, value] : llvm::zip_equal(fieldsOf(b, variant), values))
    a.*field.member = value;
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
        AttentionOperands a = AttentionOperands::from(k.builder(), variant, values);
        AttentionScratch scratch(k, variant);
        int64_t most = variant.wideRows(), least = variant.leastWideRows();
        k.whileLoop(
            {a.begin}, [&](ArrayRef<Val> item) { return item[0] < a.end; },
            [&](ArrayRef<Val> item) -> SmallVector<Val> {
              Val kvHead = item[0] / a.rows, row = item[0] % a.rows;
              Val seq = k.toIndex(k.load(a.rowSeq, row));
              // Rows of the same sequence and kv head that are this worker's too.
              Val rows = k.min(k.toIndex(k.load(a.rowStart, seq + 1)) - row, a.end - item[0]);
              auto narrow = [&]() -> SmallVector<Val> {
                k.forLoop(0, variant.group, variant.narrowHeads(), [&](Val head) {
                  emitNarrowAttention(k, module, variant, a, scratch, seq, row, kvHead, head);
                });
                return {item[0] + 1};
              };
              auto wide = [&]() -> SmallVector<Val> {
                Val taken = k.min(rows, k.index(most));
                emitWideAttention(k, module, variant, a, scratch, seq, row, taken, kvHead);
                return {item[0] + taken};
              };
              if (most < least)
                return narrow();
              if (least == 1)
                return wide();
              return k.choose(rows >= least, wide, narrow);
            });
      });
}

/// A table of f32: a param, or a constant of the model.
FailureOr<Val> tableOf(AttentionOp op, StepContext &step, Value table) {
  if (isa<MemRefType>(table.getType()))
    return step.view(table).array;
  WeightView weight = step.weight(table);
  if (weight.layout != Layout::Rows)
    return op.emitOpError("expects tables in layout 'rows' on the cpu");
  return weight.array;
}

/// What masks and scores read besides queries and keys.
LogicalResult setOptions(AttentionOp op, StepContext &step, AttentionVariant &variant,
                         AttentionOperands &a) {
  KernelBuilder &k = step.builder();
  if (op.getWindow())
    variant.window = true, a.window = step.scalar(op.getWindow());
  for (auto [rows, array, name] : {std::tuple(op.getSegments(), &a.segments, "segments"),
                                   {op.getParents(), &a.parents, "parents"},
                                   {op.getPrefixes(), &a.prefixes, "prefixes"}}) {
    if (!rows)
      continue;
    if (failed(expectUnitStride(op, rows, name)))
      return failure();
    *array = step.view(rows).array;
  }
  if (std::optional<APFloat> softcap = op.getSoftcap()) {
    double cap = softcap->convertToDouble();
    variant.softcap = true;
    a.cap = k.f32(static_cast<float>(cap)), a.inverseCap = k.f32(static_cast<float>(1 / cap));
  }
  for (auto [table, array] :
       {std::pair(op.getSlopes(), &a.slopes), {op.getSinks(), &a.sinks}, {op.getBias(), &a.bias}}) {
    if (!table)
      continue;
    FailureOr<Val> found = tableOf(op, step, table);
    if (failed(found))
      return failure();
    *array = *found;
  }
  variant.slopes = static_cast<bool>(op.getSlopes());
  variant.sinks = static_cast<bool>(op.getSinks());
  if (Value bias = op.getBias()) {
    auto type = cast<ShapedType>(bias.getType());
    variant.biasRank = type.getRank();
    a.biasRows = k.index(type.getRank() == 2 ? 1 : type.getDimSize(1));
    a.biasKeys = k.index(type.getShape().back());
  }
  return success();
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
    auto queryType = cast<MemRefType>(op.getQuery().getType());
    View query = step.view(op.getQuery()), result = step.view(destination);
    BatchView batch = step.batch();
    AttentionOperands a;
    Type element = k.f32Type();
    int64_t keySize = queryType.getDimSize(2), valueSize = 0, kvHeads = 0;
    bool shared = false;
    if (Value memory = op.getPages()) {
      PagesView pages = step.pages(memory);
      element = pages.kv.getElement();
      valueSize = pages.kv.getValue(), kvHeads = pages.kv.getHeads();
      shared = pages.kv.getShared();
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
    AttentionVariant variant{KVTile(keySize, valueSize, element, shared),
                             static_cast<bool>(op.getPages()), queryType.getDimSize(1) / kvHeads,
                             op.getMask()};
    variant.result = result.element();
    variant.round = roundOf(op.getRound());
    variant.accumulators = step.accumulators();
    variant.scales = step.machine().vectorBytes == 64;
    if (!variant.fits())
      return op.emitOpError() << "expects values of at most " << AttentionVariant::kMostSharedValues
                              << " numbers that are parts of their keys on the cpu, but they have "
                              << valueSize;
    a.query = query.array, a.queryRow = query.strides[0], a.queryHead = query.strides[1];
    a.result = result.array, a.resultRow = result.strides[0], a.resultHead = result.strides[1];
    a.kvHeads = k.index(kvHeads);
    a.rowStart = batch.rowStart, a.rowSeq = batch.rowSeq, a.past = batch.past;
    a.pageStart = batch.pageStart, a.pageTable = batch.pageTable;
    a.rows = result.sizes[0];
    a.scale = k.f32(static_cast<float>(op.getScale().convertToDouble()));
    a.trap = step.trapRecord(), a.location = step.locationNumber(op);
    if (op.hasLse()) {
      if (failed(expectUnitStride(op, op.getInto()[1], "lse")))
        return failure();
      View lse = step.view(op.getInto()[1]);
      variant.lse = true;
      a.lse = lse.array, a.lseRow = lse.strides[0];
    }
    if (failed(setOptions(op, step, variant, a)))
      return failure();
    Range share = step.range(a.rows * kvHeads);
    a.begin = share.begin, a.end = share.end;
    k.call(kernelFor(step.module(), variant), a.values(k.builder(), variant));
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
