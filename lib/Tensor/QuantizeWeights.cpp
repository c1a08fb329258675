//===- QuantizeWeights.cpp - linear weights become codes with scales ------===//
// SPDX-License-Identifier: Apache-2.0
//
//   sluice.param @w : tensor<64x256xbf16>     ==>  sluice.param @w : tensor<64x256xbf16,
//   #sluice.blocks<...>> %y = sluice.linear %x, %w                      %y = sluice.linear %x, %w
//   inputs int8
//
// Only types change here: numbers are rounded where weights are packed or generated
// (docs/Contracts.md, section 8). Leaves alone: params that have an encoding, tables that are only
// gathered, norms, biases.
//===----------------------------------------------------------------------===//
#include "dialects/Sluice/Sluice.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "sluice/Tensor/Passes.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sluice::tensor {
#define GEN_PASS_DEF_QUANTIZEWEIGHTSPASS
#include "sluice/Tensor/Passes.h.inc"

std::optional<Quantization> parseQuantization(StringRef text, std::string &error) {
  auto [word, group] = text.split(':');
  Quantization made;
  StringRef bits = word;
  made.rows = !bits.consume_back("w");
  if (bits != "int8" && bits != "int4") {
    error = ("expects one of int8, int4, int8w, int4w, but found '" + word + "'").str();
    return std::nullopt;
  }
  made.bits = bits == "int8" ? 8 : 4;
  if (word.size() != text.size() && (group.getAsInteger(10, made.group) || made.group < 32 ||
                                     made.group > 1024 || !llvm::isPowerOf2_64(made.group))) {
    error = ("expects a group that is a power of two from 32 to 1024 after '" + word +
             ":', but found '" + group + "'")
                .str();
    return std::nullopt;
  }
  return made;
}

namespace {

/// What reads a param.
struct Readers {
  SmallVector<ParamUseOp> uses;
  SmallVector<LinearOp> layers; ///< which multiply by it
  bool gathered = false;        ///< an embedding reads it too
  bool returned = false;        ///< a layer's result is the function's
  bool other = false;
};

bool isReturned(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) { return isa<func::ReturnOp>(user); });
}

Readers readersOf(ArrayRef<ParamUseOp> uses) {
  Readers found;
  for (ParamUseOp use : uses) {
    found.uses.push_back(use);
    for (OpOperand &operand : use.getResult().getUses()) {
      auto linear = dyn_cast<LinearOp>(operand.getOwner());
      auto embed = dyn_cast<EmbedOp>(operand.getOwner());
      if (linear && linear.getWeightMutable().getOperandNumber() == operand.getOperandNumber()) {
        found.layers.push_back(linear);
        found.returned |= linear.getResult() && isReturned(linear.getResult());
      } else if (embed && getElementTypeOrSelf(embed.getResult()).isF32()) {
        found.gathered = true;
      } else {
        found.other = true;
      }
    }
  }
  return found;
}

/// The largest group up to `widest`, but not under 32, that leaves nothing over; `widest` where
/// none does.
int64_t groupFor(int64_t inputs, int64_t widest) {
  for (int64_t group = widest; group >= 32; group /= 2)
    if (inputs % group == 0)
      return group;
  return inputs < widest ? 32 : widest;
}

struct QuantizeWeights : impl::QuantizeWeightsPassBase<QuantizeWeights> {
  using QuantizeWeightsPassBase::QuantizeWeightsPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    std::string error;
    std::optional<Quantization> wanted = parseQuantization(encoding, error);
    if (!wanted) {
      module.emitError("encoding ") << error;
      return signalPassFailure();
    }
    llvm::StringMap<SmallVector<ParamUseOp>> uses;
    module.walk([&](ParamUseOp use) { uses[use.getParam()].push_back(use); });
    for (auto param : module.getOps<ParamOp>()) {
      Readers readers = readersOf(uses[param.getSymName()]);
      if (readers.layers.empty() || readers.other || blocksOf(param.getTensorType()))
        continue;
      quantize(param, readers, *wanted);
    }
  }

  void quantize(ParamOp param, const Readers &readers, const Quantization &wanted) {
    MLIRContext *context = &getContext();
    int64_t bits = readers.returned || readers.gathered ? 8 : wanted.bits;
    int64_t inputs = param.getLayerType().getDimSize(1);
    int64_t group = wanted.group ? wanted.group : groupFor(inputs, bits == 8 ? 128 : 32);
    auto blocks = BlocksAttr::get(context, IntegerType::get(context, bits), 1, group,
                                  BFloat16Type::get(context));
    RankedTensorType type = param.getTensorType();
    param.setType(RankedTensorType::get(type.getShape(), type.getElementType(), blocks));
    for (ParamUseOp use : readers.uses)
      use.getResult().setType(param.getLayerType());
    if (wanted.rows)
      for (LinearOp layer : readers.layers)
        layer.setInputs(RowCode::Int8);
  }
};
} // namespace
} // namespace sluice::tensor
