// SPDX-License-Identifier: Apache-2.0
//
// See ReadModule.h. What the parser would not survive is looked for in the text before it: one pass
// that knows strings, comments, brackets and definitions of aliases, and nothing else of the
// language.

#include "sluice/Pipeline/ReadModule.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace sluice {
namespace {

/// An alias as one sees it who follows all aliases in it.
struct Alias {
  unsigned depth = 1;
  uint64_t uses = 0;
};

class TextCheck {
public:
  explicit TextCheck(StringRef text) : text(text) {}

  std::optional<TextProblem> run() {
    while (at < text.size() && !problem)
      step();
    return problem;
  }

private:
  void step() {
    char c = text[at];
    if (llvm::isSpace(c)) {
      ++at;
      return;
    }
    if (text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
      return;
    }
    if (c == '"') {
      startValue();
      return skipString();
    }
    if (c == '#' || c == '!')
      return takeAlias();
    if (isWord(c) || c == '%' || c == '@' || c == '^') {
      startValue();
      size_t begin = at;
      do
        ++at;
      while (at < text.size() && isWord(text[at]));
      if (StringRef word = text.slice(begin, at);
          word == "llvm.insertvalue" || word == "llvm.extractvalue")
        checkPositions();
      return;
    }
    if (static_cast<unsigned char>(c) < 0x20)
      return fail(at, "a control character outside of strings");
    bool arrow = c == '>' && at > 0 && text[at - 1] == '-';
    if (c == '<' && isAffine())
      return skipAffine();
    if (c == '(' || c == '[' || c == '{' || c == '<') {
      reach(++depth);
      afterValue = false;
    } else if ((c == ')' || c == ']' || c == '}' || (c == '>' && !arrow))) {
      depth -= depth > 0;
      afterValue = true;
    } else {
      afterValue = false; // ':' and '->' join values
    }
    ++at;
  }

  static bool isWord(char c) { return llvm::isAlnum(c) || c == '_' || c == '$' || c == '.'; }

  /// At the top level two values side by side are a definition and what follows it.
  void startValue() {
    if (depth == 0 && afterValue)
      current = nullptr;
    afterValue = true;
  }

  /// MLIR 22 compares the positions of a struct's members in 32 bits and uses them in 64.
  void checkPositions() {
    size_t open = text.find('[', at), close = text.find(']', at);
    unsigned digits = 0;
    for (size_t i = open; i < close && close != StringRef::npos; ++i) {
      digits = llvm::isDigit(text[i]) ? digits + 1 : 0;
      if (digits > 9 || text[i] == '-' || text[i] == 'x')
        return fail(i, "a position that no struct has");
    }
  }

  void skipString() {
    if (StringRef rest = text.substr(at);
        rest.starts_with("\"llvm.insertvalue\"") || rest.starts_with("\"llvm.extractvalue\""))
      return fail(at, "the generic form of llvm.insertvalue or llvm.extractvalue");
    while (++at < text.size() && text[at] != '"')
      at += text[at] == '\\';
    ++at;
  }

  bool isAffine() const {
    StringRef before = text.take_front(at);
    return before.ends_with("affine_map") || before.ends_with("affine_set");
  }

  /// Expressions of maps nest without brackets ("----d0", "d0 + d0 + ..."), so length bounds them.
  void skipAffine() {
    size_t begin = at;
    for (unsigned open = 0; at < text.size(); ++at) {
      char c = text[at];
      open += c == '<' && text[at + 1 == text.size() ? at : at + 1] != '=';
      if (c == '>' && text[at - 1] != '-' && text[at + 1 == text.size() ? at : at + 1] != '=' &&
          --open == 0)
        break;
      if (at - begin > maxMlirAffineBytes)
        return fail(begin, "an affine map of more than " + Twine(maxMlirAffineBytes) + " bytes");
    }
    ++at;
  }

  /// "#name" and "!name": the start of a definition when '=' follows at the top level, else a use.
  void takeAlias() {
    size_t begin = at++;
    while (at < text.size() && (isWord(text[at]) || text[at] == '-'))
      ++at;
    StringRef name = text.slice(begin, at);
    if (depth == 0 && text.substr(at).ltrim().starts_with("=")) {
      current = &aliases[name];
      afterValue = false;
      return;
    }
    startValue();
    auto found = aliases.find(name);
    if (found == aliases.end())
      return; // of a dialect, or defined below
    reach(depth + found->second.depth);
    if (!current)
      return;
    current->uses =
        llvm::SaturatingAdd(current->uses, llvm::SaturatingAdd<uint64_t>(found->second.uses, 1));
    if (current->uses > maxMlirAliasUses)
      fail(begin, "an alias in which more than " + Twine(maxMlirAliasUses) + " aliases stand");
  }

  void reach(unsigned now) {
    if (current)
      current->depth = std::max(current->depth, now + 1);
    if (now > maxMlirNesting)
      fail(at, "more than " + Twine(maxMlirNesting) + " brackets inside one another");
  }

  void fail(size_t offset, const Twine &found) {
    if (!problem)
      problem = {offset,
                 ("expected text that can be read within bounds, but found " + found).str()};
  }

  StringRef text;
  size_t at = 0;
  unsigned depth = 0;
  llvm::StringMap<Alias> aliases;
  Alias *current = nullptr; ///< the definition that is being read
  bool afterValue = false;  ///< whether a value has just ended
  std::optional<TextProblem> problem;
};

/// |offset| of |text| as a location.
Location locate(llvm::MemoryBuffer &text, size_t offset, MLIRContext &context) {
  StringRef before = text.getBuffer().take_front(offset);
  unsigned line = before.count('\n') + 1;
  unsigned column = offset - (before.rfind('\n') + 1) + 1;
  return FileLineColLoc::get(&context, text.getBufferIdentifier(), line, column);
}
} // namespace

std::optional<TextProblem> checkMlirText(StringRef text) {
  if (text.starts_with("ML\xefR"))
    return TextProblem{0, "expected MLIR text, but found bytecode"};
  return TextCheck(text).run();
}

OwningOpRef<ModuleOp> parseModule(std::unique_ptr<llvm::MemoryBuffer> text,
                                  llvm::SourceMgr &sources, MLIRContext &context) {
  if (std::optional<TextProblem> problem = checkMlirText(text->getBuffer())) {
    // Without the line, which may be long.
    emitError(locate(*text, problem->offset, context)) << problem->message;
    return nullptr;
  }
  sources.AddNewSourceBuffer(std::move(text), llvm::SMLoc());
  return parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
}

OwningOpRef<ModuleOp> parseModuleFile(StringRef path, llvm::SourceMgr &sources,
                                      MLIRContext &context) {
  Location place = FileLineColLoc::get(&context, path, 0, 0);
  auto refuse = [&](const Twine &message) {
    emitError(place) << message.str();
    return nullptr;
  };
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(path, status))
    return refuse("cannot open: " + error.message());
  if (!llvm::sys::fs::is_regular_file(status))
    return refuse("expected a regular file of MLIR text");
  if (status.getSize() > maxMlirBytes)
    return refuse("expected at most " + Twine(maxMlirBytes) + " bytes, but the file has " +
                  Twine(status.getSize()));
  // Read, not mapped: a file that changes meanwhile must not change under the parser.
  auto text = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/true,
                                          /*IsVolatile=*/true);
  if (!text)
    return refuse("cannot read: " + text.getError().message());
  return parseModule(std::move(*text), sources, context);
}

LogicalResult checkStage(ModuleOp module, Stage stage) {
  PassManager check(module->getContext());
  buildStageCheck(check, stage);
  return check.run(module);
}
} // namespace sluice
