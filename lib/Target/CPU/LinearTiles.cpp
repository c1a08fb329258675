// SPDX-License-Identifier: Apache-2.0
#include "lib/Target/CPU/LinearTiles.h"

#include "lib/Target/CPU/Intrinsics.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

static StringRef stringify(TileFormat format) {
  switch (format) {
  case TileFormat::F32:
    return "f32";
  case TileFormat::Bf16:
    return "bf16";
  case TileFormat::F16:
    return "f16";
  case TileFormat::Dpbf16:
    return "dpbf16";
  }
  llvm_unreachable("covered switch");
}

Type weightTypeOf(TileFormat format, MLIRContext *context) {
  if (format == TileFormat::F32)
    return Float32Type::get(context);
  if (format == TileFormat::F16)
    return Float16Type::get(context);
  return BFloat16Type::get(context);
}

Type rowTypeOf(TileFormat format, MLIRContext *context) {
  if (format == TileFormat::Dpbf16)
    return BFloat16Type::get(context);
  return Float32Type::get(context);
}

Type unitTypeOf(TileFormat format, MLIRContext *context) {
  if (format == TileFormat::Dpbf16)
    return IntegerType::get(context, 32);
  return Float32Type::get(context);
}

/// A vector of pairs as the f32 of the first and the second of each.
static std::pair<Val, Val> splitPairs(KernelBuilder &k, TileFormat format, Val pairs) {
  if (format == TileFormat::Bf16)
    return {k.pairFirst(pairs), k.pairSecond(pairs)};
  OpBuilder &b = k.builder();
  Val words = k.bitcast(pairs, k.i32Type());
  auto narrow = [&](Val word) {
    Val half = k.val(
        arith::TruncIOp::create(b, k.location(), VectorType::get({kLanes}, b.getI16Type()), word));
    return k.f16ToF32(k.bitcast(half, b.getF16Type()));
  };
  return {narrow(words), narrow(words >> 16)};
}

/// How far ahead of itself a tile of few rows fetches its weights, in units. Measured on Sapphire
/// Rapids with bf16: mat-vec at 84 % of a plain read loop without, 97 % with 8 to 32 lines, less
/// beyond; into L1, as L2 alone gains half of it.
static constexpr int64_t kStreamAhead = 32;

//===-- Tiles ---------------------------------------------------------------------------------===//

namespace {

class TileEmitter {
public:
  TileEmitter(KernelBuilder &k, TileFormat format, int64_t rows, int64_t panels, int64_t sumStride,
              const TileOperands &o)
      : k(k), format(format), rows(rows), panels(panels), sumStride(sumStride), o(o) {}

  void emit();

private:
  Val &sum(MutableArrayRef<Val> sums, int64_t row, int64_t panel) {
    return sums[panel * rows + row];
  }
  /// One step: |unit| counts from the start of the tile, |rowAt| is where row 0's unit of this step
  /// lies.
  void step(MutableArrayRef<Val> sums, Val unit, Val rowAt);

  KernelBuilder &k;
  TileFormat format;
  int64_t rows, panels, sumStride;
  const TileOperands &o;
  SmallVector<Val> weightAt;
};

} // namespace

void TileEmitter::step(MutableArrayRef<Val> sums, Val unit, Val rowAt) {
  int64_t perUnit = kLanes * inputsPerUnit(format);
  auto load = [&](int64_t p) {
    // Few rows stream their weights from memory, and the hardware alone does not keep up.
    if (!o.ahead)
      k.prefetch(o.weights, weightAt[p] + (unit + kStreamAhead) * perUnit);
    return k.loadVector(o.weights, weightAt[p] + unit * perUnit, groupOf(format) * kLanes);
  };
  auto unitOf = [&](int64_t row, int64_t more) {
    return k.broadcastLoad(o.rows, rowAt + (row * kLanes + more));
  };
  bool isPaired = unitsPerStep(format) == 2;

  if (isPaired && rows <= 2) {
    // Few rows, many panels: the rows' units stay, weights are widened one panel after the other.
    for (int64_t p = 0; p < panels; ++p) {
      auto [first, second] = splitPairs(k, format, load(p));
      for (int64_t more : {0, 1})
        for (int64_t r = 0; r < rows; ++r)
          sum(sums, r, p) = k.fma(unitOf(r, more), more ? second : first, sum(sums, r, p));
    }
    return;
  }

  SmallVector<SmallVector<Val, 2>> weights(isPaired ? 2 : 1); // [unit of the step][panel]
  for (int64_t p = 0; p < panels; ++p) {
    Val raw = load(p);
    if (!isPaired) {
      weights[0].push_back(raw);
      continue;
    }
    auto [first, second] = splitPairs(k, format, raw);
    weights[0].push_back(first);
    weights[1].push_back(second);
  }
  for (size_t more = 0; more < weights.size(); ++more)
    for (int64_t r = 0; r < rows; ++r) {
      Val x = unitOf(r, static_cast<int64_t>(more));
      for (int64_t p = 0; p < panels; ++p) {
        Val &s = sum(sums, r, p);
        s = format == TileFormat::Dpbf16
                ? dpbf16(k, s, k.bitcast(x, k.bf16Type()), weights[more][p])
                : k.fma(x, weights[more][p], s);
      }
    }
}

void TileEmitter::emit() {
  for (int64_t p = 0; p < panels; ++p)
    weightAt.push_back(o.weightAt + o.panelStride * p);
  SmallVector<Val> sumAt;
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t r = 0; r < rows; ++r)
      sumAt.push_back(o.sumAt + (r * sumStride + p * kLanes));

  SmallVector<Val> sums = k.choose(
      o.first, [&] { return SmallVector<Val>(sumAt.size(), k.splat(0)); },
      [&] { return llvm::map_to_vector(sumAt, [&](Val at) { return k.loadVector(o.sums, at); }); });

  // A chunk holds kLanes units of each row. A step hides its loop unless it is tiny, and
  // more steps at once would only tempt the scheduler to load ahead until the sums no longer fit.
  int64_t perStep = unitsPerStep(format);
  int64_t turn = rows * panels > 2 ? perStep : 2 * perStep;
  int64_t aheadLine =
      o.ahead ? 64 * 8 / cast<MemRefType>(o.ahead.type()).getElementTypeBitWidth() : 0;
  Val whole = o.units / kLanes * kLanes;
  sums = k.reductionLoop(0, whole, kLanes, sums, [&](Val chunk, ArrayRef<Val> outer) {
    Val chunkAt = o.rowAt + chunk * rows;
    if (o.ahead)
      for (int64_t p = 0; p < panels; ++p)
        for (int64_t line : {0, 1})
          k.prefetch(o.ahead, o.aheadAt + o.aheadStride * p + (chunk / 8 + line) * aheadLine, 2);
    return k.reductionLoop(0, kLanes, turn, outer, [&](Val part, ArrayRef<Val> carried) {
      SmallVector<Val> next(carried);
      for (int64_t unit = 0; unit < turn; unit += perStep)
        step(next, chunk + part + unit, chunkAt + part + unit);
      return next;
    });
  });
  sums = k.reductionLoop(whole, o.units, perStep, sums, [&](Val unit, ArrayRef<Val> carried) {
    SmallVector<Val> next(carried);
    step(next, unit, o.rowAt + whole * rows + (unit - whole));
    return next;
  });

  for (auto [at, value] : llvm::zip(sumAt, sums))
    k.store(value, o.sums, at);
}

void callTile(KernelBuilder &k, ModuleOp module, TileFormat format, int64_t rows, int64_t panels,
              int64_t sumStride, const TileOperands &operands) {
  MLIRContext *context = module.getContext();
  Type index = IndexType::get(context);
  SmallVector<Type> types = {arrayOf(weightTypeOf(format, context)),
                             index,
                             index,
                             arrayOf(unitTypeOf(format, context)),
                             index,
                             arrayOf(Float32Type::get(context)),
                             index,
                             index,
                             IntegerType::get(context, 1)};
  SmallVector<Val> arguments = {operands.weights, operands.weightAt, operands.panelStride,
                                operands.rows,    operands.rowAt,    operands.sums,
                                operands.sumAt,   operands.units,    operands.first};
  std::string name = llvm::formatv("linear_tile_{0}_{1}x{2}", stringify(format), rows, panels);
  if (operands.ahead) {
    types.append({operands.ahead.type(), index, index});
    arguments.append({operands.ahead, operands.aheadAt, operands.aheadStride});
    llvm::raw_string_ostream(name)
        << "_ahead_" << cast<MemRefType>(operands.ahead.type()).getElementType();
  }
  func::FuncOp tile =
      getOrCreateKernel(module, name, types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
        TileOperands o;
        o.weights = v[0], o.weightAt = v[1], o.panelStride = v[2];
        o.rows = v[3], o.rowAt = v[4];
        o.sums = v[5], o.sumAt = v[6], o.units = v[7], o.first = v[8];
        if (v.size() > 9)
          o.ahead = v[9], o.aheadAt = v[10], o.aheadStride = v[11];
        TileEmitter(inner, format, rows, panels, sumStride, o).emit();
      });
  k.call(tile, arguments);
}

//===-- Copies --------------------------------------------------------------------------------===//

void callPack(KernelBuilder &k, ModuleOp module, TileFormat format, int64_t rows, Val source,
              Val sourceAt, Val sourceStride, Val tiles, Val inputs, Val dest, Val destAt,
              Val tileUnits) {
  MLIRContext *context = module.getContext();
  Type index = IndexType::get(context);
  Type types[] = {arrayOf(rowTypeOf(format, context)),  index, index, index, index,
                  arrayOf(unitTypeOf(format, context)), index, index};
  std::string name =
      llvm::formatv("linear_pack_{0}_{1}", format == TileFormat::Dpbf16 ? "bf16" : "f32", rows);
  func::FuncOp pack =
      getOrCreateKernel(module, name, types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
        Val source = v[0], sourceAt = v[1], sourceStride = v[2], tiles = v[3], inputs = v[4],
            dest = v[5], destAt = v[6], tileUnits = v[7];
        int64_t perChunk = kLanes * inputsPerUnit(format);
        Val whole = inputs / perChunk * perChunk;
        inner.forLoop(0, tiles, 1, [&](Val tile) {
          inner.forLoop(0, rows, 1, [&](Val r) {
            Val from = sourceAt + (tile * rows + r) * sourceStride;
            Val to = destAt + tile * rows * tileUnits + r * kLanes;
            auto chunkAt = [&](Val input) { return to + input / perChunk * (rows * kLanes); };
            inner.forLoop(0, whole, perChunk, [&](Val input) {
              Val units = inner.bitcast(inner.loadVector(source, from + input, perChunk),
                                        unitTypeOf(format, context));
              inner.store(units, dest, chunkAt(input));
            });
            inner.ifThen(whole < inputs, [&] {
              Val mask = inner.firstLanes(inputs - whole, perChunk);
              Val units = inner.bitcast(inner.maskedLoad(source, from + whole, mask),
                                        unitTypeOf(format, context));
              inner.store(units, dest, chunkAt(whole));
            });
          });
        });
      });
  k.call(pack, {source, sourceAt, sourceStride, tiles, inputs, dest, destAt, tileUnits});
}

void callWiden(KernelBuilder &k, ModuleOp module, TileFormat format, int64_t panels,
               int64_t destStride, Val weights, Val weightAt, Val panelStride, Val units,
               Val dest) {
  MLIRContext *context = module.getContext();
  Type index = IndexType::get(context);
  Type types[] = {arrayOf(weightTypeOf(format, context)), index, index, index,
                  arrayOf(Float32Type::get(context))};
  std::string name = llvm::formatv("linear_widen_{0}_{1}", stringify(format), panels);
  func::FuncOp widen =
      getOrCreateKernel(module, name, types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
        for (int64_t p = 0; p < panels; ++p)
          inner.forLoop(0, v[3], 2, [&](Val unit) {
            Val at = unit * kLanes;
            auto [first, second] =
                splitPairs(inner, format, inner.loadVector(v[0], v[1] + v[2] * p + at, 2 * kLanes));
            inner.store(first, v[4], at + p * destStride);
            inner.store(second, v[4], at + (p * destStride + kLanes));
          });
      });
  k.call(widen, {weights, weightAt, panelStride, units, dest});
}

} // namespace sluice::cpu
