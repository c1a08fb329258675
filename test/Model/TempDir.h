//===- TempDir.h - files that a test makes and takes away again ------------===//
// SPDX-License-Identifier: Apache-2.0
//
// A fresh directory per test, and makers of small safetensors files, right and wrong.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_TEST_MODEL_TEMPDIR_H
#define SLUICE_TEST_MODEL_TEMPDIR_H

#include "sluice/Model/Problems.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <string>

namespace sluice::model {

class TempDir {
public:
  TempDir() {
    llvm::SmallString<128> made;
    if (llvm::sys::fs::createUniqueDirectory("sluice-model-test", made))
      ADD_FAILURE() << "cannot make a directory";
    root = std::string(made);
  }
  ~TempDir() { llvm::sys::fs::remove_directories(root); }

  std::string path(llvm::StringRef name) const {
    llvm::SmallString<128> joined(root);
    llvm::sys::path::append(joined, name);
    return std::string(joined);
  }
  std::string write(llvm::StringRef name, llvm::StringRef text) const {
    std::string file = path(name);
    llvm::sys::fs::create_directories(llvm::sys::path::parent_path(file));
    std::error_code error;
    llvm::raw_fd_ostream os(file, error);
    EXPECT_FALSE(error) << file;
    os << text;
    return file;
  }
  const std::string &dir() const { return root; }

private:
  std::string root;
};

/// The bytes of a safetensors file with this header and |dataBytes| bytes of data. |claimedHeader|
/// overrides the length field.
inline std::string safetensors(llvm::StringRef header, size_t dataBytes,
                               std::optional<uint64_t> claimedHeader = std::nullopt) {
  uint64_t length = claimedHeader.value_or(header.size());
  std::string bytes;
  for (int i = 0; i != 8; ++i)
    bytes += char(length >> (8 * i));
  bytes += header;
  for (size_t i = 0; i != dataBytes; ++i)
    bytes += char(i);
  return bytes;
}

/// All messages of a log in one string, for substring checks.
inline std::string messages(const ProblemLog &log) {
  std::string text;
  llvm::raw_string_ostream os(text);
  log.print(os);
  return text;
}

} // namespace sluice::model

#endif // SLUICE_TEST_MODEL_TEMPDIR_H
