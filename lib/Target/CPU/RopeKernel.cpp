// SPDX-License-Identifier: Apache-2.0
//
// rope: frequencies are a table made at compile time (RopeFrequencies.h); sine and cosine of a
// row's angles are worked out once and serve all its heads. A scaling that depends on the length of
// a sequence looks it up for each row: longrope chooses one of two tables, dynamic changes the
// table's numbers.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "lib/Target/CPU/RopeFrequencies.h"
#include "lib/Target/CPU/RowLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

/// |values| as a private table; equal tables are one.
memref::GlobalOp tableOf(ModuleOp module, ArrayRef<float> values) {
  auto count = static_cast<int64_t>(values.size());
  Builder types(module.getContext());
  auto contents =
      DenseElementsAttr::get(RankedTensorType::get({count}, types.getF32Type()), values);
  uint64_t hash = llvm::xxh3_64bits(
      ArrayRef(reinterpret_cast<const uint8_t *>(values.data()), values.size() * sizeof(float)));
  std::string name = llvm::formatv("rope_frequencies_{0}_{1:x-}", count, hash);
  if (auto known = module.lookupSymbol<memref::GlobalOp>(name)) {
    if (known.getInitialValueAttr() == contents)
      return known;
    name += "_other"; // two tables of one hash
  }
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto type = MemRefType::get({count}, b.getF32Type());
  return memref::GlobalOp::create(b, module.getLoc(), name, b.getStringAttr("private"), type,
                                  contents, /*constant=*/true, b.getI64IntegerAttr(64));
}

/// What of a sequence's length matters to a kernel.
enum class Length { None, ChoosesTable, ChangesNumbers };

struct Variant {
  RopePairing pairing;
  int64_t dims;
  bool partial; ///< channels from dims on pass
  bool amplitude;
  Length length;

  std::string name() const {
    StringRef words[] = {"", "_longrope", "_dynamic"};
    return ("rope_" + stringifyRopePairing(pairing) + "_" + Twine(dims) + (partial ? "_rest" : "") +
            (amplitude ? "_amplified" : "") + words[static_cast<int>(length)])
        .str();
  }
};

/// ln x for a normal x > 0, within 4 ulp of the larger of ln x and 1/2: x = 2^n m with m in
/// [0.7, 1.4], and ln m = 2 artanh((m - 1) / (m + 1)).
Val logarithm(KernelBuilder &k, Val x) {
  Val bits = k.bitcast(x, k.i32Type());
  Val shifted = bits - 0x3f330000; // of about 0.7
  Val n = k.shiftRightSigned(shifted, k.constant(23, shifted.type()));
  Val m = k.bitcast(bits - (n << 23), k.f32Type());
  Val s = (m - 1.0f) / (m + 1.0f), z = s * s;
  Val series = k.constant(2.0 / 9, x.type());
  for (double term : {2.0 / 7, 2.0 / 5, 2.0 / 3})
    series = k.fma(series, z, k.constant(term, x.type()));
  Val small = k.fma(s * z, series, s + s);
  return k.fma(k.toF32(n), k.constant(0x1.62e430p-1, x.type()), small);
}

/// One head of one row, and the sines and cosines of the row.
struct Head {
  Val rows, rowAt, result, resultAt, sines, cosines;
};

std::pair<Val, Val> rotate(Val a, Val b, Val sine, Val cosine) {
  return {a * cosine - b * sine, b * cosine + a * sine};
}

void rotateHalves(KernelBuilder &k, const Head &h, int64_t pairs) {
  Val zero = k.index(0);
  forLanes(k, k.index(pairs), [&](Lanes lanes) {
    auto [a, b] = rotate(lanes.load(h.rows, h.rowAt), lanes.load(h.rows, h.rowAt + pairs),
                         lanes.load(h.sines, zero), lanes.load(h.cosines, zero));
    lanes.store(a, h.result, h.resultAt);
    lanes.store(b, h.result, h.resultAt + pairs);
  });
}

void rotateNeighbours(KernelBuilder &k, const Head &h, int64_t pairs) {
  OpBuilder &builder = k.builder();
  int64_t whole = pairs / kLanes * kLanes;
  k.forLoop(0, whole, kLanes, [&](Val i) {
    Val both = k.loadVector(h.rows, h.rowAt + i * 2, 2 * kLanes);
    auto apart = vector::DeinterleaveOp::create(builder, k.location(), both);
    auto [a, b] = rotate(k.val(apart.getRes1()), k.val(apart.getRes2()), k.loadVector(h.sines, i),
                         k.loadVector(h.cosines, i));
    Val joined = k.val(vector::InterleaveOp::create(builder, k.location(), a, b));
    k.store(joined, h.result, h.resultAt + i * 2);
  });
  k.forLoop(whole, pairs, 1, [&](Val i) {
    auto [a, b] = rotate(k.load(h.rows, h.rowAt + i * 2), k.load(h.rows, h.rowAt + i * 2 + 1),
                         k.load(h.sines, i), k.load(h.cosines, i));
    k.store(a, h.result, h.resultAt + i * 2);
    k.store(b, h.result, h.resultAt + i * 2 + 1);
  });
}

/// Writes the frequencies of a sequence of |length| rows beyond |original|:
/// table[i] * growth^(-2i / (dims - 2)), growth = 1 + factor * (length - original) / original.
void stretch(KernelBuilder &k, const Variant &variant, Val table, Val length, Val original,
             Val factor, Val into) {
  Val beyond = k.toF32(k.toI32(k.max(length - original, k.index(0))));
  Val growth = factor * beyond / k.toF32(k.toI32(original)) + 1.0f;
  Val slope = logarithm(k, growth) * (-2.0f / static_cast<float>(variant.dims - 2));
  Val zero = k.index(0), lane = k.toF32(k.iota());
  forLanes(k, k.index(variant.dims / 2), [&](Lanes lanes) {
    Val pair = k.broadcast(k.toF32(k.toI32(lanes.i))) + lane;
    lanes.store(lanes.load(table, zero) * exp(k, pair * slope), into, zero);
  });
}

/// Rows and result with the strides of each; positions and their stride; frequencies; heads,
/// channels; share; amplitude; first rows of sequences, sequences of rows; original length, factor.
func::FuncOp kernelFor(ModuleOp module, const Variant &variant) {
  Builder builder(module.getContext());
  Type array = arrayOf(builder.getF32Type()), index = builder.getIndexType();
  SmallVector<Type> types = {array,
                             index,
                             index,
                             array,
                             index,
                             index,
                             arrayOf(builder.getI32Type()),
                             index,
                             array,
                             index,
                             index,
                             index,
                             index,
                             builder.getF32Type(),
                             arrayOf(builder.getI32Type()),
                             arrayOf(builder.getI32Type()),
                             index,
                             builder.getF32Type()};
  return getOrCreateKernel(module, variant.name(), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    int64_t pairs = variant.dims / 2;
    Val sines = k.scratch(k.f32Type(), pairs), cosines = k.scratch(k.f32Type(), pairs);
    Val stretched;
    if (variant.length == Length::ChangesNumbers)
      stretched = k.scratch(k.f32Type(), pairs);
    Val zero = k.index(0);
    k.forLoop(a[11], a[12], 1, [&](Val row) {
      Val position = k.toF32(k.load(a[6], row * a[7]));
      Val table = a[8], first = zero;
      if (variant.length != Length::None) {
        Val last = k.toIndex(k.load(a[14], k.toIndex(k.load(a[15], row)) + 1)) - 1;
        Val length = k.toIndex(k.load(a[6], last * a[7])) + 1;
        if (variant.length == Length::ChoosesTable) {
          first = k.select(length > a[16], k.index(pairs), zero); // short ones, then long ones
        } else {
          stretch(k, variant, table, length, a[16], a[17], stretched);
          table = stretched;
        }
      }
      forLanes(k, k.index(pairs), [&](Lanes lanes) {
        auto [sine, cosine] = sinCos(k, lanes.load(table, first) * position);
        lanes.store(variant.amplitude ? sine * a[13] : sine, sines, zero);
        lanes.store(variant.amplitude ? cosine * a[13] : cosine, cosines, zero);
      });
      k.forLoop(0, a[9], 1, [&](Val number) {
        Head head{a[0],   row * a[1] + number * a[2], a[3], row * a[4] + number * a[5], sines,
                  cosines};
        if (variant.pairing == RopePairing::Halves)
          rotateHalves(k, head, pairs);
        else
          rotateNeighbours(k, head, pairs);
        if (variant.partial)
          forLanes(k, a[10] - variant.dims, [&](Lanes lanes) {
            lanes.copy(head.rows, head.rowAt + variant.dims, head.result,
                       head.resultAt + variant.dims);
          });
      });
    });
  });
}

struct RopeKernel : CPUKernelOpInterface::ExternalModel<RopeKernel, RopeOp> {
  LogicalResult emitKernel(Operation *operation, StepContext &step) const {
    auto op = cast<RopeOp>(operation);
    KernelBuilder &k = step.builder();
    Value destination = op.getInto().front();
    if (failed(step.expectShare(op, {place::Share::Rows})) ||
        failed(expectUnitStride(op, op.getRows(), "rows")) ||
        failed(expectUnitStride(op, destination, "into")))
      return failure();
    View rows = step.view(op.getRows()), result = step.view(destination);
    View positions = step.view(op.getPositions());
    int64_t channels = cast<MemRefType>(op.getRows().getType()).getDimSize(2);
    RopeScalingAttrInterface scaling = op.getScalingAttr();
    auto dynamic = dyn_cast_or_null<RopeDynamicAttr>(Attribute(scaling));
    auto longrope = dyn_cast_or_null<RopeLongropeAttr>(Attribute(scaling));
    Variant variant{op.getPairing(), op.getRotatedDims(), op.getRotatedDims() != channels,
                    op.getAmplitude().has_value(),
                    dynamic    ? Length::ChangesNumbers
                    : longrope ? Length::ChoosesTable
                               : Length::None};
    memref::GlobalOp table = tableOf(
        step.module(), ropeFrequencies(op.getTheta().convertToDouble(), variant.dims, scaling));
    Value whole =
        memref::GetGlobalOp::create(k.builder(), k.location(), table.getType(), table.getSymName());
    Value frequency =
        memref::CastOp::create(k.builder(), k.location(), arrayOf(k.f32Type()), whole);
    // Where no length matters these are passed, and not read.
    Val rowStart = positions.array, rowSeq = positions.array;
    if (variant.length != Length::None)
      rowStart = step.batch().rowStart, rowSeq = step.batch().rowSeq;
    int64_t original = dynamic ? dynamic.getOriginal() : longrope ? longrope.getOriginal() : 0;
    double factor = dynamic ? dynamic.getFactor().convertToDouble() : 0;
    double amplitude = variant.amplitude ? op.getAmplitude()->convertToDouble() : 1;
    Range share = step.range(result.sizes[0]);
    k.call(kernelFor(step.module(), variant),
           {rows.array, rows.strides[0], rows.strides[1], result.array, result.strides[0],
            result.strides[1], positions.array, positions.strides[0], k.val(frequency),
            rows.sizes[1], rows.sizes[2], share.begin, share.end,
            k.f32(static_cast<float>(amplitude)), rowStart, rowSeq, k.index(original),
            k.f32(static_cast<float>(factor))});
    return success();
  }
};

} // namespace

void registerRopeKernel(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SluiceDialect *) {
    RopeOp::attachInterface<RopeKernel>(*context);
  });
}

} // namespace sluice::cpu
