// SPDX-License-Identifier: Apache-2.0
//
// Which commands may run at the same time, and whether they touch the same bytes. Commands of one
// ring start in order and end in any order; rings know nothing of each other but events.
#ifndef SLUICE_LIB_TARGET_PNM_HAZARDS_H
#define SLUICE_LIB_TARGET_PNM_HAZARDS_H

#include "sluice/Target/PNM/Program.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sluice::pnm {

/// Calls |report| for each command that touches what an earlier one, not known to have ended,
/// writes (or writes what it reads), that waits for an event nobody has signalled, or that signals
/// one twice.
void findHazards(const Program &program,
                 llvm::function_ref<void(int64_t command, std::string message)> report);

} // namespace sluice::pnm

#endif
