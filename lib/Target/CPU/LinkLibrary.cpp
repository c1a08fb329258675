// SPDX-License-Identifier: Apache-2.0
//
// Object code -> shared library, by the linker of the LLVM that this compiler was built with.
#include "sluice/Target/CPU/Emit.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Program.h"

using namespace mlir;

namespace sluice::cpu {

static std::string findLinker() {
  for (const char *name : {"ld.lld", "ld.lld-22"})
    if (auto path = llvm::sys::findProgramByName(name, {SLUICE_LLVM_TOOLS_DIR}))
      return *path;
  if (auto path = llvm::sys::findProgramByName("ld.lld-22"))
    return *path;
  return "";
}

/// A file beside |path| that goes away with its scope: whoever removes a half-written output finds
/// it.
namespace {
class FileBeside {
public:
  FileBeside(StringRef path, StringRef suffix) : path(path) { this->path += suffix; }
  ~FileBeside() { llvm::sys::fs::remove(path); }
  llvm::SmallString<128> path;
};
} // namespace

LogicalResult linkLibrary(ModuleOp module, StringRef object, StringRef path) {
  std::string linker = findLinker();
  if (linker.empty())
    return module.emitError("ld.lld 22 is missing: expected it in ")
           << SLUICE_LLVM_TOOLS_DIR
           << " or on PATH (Debian package lld-22); it links compiled code";

  FileBeside input(path, ".o"), messages(path, ".txt");
  std::error_code error;
  {
    llvm::raw_fd_ostream stream(input.path, error);
    stream << object;
    stream.close();
    if (stream.has_error())
      error = stream.error(), stream.clear_error();
  }
  if (error)
    return module.emitError("cannot write ") << input.path << ": " << error.message();

  // No build id and no paths inside: the same object links to the same bytes.
  StringRef arguments[] = {
      linker, "-shared", "--hash-style=gnu", "--build-id=none", "-z", "now", "-z", "relro",
      "-o",   path,      input.path};
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(messages.path),
                                          StringRef(messages.path)};
  std::string failureText;
  int code = llvm::sys::ExecuteAndWait(linker, arguments, std::nullopt, redirects,
                                       /*SecondsToWait=*/0, /*MemoryLimit=*/0, &failureText);
  if (code == 0)
    return success();
  if (auto text = llvm::MemoryBuffer::getFile(messages.path); text && !(*text)->getBuffer().empty())
    failureText = (*text)->getBuffer().trim().str();
  return module.emitError("linking ")
         << path << " failed (" << linker << " gave " << code << "): " << failureText;
}

} // namespace sluice::cpu
