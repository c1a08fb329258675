// SPDX-License-Identifier: Apache-2.0
//
// Verbs whose parts are still to come.
#include "tools/sluice-pnm/Commands.h"

namespace sluice::pnm {

static int missing(llvm::StringRef verb) {
  llvm::errs() << "sluice-pnm: '" << verb << "' is not built yet\n";
  return CannotDo;
}

int simulateVerb(const Options &, const Program &, const PNMMachine &) {
  return missing("simulate");
}
int traceVerb(const Options &, const Program &, const PNMMachine &) { return missing("trace"); }
int energyVerb(const Options &) { return missing("energy"); }

} // namespace sluice::pnm
