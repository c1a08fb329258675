// SPDX-License-Identifier: Apache-2.0
//
// The masks, as predicates.

#include "dialects/Sluice/Sluice.h"

bool sluice::AllAttr::isVisible(int64_t, int64_t) const { return true; }
bool sluice::AllAttr::isAll() const { return true; }

bool sluice::CausalAttr::isVisible(int64_t i, int64_t j) const { return j <= i; }
bool sluice::CausalAttr::isCausal() const { return true; }
