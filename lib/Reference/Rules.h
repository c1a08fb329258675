// SPDX-License-Identifier: Apache-2.0
//
// The families' entries to the rule book, each in the file named after it. A new family adds a line
// here and one in RuleBook.cpp.

#ifndef SLUICE_LIB_REFERENCE_RULES_H
#define SLUICE_LIB_REFERENCE_RULES_H

#include "sluice/Reference/Bounds.h"
#include "sluice/Reference/Evaluator.h"

namespace sluice::reference {

void addActivationRules(RuleBook &book);
void addAttentionRules(RuleBook &book);
void addBatchRules(RuleBook &book);
void addCacheRules(RuleBook &book);
void addClampRules(RuleBook &book);
void addEmbedRules(RuleBook &book);
void addHeadsRules(RuleBook &book);
void addLinearRules(RuleBook &book);
void addNormRules(RuleBook &book);
void addParamRules(RuleBook &book);
void addPoolRules(RuleBook &book);
void addRopeRules(RuleBook &book);
void addRouteRules(RuleBook &book);
void addSampleRules(RuleBook &book);

void addArithRules(RuleBook &book);
void addControlRules(RuleBook &book);
void addLinalgRules(RuleBook &book);
void addTensorRules(RuleBook &book);

/// f(x), of `sluice.activation` and of the epilogue of `sluice.linear`; exact up to f64.
double applyFunction(Function function, double x);
/// How far f may be off at x when x is right and f is computed in f32.
double functionSlack(Function function, double x);
/// The steepest that f is anywhere near x: what an error of x is multiplied by.
double functionSlope(Function function, double x);

} // namespace sluice::reference

#endif // SLUICE_LIB_REFERENCE_RULES_H
