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

/// How far ahead of itself a tile that streams fetches its weights, in bytes of all its panels.
/// Measured on Sapphire Rapids with bf16 and 8 panels: mat-vec at 84 % of a plain read loop
/// without, 97 % with 2 to 8 KiB, less beyond; into L1, as L2 alone gains half of it.
static constexpr int64_t kStreamBytes = 8 << 10;

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
  bool streams() const { return !o.ahead.weights; }
  int64_t unitsAhead() const {
    int64_t perUnit = kLanes * 4 / unitsPerStep(format);
    return llvm::alignTo(kStreamBytes / (panels * perUnit), kLanes);
  }
  /// One step: |unit| counts from the start of the tile, |rowAt| is where row 0's unit of this step
  /// lies; weights |fetch| elements further on are fetched.
  void step(MutableArrayRef<Val> sums, Val unit, Val rowAt, Val fetch);

  KernelBuilder &k;
  TileFormat format;
  int64_t rows, panels, sumStride;
  const TileOperands &o;
  SmallVector<Val> weightAt;
};

} // namespace

void TileEmitter::step(MutableArrayRef<Val> sums, Val unit, Val rowAt, Val fetch) {
  int64_t perUnit = kLanes * inputsPerUnit(format);
  auto load = [&](int64_t p) {
    Val at = weightAt[p] + unit * perUnit;
    // The hardware alone does not keep up with a stream from memory.
    if (streams())
      k.prefetch(o.weights, at + fetch);
    return k.loadVector(o.weights, at, groupOf(format) * kLanes);
  };
  auto unitOf = [&](int64_t row, int64_t more) {
    return k.broadcastLoad(o.rows, rowAt + (row * kLanes + more));
  };
  bool isPaired = unitsPerStep(format) == 2;

  if (isPaired && rows <= 2 && !o.widened) {
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
    if (o.widened) {
      Val at = unit * kLanes + p * o.widenedStride;
      k.store(first, o.widened, at);
      k.store(second, o.widened, at + kLanes);
    }
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
  int64_t perStep = unitsPerStep(format), perUnit = kLanes * inputsPerUnit(format);
  int64_t line =
      streams() ? 0 : 64 * 8 / cast<MemRefType>(o.ahead.weights.type()).getElementTypeBitWidth();
  auto loop = [&](Idx lo, Idx hi, int64_t by, ArrayRef<Val> init,
                  llvm::function_ref<SmallVector<Val>(Val, ArrayRef<Val>)> body) {
    return o.widened ? k.forLoop(lo, hi, by, init, body) : k.reductionLoop(lo, hi, by, init, body);
  };
  sums = loop(0, o.units, kLanes, sums, [&](Val chunk, ArrayRef<Val> outer) {
    Val chunkAt = o.rowAt + chunk * rows, fetch;
    if (streams())
      fetch = k.select(chunk + unitsAhead() < o.units, k.index(unitsAhead() * perUnit),
                       o.ahead.follows - o.weightAt + (k.index(unitsAhead()) - o.units) * perUnit);
    else
      k.forLoop(0, o.ahead.lines, 1, [&](Val i) {
        Val at = o.ahead.at + (chunk / kLanes * o.ahead.lines + i) * line;
        for (int64_t p = 0; p < panels; ++p)
          k.prefetch(o.ahead.weights, at + o.ahead.panelStride * p, 2);
      });
    Val end = k.min(o.units - chunk, k.index(kLanes));
    return loop(0, end, perStep, outer, [&](Val part, ArrayRef<Val> carried) {
      SmallVector<Val> next(carried);
      step(next, chunk + part, chunkAt + part, fetch);
      return next;
    });
  });

  for (auto [at, value] : llvm::zip(sumAt, sums))
    k.store(value, o.sums, at);
}

void callTile(KernelBuilder &k, ModuleOp module, TileFormat format, ArrayRef<TileShape> shapes,
              Val rows, Val panels, int64_t sumStride, const TileOperands &operands) {
  MLIRContext *context = module.getContext();
  const TileAhead &ahead = operands.ahead;
  SmallVector<Val> arguments = {operands.weights, operands.weightAt, operands.panelStride,
                                operands.rows,    operands.rowAt,    operands.sums,
                                operands.sumAt,   operands.units,    operands.first};
  std::string kind;
  llvm::raw_string_ostream out(kind);
  assert((!operands.widened || ahead.weights) && "a tile that streams has nobody to widen for");
  if (operands.widened)
    out << "_widening";
  if (ahead.weights) {
    arguments.append({ahead.weights, ahead.at, ahead.panelStride, ahead.lines});
    out << "_ahead_" << cast<MemRefType>(ahead.weights.type()).getElementType();
  } else {
    arguments.push_back(ahead.follows);
  }
  if (operands.widened)
    arguments.push_back(operands.widened);
  SmallVector<Type> types = llvm::map_to_vector(arguments, [](Val v) { return v.type(); });

  auto tile = [&](TileShape shape) {
    std::string name = llvm::formatv("linear_tile_{0}_{1}x{2}{3}", stringify(format), shape.rows,
                                     shape.panels, kind);
    return getOrCreateKernel(module, name, types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
      TileOperands o;
      o.weights = v[0], o.weightAt = v[1], o.panelStride = v[2];
      o.rows = v[3], o.rowAt = v[4];
      o.sums = v[5], o.sumAt = v[6], o.units = v[7], o.first = v[8];
      if (ahead.weights)
        o.ahead.weights = v[9], o.ahead.at = v[10], o.ahead.panelStride = v[11],
        o.ahead.lines = v[12];
      else
        o.ahead.follows = v[9];
      if (operands.widened)
        o.widened = v[13], o.widenedStride = operands.widenedStride;
      TileEmitter(inner, format, shape.rows, shape.panels, sumStride, o).emit();
    });
  };
  // The choice is a kernel too: it would otherwise stand in every variant, several times.
  types.append({IndexType::get(context), IndexType::get(context)});
  arguments.append({rows, panels});
  std::string name = llvm::formatv("linear_tile_{0}{1}", stringify(format), kind);
  func::FuncOp choice =
      getOrCreateKernel(module, name, types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
        types.truncate(types.size() - 2);
        ArrayRef<Val> own = v.drop_back(2);
        Val rows = v[v.size() - 2], panels = v.back();
        for (TileShape shape : shapes)
          inner.ifThen((rows == shape.rows) & (panels == shape.panels),
                       [&] { inner.call(tile(shape), own); });
      });
  k.call(choice, arguments);
}

//===-- Copy --------------------------------------------------------------------------------===//

void callPack(KernelBuilder &k, ModuleOp module, TileFormat format, Val rows, Val source,
              Val sourceAt, Val sourceStride, Val tiles, Val inputs, Val dest, Val destAt,
              Val tileUnits, const RowList &list, Val sourceRow) {
  MLIRContext *context = module.getContext();
  Type index = IndexType::get(context);
  SmallVector<Type> types = {index, arrayOf(rowTypeOf(format, context)),  index, index, index,
                             index, arrayOf(unitTypeOf(format, context)), index, index};
  std::string name = format == TileFormat::Dpbf16 ? "linear_pack_bf16" : "linear_pack_f32";
  if (list) {
    types.append({list.order.type(), index, index, index});
    name += "_listed";
  }
  bool listed = static_cast<bool>(list);
  func::FuncOp pack =
      getOrCreateKernel(module, name, types, [&](KernelBuilder &inner, ArrayRef<Val> v) {
        Val rows = v[0], source = v[1], sourceAt = v[2], sourceStride = v[3], tiles = v[4],
            inputs = v[5], dest = v[6], destAt = v[7], tileUnits = v[8];
        int64_t perChunk = kLanes * inputsPerUnit(format);
        Val whole = inputs / perChunk * perChunk;
        auto put = [&](Val units, Val at) {
          inner.store(inner.bitcast(units, unitTypeOf(format, context)), dest, at);
        };
        inner.forLoop(0, tiles, 1, [&](Val tile) {
          Val from = listed ? sourceAt : sourceAt + tile * rows * sourceStride;
          Val to = destAt + tile * rows * tileUnits;
          auto rowAt = [&](Val r) {
            if (!listed)
              return r * sourceStride;
            RowList inside{v[9], v[10], v[11], {}};
            return inside.offset(v[12] + tile * rows + r, sourceStride, inside.inner);
          };
          // Chunk by chunk, so that what is written lies in one piece.
          inner.forLoop(0, whole, perChunk, [&](Val input) {
            Val chunkTo = to + input / perChunk * kLanes * rows;
            inner.forLoop(0, rows, 1, [&](Val r) {
              put(inner.loadVector(source, from + rowAt(r) + input, perChunk),
                  chunkTo + r * kLanes);
            });
          });
          inner.ifThen(whole < inputs, [&] {
            Val mask = inner.firstLanes(inputs - whole, perChunk);
            Val chunkTo = to + whole / perChunk * kLanes * rows;
            inner.forLoop(0, rows, 1, [&](Val r) {
              put(inner.maskedLoad(source, from + rowAt(r) + whole, mask), chunkTo + r * kLanes);
            });
          });
        });
      });
  SmallVector<Val> arguments = {rows,   source, sourceAt, sourceStride, tiles,
                                inputs, dest,   destAt,   tileUnits};
  if (list)
    arguments.append({list.order, list.at, list.inner, sourceRow});
  k.call(pack, arguments);
}

} // namespace sluice::cpu
