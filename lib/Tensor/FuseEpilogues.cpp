//===- FuseEpilogues.cpp - fold what follows a linear layer into it -------===//
// SPDX-License-Identifier: Apache-2.0
//
// The outputs of a linear layer leave registers once: an activation and a sum behind it become its
// epilogue.
//
//   %1 = sluice.linear %h, %w bias %b           %3 = sluice.linear %h, %w bias %b activation
//   gelu_erf residual %x %2 = sluice.activation gelu_erf %1     ==> %3 = arith.addf %x, %2
//
// Before: any tensor-stage IR. After: no ungated f32 activation and no sum has a linear layer
// without further users as operand. The numbers stay the same: the epilogue is defined as bias,
// activation, residual, each rounded to f32. Leaves alone, with a missed remark: layers with two
// users (the work would be done twice), activations that round (a linear layer gives f32) or that
// come after a residual, a second residual.
//===----------------------------------------------------------------------===//
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "sluice/Tensor/Passes.h"

#define DEBUG_TYPE "tensor-fuse-epilogues"

using namespace mlir;

namespace sluice::tensor {
#define GEN_PASS_DEF_FUSEEPILOGUESPASS
#include "sluice/Tensor/Passes.h.inc"
namespace {

/// Why `linear` cannot take `user` as another epilogue step; empty when it can.
StringRef whyNotExtend(LinearOp linear, Operation *user) {
  if (!linear.getResult().hasOneUse())
    return "the linear layer has other users";
  if (linear.getResidual())
    return "the linear layer has a residual already";
  if (linear->getBlock() != user->getBlock())
    return "the linear layer stands outside of the loop";
  return "";
}

/// Why `activation` cannot become part of `linear`; empty when it can.
StringRef whyNotActivate(ActivationOp activation, LinearOp linear) {
  if (activation.getGated())
    return "a gated activation needs two outputs at a time";
  if (!activation.isPlain())
    return "an epilogue does not scale its numbers";
  if (linear.getActivation())
    return "the linear layer has an activation already";
  if (StringRef why = whyNotExtend(linear, activation); !why.empty())
    return why;
  if (!getElementTypeOrSelf(activation.getResult()).isF32())
    return "the activation rounds its result, a linear layer gives f32";
  return "";
}

struct FuseActivation : OpRewritePattern<ActivationOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ActivationOp op, PatternRewriter &rewriter) const override {
    auto linear = op.getRows().getDefiningOp<LinearOp>();
    if (!linear || op.isBufferForm())
      return rewriter.notifyMatchFailure(op, "its rows do not come from a linear layer");
    if (StringRef why = whyNotActivate(op, linear); !why.empty())
      return rewriter.notifyMatchFailure(op, why);
    rewriter.modifyOpInPlace(linear, [&] {
      linear.setActivation(op.getFunction());
      linear->setLoc(rewriter.getFusedLoc({linear.getLoc(), op.getLoc()}));
    });
    rewriter.replaceOp(op, linear);
    return success();
  }
};

struct FuseResidual : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    for (auto [sum, residual] :
         {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())}) {
      auto linear = sum.getDefiningOp<LinearOp>();
      if (!linear || !whyNotExtend(linear, op).empty())
        continue;
      // At the sum's place, where both operands are known.
      auto fused = LinearOp::create(rewriter, rewriter.getFusedLoc({linear.getLoc(), op.getLoc()}),
                                    op.getType(), linear.getRows(), linear.getWeight(),
                                    linear.getBias(), residual, ValueRange(),
                                    linear.getInputsAttr(), linear.getActivationAttr(),
                                    linear.getRoundAttr(), linear.getScheduleAttr());
      rewriter.replaceOp(op, fused);
      rewriter.eraseOp(linear);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand is a linear layer that can take a residual");
  }
};

/// Says what was left alone and why, once, about the final IR.
void remarkMissed(ModuleOp module) {
  auto missed = [](Operation *op, StringRef why) {
    remark::missed(op->getLoc(), remark::RemarkOpts::name("epilogue").category(DEBUG_TYPE)) << why;
  };
  module.walk([&](Operation *op) {
    if (auto activation = dyn_cast<ActivationOp>(op)) {
      if (auto linear = activation.getRows().getDefiningOp<LinearOp>())
        missed(op, whyNotActivate(activation, linear));
    } else if (auto sum = dyn_cast<arith::AddFOp>(op)) {
      for (Value operand : sum->getOperands())
        if (auto linear = operand.getDefiningOp<LinearOp>())
          missed(op, whyNotExtend(linear, op));
    }
  });
}

struct FuseEpilogues : impl::FuseEpiloguesPassBase<FuseEpilogues> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseActivation, FuseResidual>(&getContext());
    // Patterns alone: folding and clean-up belong to the canonicaliser.
    GreedyRewriteConfig config;
    config.enableFolding(false).enableConstantCSE(false);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      return signalPassFailure();
    remarkMissed(getOperation());
  }
};
} // namespace
} // namespace sluice::tensor
