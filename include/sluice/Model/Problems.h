//===- Problems.h - what is wrong with an input, and where -----------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Readers of outside files (descriptions, config.json, safetensors) report through one ProblemLog.
// A problem names the file, the line and column where that is known, what was expected and what was
// found; it is printed with the line and a caret. The log also knows the exit code that the
// problems amount to: bad input (2) is a file that is broken or contradicts itself, cannot compile
// (3) is a file that is fine and asks for what is not built.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_MODEL_PROBLEMS_H
#define SLUICE_MODEL_PROBLEMS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sluice::model {

/// One position in a file as people see it. |line| and |column| count from 1; 0 means the file as a
/// whole.
struct FilePosition {
  std::string file;
  unsigned line = 0;
  unsigned column = 0;

  bool operator==(const FilePosition &other) const {
    return file == other.file && line == other.line && column == other.column;
  }
};

/// The text of one input file together with the name that messages use for it. Offsets turn into
/// lines and columns by binary search, so that a one-line file of many megabytes stays cheap.
class SourceText {
public:
  /// |name| is what messages and IR locations say; |text| is copied.
  SourceText(std::string name, std::string text);

  llvm::StringRef name() const { return fileName; }
  llvm::StringRef text() const { return contents; }
  /// |offset| in bytes from the start; past the end is clipped to the end.
  FilePosition position(size_t offset) const;
  /// The line (without its end) that holds |offset|; empty for lines longer than 400 bytes, which
  /// no one can read.
  llvm::StringRef lineAt(size_t offset) const;

private:
  std::string fileName;
  std::string contents;
  std::vector<size_t> lineStarts;
};

enum class Severity {
  Remark,        ///< worth knowing, nothing is wrong
  Warning,       ///< probably not what was meant
  BadInput,      ///< exit code 2
  CannotCompile, ///< exit code 3
};

struct Problem {
  Severity severity;
  FilePosition position;
  std::string message;
  std::string sourceLine; ///< for the caret; empty when there is none
};

/// Prints "FILE:LINE:COL: error: MESSAGE" and, when known, the line with a caret under the column.
void print(const Problem &problem, llvm::raw_ostream &os);

/// Collects problems in the order of their finding and, if given one, hands each to a handler at
/// once.
class ProblemLog {
public:
  using Handler = std::function<void(const Problem &)>;
  explicit ProblemLog(Handler handler = nullptr) : handler(std::move(handler)) {}

  void report(Severity severity, FilePosition position, const llvm::Twine &message,
              llvm::StringRef sourceLine = {});
  /// At |offset| of |source|, with the source line.
  void report(Severity severity, const SourceText &source, size_t offset,
              const llvm::Twine &message);

  void badInput(const SourceText &source, size_t offset, const llvm::Twine &message) {
    report(Severity::BadInput, source, offset, message);
  }
  /// About |file| as a whole.
  void badInput(llvm::StringRef file, const llvm::Twine &message) {
    report(Severity::BadInput, FilePosition{file.str()}, message);
  }
  void cannotCompile(const SourceText &source, size_t offset, const llvm::Twine &message) {
    report(Severity::CannotCompile, source, offset, message);
  }

  llvm::ArrayRef<Problem> problems() const { return all; }
  bool failed() const { return errors != 0; }
  unsigned errorCount() const { return errors; }
  /// 0 when nothing failed; 2 when any input is bad; else 3.
  int exitCode() const;
  void print(llvm::raw_ostream &os) const;

private:
  Handler handler;
  std::vector<Problem> all;
  unsigned errors = 0;
};

/// " (did you mean 'x'?)" when one of |known| is within a third of |word|'s length in edits; else
/// "".
std::string didYouMean(llvm::StringRef word, llvm::ArrayRef<llvm::StringRef> known);

/// Reads a regular file of at most |maxBytes| into memory; null and a bad-input problem otherwise.
/// |shownName| is the name that messages use, |path| by default.
std::unique_ptr<SourceText> readSource(llvm::StringRef path, uint64_t maxBytes, ProblemLog &log,
                                       llvm::StringRef shownName = {});

} // namespace sluice::model

#endif // SLUICE_MODEL_PROBLEMS_H
