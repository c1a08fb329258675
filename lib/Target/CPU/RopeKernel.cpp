// SPDX-License-Identifier: Apache-2.0
//
// rope: frequencies are a table made at compile time; sine and cosine of a row's angles are worked
// out once and serve all its heads.
#include "lib/Target/CPU/Kernels.h"
#include "lib/Target/CPU/MathFunctions.h"
#include "lib/Target/CPU/RowLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {
namespace {

/// The private table of f32(1 / f32(theta^f32(2i/dims))), i < dims/2.
memref::GlobalOp frequencies(ModuleOp module, double theta, int64_t dims) {
  std::string name =
      llvm::formatv("rope_frequencies_{0}_{1:x}", dims, llvm::bit_cast<uint64_t>(theta));
  if (auto known = module.lookupSymbol<memref::GlobalOp>(name))
    return known;
  SmallVector<float> values(dims / 2);
  for (int64_t i = 0; i < dims / 2; ++i) {
    double exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
    values[i] = 1.0f / static_cast<float>(std::pow(theta, exponent));
  }
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto shape = RankedTensorType::get({dims / 2}, b.getF32Type());
  auto type = MemRefType::get({dims / 2}, b.getF32Type());
  return memref::GlobalOp::create(b, module.getLoc(), name, b.getStringAttr("private"), type,
                                  DenseElementsAttr::get(shape, ArrayRef(values)),
                                  /*constant=*/true, b.getI64IntegerAttr(64));
}

struct Variant {
  RopePairing pairing;
  int64_t dims;
  bool partial; ///< channels from dims on pass

  std::string name() const {
    return ("rope_" + stringifyRopePairing(pairing) + "_" + Twine(dims) + (partial ? "_rest" : ""))
        .str();
  }
};

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

/// Rows and result with the strides of each; positions and their stride; frequencies; heads,
/// channels; share.
func::FuncOp kernelFor(ModuleOp module, const Variant &variant) {
  Builder builder(module.getContext());
  Type array = arrayOf(builder.getF32Type()), index = builder.getIndexType();
  SmallVector<Type> types = {
      array, index, index, array, index, index, arrayOf(builder.getI32Type()),
      index, array, index, index, index, index};
  return getOrCreateKernel(module, variant.name(), types, [&](KernelBuilder &k, ArrayRef<Val> a) {
    int64_t pairs = variant.dims / 2;
    Val sines = k.scratch(k.f32Type(), pairs), cosines = k.scratch(k.f32Type(), pairs);
    Val zero = k.index(0);
    k.forLoop(a[11], a[12], 1, [&](Val row) {
      Val position = k.toF32(k.load(a[6], row * a[7]));
      forLanes(k, k.index(pairs), [&](Lanes lanes) {
        auto [sine, cosine] = sinCos(k, lanes.load(a[8], zero) * position);
        lanes.store(sine, sines, zero);
        lanes.store(cosine, cosines, zero);
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
    Variant variant{op.getPairing(), op.getRotatedDims(), op.getRotatedDims() != channels};
    memref::GlobalOp table =
        frequencies(step.module(), op.getTheta().convertToDouble(), variant.dims);
    Value whole =
        memref::GetGlobalOp::create(k.builder(), k.location(), table.getType(), table.getSymName());
    Value frequency =
        memref::CastOp::create(k.builder(), k.location(), arrayOf(k.f32Type()), whole);
    Range share = step.range(result.sizes[0]);
    k.call(kernelFor(step.module(), variant),
           {rows.array, rows.strides[0], rows.strides[1], result.array, result.strides[0],
            result.strides[1], positions.array, positions.strides[0], k.val(frequency),
            rows.sizes[1], rows.sizes[2], share.begin, share.end});
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
