// SPDX-License-Identifier: Apache-2.0
//
// Enums in op text are plain words (`norm rms`, `nan propagate`), required or optional.

#ifndef SLUICE_DIALECTS_WORDFORMAT_H
#define SLUICE_DIALECTS_WORDFORMAT_H

#include "dialects/Sluice/Sluice.h"
#include "mlir/IR/OpImplementation.h"

namespace sluice {

/// Parses one of the enum's words; names the words that are allowed when it finds another.
template <typename EnumAttr>
mlir::ParseResult parseWord(mlir::OpAsmParser &parser, EnumAttr &attr) {
  using Enum = decltype(std::declval<EnumAttr>().getValue());
  llvm::StringRef word;
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&word))
    return mlir::failure();
  if (std::optional<Enum> value = symbolize(word, Enum())) {
    attr = EnumAttr::get(parser.getContext(), *value);
    return mlir::success();
  }
  auto error = parser.emitError(loc) << "expects one of";
  for (unsigned i = 0; i <= lastCase(Enum()); ++i)
    error << (i ? ", '" : " '") << stringify(static_cast<Enum>(i)) << "'";
  return error << ", but found '" << word << "'";
}

template <typename EnumAttr>
void printWord(mlir::OpAsmPrinter &printer, mlir::Operation *, EnumAttr attr) {
  printer << stringify(attr.getValue());
}

template <typename EnumAttr>
mlir::ParseResult parseOptionalWord(mlir::OpAsmParser &parser, EnumAttr &attr) {
  return parseWord(parser, attr);
}

template <typename EnumAttr>
void printOptionalWord(mlir::OpAsmPrinter &printer, mlir::Operation *op, EnumAttr attr) {
  printWord(printer, op, attr);
}

// One overload set per enum, so that the templates above need no names.
#define SLUICE_WORDS(Enum)                                                                         \
  inline std::optional<Enum> symbolize(llvm::StringRef word, Enum) {                               \
    return symbolize##Enum(word);                                                                  \
  }                                                                                                \
  inline llvm::StringRef stringify(Enum value) { return stringify##Enum(value); }                  \
  inline unsigned lastCase(Enum) { return getMaxEnumValFor##Enum(); }
SLUICE_WORDS(NanRule)
SLUICE_WORDS(NormKind)
SLUICE_WORDS(Function)
SLUICE_WORDS(RopePairing)
SLUICE_WORDS(PoolKind)
SLUICE_WORDS(Role)
SLUICE_WORDS(Layout)
SLUICE_WORDS(RowCode)
SLUICE_WORDS(RouteScore)
SLUICE_WORDS(RouteWeigh)
SLUICE_WORDS(HeadsTurn)
#undef SLUICE_WORDS

} // namespace sluice

#endif // SLUICE_DIALECTS_WORDFORMAT_H
