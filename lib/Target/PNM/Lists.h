// SPDX-License-Identifier: Apache-2.0
//
// The index lists of argument blocks: read from data with their bounds checked, or assumed.
#ifndef SLUICE_LIB_TARGET_PNM_LISTS_H
#define SLUICE_LIB_TARGET_PNM_LISTS_H

#include "lib/Target/PNM/Extents.h"
#include "sluice/Target/PNM/Simulator.h"

namespace sluice::pnm {

struct ListRange {
  llvm::StringLiteral what; ///< "row", "page": for messages
  int64_t least, most;
};

/// |count| numbers of i32 that start |offset| bytes into the argument block of |command|. False and
/// |why| when one is outside of |range|.
bool readList(const Program &program, const Command &command, const Data &data, uint64_t offset,
              uint64_t count, ListRange range, std::vector<int32_t> &into, std::string &why);

/// The lists of an attention command: pages by logical number, and per kv head those that count
/// (empty: all).
struct PageLists {
  std::vector<int32_t> table;
  std::vector<std::vector<int32_t>> chosen; ///< by kv head; ascending
  bool all() const { return chosen.empty(); }
};
bool readPageLists(const Program &program, const Command &command, const Data *data,
                   PageLists &lists, std::string &why);

/// The slots [begin, end) of logical page |page| that a query at the last key sees.
struct SlotRange {
  uint64_t begin, end;
};
SlotRange visibleSlots(const Command &command, uint64_t page, uint64_t slots);

/// The rows [begin, end) (of all rows of the memory) that |device| computes of a matrix command.
Split matrixRows(const Program &program, const Command &command, uint32_t device);

/// Which device of |count| has item |index| of dim 0 (a row of a table, an expert, a page).
uint64_t ownerOf(const Memory &memory, uint64_t index, uint64_t count);

/// Heads [begin, end) that |device| has; all of them unless the memory is divided by heads.
Split headsOf(const Memory &memory, uint32_t device, uint64_t count);

} // namespace sluice::pnm

#endif
