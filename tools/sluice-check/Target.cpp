// SPDX-License-Identifier: Apache-2.0
//
// The list of targets, and the oracle as one of them.

#include "Target.h"
#include "sluice/Reference/RandomWeights.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::check;

namespace {
class ReferenceTarget : public Target {
public:
  StringRef name() const override { return "reference"; }
  int prepare(ModuleOp module, uint64_t weightSeed) override {
    this->module = module;
    weights = std::make_unique<reference::RandomWeights>(weightSeed);
    return 0;
  }
  FailureOr<Outcome> run(const Case &input, unsigned) override {
    reference::Evaluator evaluator(module, weights.get());
    FailureOr<SmallVector<reference::Datum>> results =
        evaluator.call(input.function, input.arguments);
    if (failed(results))
      return failure();
    Outcome outcome;
    outcome.results.assign(results->begin(), results->end());
    outcome.trap = evaluator.trap;
    return outcome;
  }

private:
  ModuleOp module;
  std::unique_ptr<reference::RandomWeights> weights;
};
} // namespace

std::unique_ptr<Target> check::makeReferenceTarget() { return std::make_unique<ReferenceTarget>(); }

std::vector<StringRef> check::targetNames() { return {"reference", "cpu"}; }

std::unique_ptr<Target> check::makeTarget(StringRef name) {
  if (name == "reference")
    return makeReferenceTarget();
  if (name == "cpu")
    return makeCpuTarget();
  return nullptr;
}
