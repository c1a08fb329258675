// SPDX-License-Identifier: Apache-2.0
//
// All families in one table, in reading order.

#include "Rules.h"

using namespace sluice::reference;

const RuleBook::Entry *RuleBook::lookup(llvm::StringRef name) const {
  auto found = entries.find(name);
  return found == entries.end() ? nullptr : &found->second;
}

const RuleBook &RuleBook::all() {
  static const RuleBook book = [] {
    RuleBook rules;
    addParamRules(rules);
    addBatchRules(rules);
    addLinearRules(rules);
    addNormRules(rules);
    addRopeRules(rules);
    addEmbedRules(rules);
    addActivationRules(rules);
    addAttentionRules(rules);
    addCacheRules(rules);
    addPoolRules(rules);
    addSampleRules(rules);
    addClampRules(rules);
    addRouteRules(rules);
    addHeadsRules(rules);
    // The rest of the tensor stage.
    addArithRules(rules);
    addTensorRules(rules);
    addLinalgRules(rules);
    addControlRules(rules);
    return rules;
  }();
  return book;
}
