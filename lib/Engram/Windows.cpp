// SPDX-License-Identifier: Apache-2.0
//
// From the last ids of a sequence to rows of a table.

#include "sluice/Engram/Hash.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace sluice::engram {

Error HashRule::check(int64_t vocabulary) const {
  auto problem = [](const Twine &text) { return createStringError(text); };
  if (window() < 2 || window() > 16)
    return problem(
        formatv("expects a window of 2 to 16 ids, but there are {0} multipliers", window()));
  if (sizes.empty() || static_cast<int64_t>(sizes.size()) % (window() - 1) != 0)
    return problem(formatv("expects as many heads for each of {0} orders, but there are {1} sizes",
                           window() - 1, sizes.size()));
  if (vocabulary < 1 || fill < 0 || fill >= vocabulary)
    return problem(formatv("expects a fill from 0 to {0}, but it is {1}", vocabulary - 1, fill));
  for (int64_t multiplier : multipliers)
    if (multiplier < 1 || multiplier % 2 == 0 ||
        (vocabulary > 1 && multiplier > INT64_MAX / (vocabulary - 1)))
      return problem(formatv(
          "expects odd multipliers whose products with ids below {0} stay below 2^63, but one is "
          "{1}",
          vocabulary, multiplier));
  for (int64_t size : sizes)
    if (size < 1)
      return problem(formatv("expects heads of 1 or more rows, but one has {0}", size));
  if (headOffsets(sizes).back() > INT32_MAX)
    return problem(
        formatv("expects a table of fewer than 2^31 rows, but its heads have {0} together",
                headOffsets(sizes).back()));
  return Error::success();
}

SmallVector<int64_t> lookBack(const HashRule &rule, ArrayRef<int64_t> ids) {
  SmallVector<int64_t> window;
  bool blocked = false;
  for (int64_t back = 0; back < rule.window(); ++back) {
    bool outside = back >= static_cast<int64_t>(ids.size());
    int64_t id = outside ? rule.fill : ids[ids.size() - 1 - back];
    // Once a look-back is blocked, all deeper ones are.
    blocked |= outside || (rule.boundary == Boundary::Dead && id < 0) ||
               (rule.boundary == Boundary::Segment && back > 0 && id == rule.fill);
    window.push_back(blocked ? rule.fill : id);
  }
  return window;
}

SmallVector<int64_t> hashWindow(const HashRule &rule, ArrayRef<int64_t> window) {
  SmallVector<int64_t> rows;
  uint64_t mix = static_cast<uint64_t>(window[0]) * static_cast<uint64_t>(rule.multipliers[0]);
  int64_t offset = 0;
  size_t head = 0;
  for (int64_t order = 2; order <= rule.window(); ++order) {
    mix ^= static_cast<uint64_t>(window[order - 1]) *
           static_cast<uint64_t>(rule.multipliers[order - 1]);
    for (int64_t j = 0; j < rule.heads(); ++j, ++head) {
      // Floored, so that rows are never negative whatever the ids were.
      int64_t rest = static_cast<int64_t>(mix) % rule.sizes[head];
      rows.push_back(offset + (rest < 0 ? rest + rule.sizes[head] : rest));
      offset += rule.sizes[head];
    }
  }
  return rows;
}

std::vector<int64_t> hashSequences(const HashRule &rule, ArrayRef<int64_t> ids,
                                   ArrayRef<int64_t> starts) {
  std::vector<int64_t> rows;
  for (size_t s = 0; s + 1 < starts.size(); ++s)
    for (int64_t end = starts[s] + 1; end <= starts[s + 1]; ++end)
      append_range(rows, hashWindow(rule, lookBack(rule, ids.slice(starts[s], end - starts[s]))));
  return rows;
}

} // namespace sluice::engram
