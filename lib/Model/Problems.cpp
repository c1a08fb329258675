//===- Problems.cpp - what is wrong with an input, and where ---------------===//
// SPDX-License-Identifier: Apache-2.0
//
// See Problems.h.
//
//===----------------------------------------------------------------------===//
#include "sluice/Model/Problems.h"
#include "sluice/Model/Safetensors.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <algorithm>

using namespace llvm;

namespace sluice::model {

SourceText::SourceText(std::string name, std::string text)
    : fileName(std::move(name)), contents(std::move(text)) {
  lineStarts.push_back(0);
  for (size_t i = 0, e = contents.size(); i != e; ++i)
    if (contents[i] == '\n')
      lineStarts.push_back(i + 1);
}

FilePosition SourceText::position(size_t offset) const {
  offset = std::min(offset, contents.size());
  auto after = std::upper_bound(lineStarts.begin(), lineStarts.end(), offset);
  size_t line = after - lineStarts.begin(); // counts from 1 because |after| is one past
  return {fileName, unsigned(line), unsigned(offset - lineStarts[line - 1] + 1)};
}

StringRef SourceText::lineAt(size_t offset) const {
  FilePosition at = position(offset);
  StringRef rest = StringRef(contents).substr(lineStarts[at.line - 1]);
  StringRef line = rest.take_until([](char c) { return c == '\n' || c == '\r'; });
  return line.size() > 400 ? StringRef() : line;
}

/// Control characters of a hostile file, in names or values that a message repeats, must not reach
/// the terminal. Tabs are harmless; bytes of UTF-8 pass.
static void printShown(StringRef text, raw_ostream &os) {
  for (char c : text)
    os << (c == '\t' || isPrint(c) || (c & 0x80) ? c : '?');
}

void print(const Problem &problem, raw_ostream &os) {
  const FilePosition &at = problem.position;
  if (!at.file.empty()) {
    printShown(at.file, os);
    if (at.line)
      os << ':' << at.line << ':' << at.column;
    os << ": ";
  }
  switch (problem.severity) {
  case Severity::Remark:
    os << "remark: ";
    break;
  case Severity::Warning:
    os << "warning: ";
    break;
  case Severity::BadInput:
  case Severity::CannotCompile:
    os << "error: ";
    break;
  }
  printShown(problem.message, os);
  os << '\n';
  if (problem.sourceLine.empty() || !at.line)
    return;
  printShown(problem.sourceLine, os);
  os << '\n';
  for (unsigned i = 1; i < at.column; ++i)
    os << (i <= problem.sourceLine.size() && problem.sourceLine[i - 1] == '\t' ? '\t' : ' ');
  os << "^\n";
}

void ProblemLog::report(Severity severity, FilePosition position, const Twine &message,
                        StringRef sourceLine) {
  all.push_back({severity, std::move(position), message.str(), sourceLine.str()});
  if (severity == Severity::BadInput || severity == Severity::CannotCompile)
    ++errors;
  if (handler)
    handler(all.back());
}

void ProblemLog::report(Severity severity, const SourceText &source, size_t offset,
                        const Twine &message) {
  report(severity, source.position(offset), message, source.lineAt(offset));
}

int ProblemLog::exitCode() const {
  int code = 0;
  for (const Problem &problem : all) {
    if (problem.severity == Severity::BadInput)
      return 2;
    if (problem.severity == Severity::CannotCompile)
      code = 3;
  }
  return code;
}

void ProblemLog::print(raw_ostream &os) const {
  for (const Problem &problem : all)
    model::print(problem, os);
}

std::string didYouMean(StringRef word, ArrayRef<StringRef> known) {
  StringRef best;
  unsigned limit = std::max<size_t>(1, word.size() / 3), bestDistance = limit + 1;
  for (StringRef candidate : known) {
    unsigned distance = word.edit_distance(candidate, /*AllowReplacements=*/true, limit);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best.empty() ? std::string() : (" (did you mean '" + best + "'?)").str();
}

std::unique_ptr<SourceText> readSource(StringRef path, uint64_t maxBytes, ProblemLog &log,
                                       StringRef shownName) {
  StringRef shown = shownName.empty() ? path : shownName;
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status)) {
    log.badInput(shown, "cannot open: " + error.message());
    return nullptr;
  }
  if (!sys::fs::is_regular_file(status)) {
    log.badInput(shown, "expected a regular file");
    return nullptr;
  }
  if (status.getSize() > maxBytes) {
    log.badInput(shown, "expected at most " + Twine(maxBytes) + " bytes, but the file has " +
                            Twine(status.getSize()));
    return nullptr;
  }
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer) {
    log.badInput(shown, "cannot read: " + buffer.getError().message());
    return nullptr;
  }
  if (isGitLfsPointer((*buffer)->getBuffer())) {
    log.badInput(shown, "this is a Git LFS pointer, not the file; run 'git lfs pull' in the "
                        "directory that it came from");
    return nullptr;
  }
  return std::make_unique<SourceText>(shown.str(), (*buffer)->getBuffer().str());
}

} // namespace sluice::model
