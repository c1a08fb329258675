// SPDX-License-Identifier: Apache-2.0
//
// The masks, as predicates.

#include "dialects/Sluice/Sluice.h"

using namespace mlir;
using namespace sluice;

bool AllAttr::isVisible(int64_t, int64_t, const MaskFacts &) const { return true; }
bool AllAttr::isAll() const { return true; }

bool CausalAttr::isVisible(int64_t i, int64_t j, const MaskFacts &) const { return j <= i; }

bool WindowAttr::isVisible(int64_t i, int64_t j, const MaskFacts &) const {
  return i - j < getKeys();
}

bool AheadAttr::isVisible(int64_t i, int64_t j, const MaskFacts &) const {
  return j - i <= getKeys();
}

bool PrefixAttr::isVisible(int64_t, int64_t j, const MaskFacts &) const { return j < getKeys(); }

bool PrefixesAttr::isVisible(int64_t, int64_t j, const MaskFacts &facts) const {
  return j < facts.prefix;
}
unsigned PrefixesAttr::getNeeds() const { return kNeedsPrefixes; }

bool SegmentAttr::isVisible(int64_t i, int64_t j, const MaskFacts &facts) const {
  return j >= facts.past && facts.segments[i - facts.past] == facts.segments[j - facts.past];
}
unsigned SegmentAttr::getNeeds() const { return kNeedsSegments; }

bool TreeAttr::isVisible(int64_t i, int64_t j, const MaskFacts &facts) const {
  int64_t row = i - facts.past, wanted = j - facts.past;
  while (wanted >= 0 && row > wanted) {
    int64_t parent = facts.parents[row];
    if (parent < 0 || parent >= row)
      return false;
    row = parent;
  }
  return wanted < 0 || row == wanted;
}
unsigned TreeAttr::getNeeds() const { return kNeedsParents; }

//===-- And, or -------------------------------------------------------------------------------===//

/// At least two masks.
static LogicalResult verifyMasks(function_ref<InFlightDiagnostic()> emitError, StringRef name,
                                 ArrayRef<Attribute> masks) {
  if (masks.size() < 2)
    return emitError() << "expects '" << name << "' of at least two masks, but found "
                       << masks.size();
  for (Attribute mask : masks)
    if (!isa<MaskAttrInterface>(mask))
      return emitError() << "expects '" << name << "' of masks, such as #sluice.causal, but found "
                         << mask;
  return success();
}

static unsigned needsOf(ArrayRef<Attribute> masks) {
  unsigned needs = kNeedsNothing;
  for (Attribute mask : masks)
    needs |= cast<MaskAttrInterface>(mask).getNeeds();
  return needs;
}

static bool isAllOf(Attribute mask) { return cast<MaskAttrInterface>(mask).isAll(); }

bool AndAttr::isVisible(int64_t i, int64_t j, const MaskFacts &facts) const {
  return llvm::all_of(getMasks(), [&](Attribute mask) {
    return cast<MaskAttrInterface>(mask).isVisible(i, j, facts);
  });
}
unsigned AndAttr::getNeeds() const { return needsOf(getMasks()); }
bool AndAttr::isAll() const { return llvm::all_of(getMasks(), isAllOf); }
LogicalResult AndAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              ArrayRef<Attribute> masks) {
  return verifyMasks(emitError, "and", masks);
}

bool OrAttr::isVisible(int64_t i, int64_t j, const MaskFacts &facts) const {
  return llvm::any_of(getMasks(), [&](Attribute mask) {
    return cast<MaskAttrInterface>(mask).isVisible(i, j, facts);
  });
}
unsigned OrAttr::getNeeds() const { return needsOf(getMasks()); }
bool OrAttr::isAll() const { return llvm::any_of(getMasks(), isAllOf); }
LogicalResult OrAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                             ArrayRef<Attribute> masks) {
  return verifyMasks(emitError, "or", masks);
}

//===-- Sizes ---------------------------------------------------------------------------------===//

/// Kernels count keys in 32 bits.
static LogicalResult verifyKeys(function_ref<InFlightDiagnostic()> emitError, StringRef name,
                                int64_t keys, int64_t least) {
  if (keys >= least && keys <= std::numeric_limits<int32_t>::max())
    return success();
  return emitError() << "expects '" << name << "' of " << least << " to 2147483647 keys, but found "
                     << keys;
}

LogicalResult WindowAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t keys) {
  return verifyKeys(emitError, "window", keys, 1);
}
LogicalResult AheadAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t keys) {
  return verifyKeys(emitError, "ahead", keys, 0);
}
LogicalResult PrefixAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t keys) {
  return verifyKeys(emitError, "prefix", keys, 0);
}
