//===- Safetensors.h - checkpoints as files mapped, not copied -------------===//
// SPDX-License-Identifier: Apache-2.0
//
// One safetensors file, and a directory of them. Everything in a file is hostile until checked:
// after open() has succeeded every tensor's bytes lie inside the mapping, tensors neither overlap
// nor leave holes, and a tensor's byte count equals what its dtype and shape say.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_MODEL_SAFETENSORS_H
#define SLUICE_MODEL_SAFETENSORS_H

#include "sluice/Model/Problems.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include <optional>

namespace sluice::model {

/// Element types of safetensors files. Names are the format's; F8_E4M3 is the FN variant.
enum class DType : uint8_t {
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E8M0,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64,
};

/// The format's spelling ("BF16").
llvm::StringRef dtypeName(DType dtype);
std::optional<DType> dtypeFromName(llvm::StringRef name);
/// Bits of one element; 4 and 6 exist.
unsigned dtypeBits(DType dtype);

/// One tensor of a mapped file. |bytes| points into the mapping: it lives as long as its
/// SafetensorsFile, is read-only, little-endian, row-major, and aligned to no more than one byte.
struct TensorView {
  std::string name;
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t> shape; ///< rank 0 and sizes of 0 are allowed
  llvm::ArrayRef<uint8_t> bytes;
};

/// "[2, 3]": how messages write a shape.
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// True when |head| is the start of a Git LFS pointer: the file's stand-in when only git, not
/// git-lfs, fetched it.
bool isGitLfsPointer(llvm::StringRef head);

/// Longest header of a safetensors file, in bytes: the format's own limit. And the most shards of a
/// checkpoint (docs/Limits.md).
constexpr uint64_t maxHeaderBytes = 100'000'000;
constexpr size_t maxShards = 10'000;

/// A file, mapped read-only. The mapping holds the file's contents even after its name is gone. If
/// another process makes the file shorter meanwhile, reading what is no longer there raises SIGBUS,
/// as with any mapping: a program that cannot rule that out catches the signal (sluicec ends with
/// exit code 2) or copies the file first. The header is read once, into memory of its own: contents
/// that change later change numbers, never what was checked.
class SafetensorsFile {
public:
  /// Maps |path| and checks the whole header. Null after reporting bad input.
  static std::unique_ptr<SafetensorsFile> open(llvm::StringRef path, ProblemLog &log);

  llvm::StringRef path() const { return filePath; }
  /// In order of their bytes in the file.
  llvm::ArrayRef<TensorView> tensors() const { return views; }
  /// Null when there is no such tensor.
  const TensorView *find(llvm::StringRef name) const;
  const llvm::StringMap<std::string> &metadata() const { return meta; }

private:
  SafetensorsFile() = default;
  bool readHeader(ProblemLog &log);

  std::string filePath;
  llvm::sys::fs::mapped_file_region region;
  std::vector<TensorView> views;
  llvm::StringMap<size_t> byName;
  llvm::StringMap<std::string> meta;
};

/// The safetensors of one directory: model.safetensors, or the shards that
/// model.safetensors.index.json names.
class Checkpoint {
public:
  /// Null after reporting. A directory without safetensors is an error that says what it has
  /// instead.
  static std::unique_ptr<Checkpoint> open(llvm::StringRef directory, ProblemLog &log);
  /// True when |directory| has safetensors (or something that claims to be), so that open() is
  /// worth trying.
  static bool present(llvm::StringRef directory);

  llvm::StringRef directory() const { return root; }
  /// Null when there is no such tensor. The view lives as long as the checkpoint.
  const TensorView *find(llvm::StringRef name) const;
  /// All tensors, by file and then by place in the file.
  std::vector<const TensorView *> tensors() const;

private:
  Checkpoint() = default;
  bool readIndex(llvm::StringRef indexPath, ProblemLog &log);

  std::string root;
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  llvm::StringMap<const TensorView *> byName;
};

/// Why |name| may not be opened beside the file that mentions it ("is absolute", "has a '..' part",
/// ...); "" when it may. Names in an index come from whoever made the checkpoint.
std::string whyNotBeside(llvm::StringRef name);

} // namespace sluice::model

#endif // SLUICE_MODEL_SAFETENSORS_H
