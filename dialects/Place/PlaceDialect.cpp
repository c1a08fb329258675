// SPDX-License-Identifier: Apache-2.0
//
// Registration of the `place` dialect.

#include "dialects/Place/Place.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sluice;

static ParseResult parseShare(OpAsmParser &parser, place::ShareAttr &share) {
  StringRef word;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&word))
    return failure();
  if (std::optional<place::Share> value = place::symbolizeShare(word)) {
    share = place::ShareAttr::get(parser.getContext(), *value);
    return success();
  }
  auto error = parser.emitError(loc) << "expects one of";
  for (unsigned i = 0; i <= place::getMaxEnumValForShare(); ++i)
    error << (i ? ", '" : " '") << place::stringifyShare(static_cast<place::Share>(i)) << "'";
  return error << ", but found '" << word << "'";
}

static void printShare(OpAsmPrinter &printer, Operation *, place::ShareAttr share) {
  printer << place::stringifyShare(share.getValue());
}

#include "dialects/Place/PlaceDialect.cpp.inc"
#include "dialects/Place/PlaceEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Place/PlaceAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/Place/PlaceOps.cpp.inc"

void place::PlaceDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Place/PlaceAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Place/PlaceOps.cpp.inc"
      >();
}
