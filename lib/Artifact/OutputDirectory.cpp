// SPDX-License-Identifier: Apache-2.0
//
// Atomic output: a temporary sibling, an exchange of names, and what Ctrl-C means in between.

#include "lib/Artifact/OutputDirectory.h"
#include "sluice/Artifact/Artifact.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

namespace sluice::artifact {
namespace {
std::atomic<int> openDirectories{0};
std::atomic<bool> interruptPending{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "signal handlers touch these");

extern "C" void handleInterrupt(int) {
  // Nothing to clean up, or asked a second time: go at once.
  if (openDirectories == 0 || interruptPending.exchange(true))
    _exit(130);
}

Error usage(const Twine &message) { return make_error<WriteError>(1, message.str()); }
Error failed(const Twine &what, std::error_code code) {
  return make_error<WriteError>(4, (what + ": " + code.message()).str());
}

/// Whether `path` is a directory with the manifest of an artefact.
bool isArtefact(StringRef path) {
  SmallString<256> manifest(path);
  sys::path::append(manifest, "manifest.json");
  auto text = MemoryBuffer::getFile(manifest);
  return text && (*text)->getBuffer().contains("\"sluice\"");
}
} // namespace

char WriteError::ID = 0;

void catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = handleInterrupt;
  for (int number : {SIGINT, SIGTERM})
    sigaction(number, &action, nullptr);
}

bool interrupted() { return interruptPending; }

Expected<OutputDirectory> OutputDirectory::create(StringRef finalPath) {
  while (finalPath.size() > 1 && finalPath.ends_with("/"))
    finalPath = finalPath.drop_back();
  if (sys::fs::exists(finalPath) && !isArtefact(finalPath))
    return usage("'" + finalPath +
                 "' is there already and is no artefact; choose another place or remove it");
  StringRef parent = sys::path::parent_path(finalPath);
  if (!parent.empty() && !sys::fs::is_directory(parent))
    return usage("the directory '" + parent + "' for the output is not there; make it first");

  OutputDirectory directory;
  directory.finalPath = finalPath;
  ++openDirectories;
  // Beside it, so that renaming stays within one file system. createUniqueDirectory would put a
  // relative path into the system's directory for temporary files.
  SmallString<256> beside(finalPath);
  std::error_code code = sys::fs::make_absolute(beside);
  if (!code)
    code = sys::fs::createUniqueDirectory(beside + ".partial", directory.path);
  if (code) {
    --openDirectories;
    directory.path.clear();
    return failed("cannot make a directory beside '" + finalPath + "'", code);
  }
  return directory;
}

OutputDirectory::OutputDirectory(OutputDirectory &&other)
    : path(other.path), finalPath(other.finalPath) {
  other.path.clear();
}

OutputDirectory::~OutputDirectory() {
  if (path.empty())
    return;
  sys::fs::remove_directories(path);
  --openDirectories;
}

Expected<std::string> OutputDirectory::member(StringRef name) {
  SmallString<256> file(path);
  sys::path::append(file, name);
  if (std::error_code code = sys::fs::create_directories(sys::path::parent_path(file)))
    return failed("cannot make the directory of '" + file + "'", code);
  return std::string(file);
}

Error OutputDirectory::commit() {
  if (interrupted())
    return make_error<WriteError>(130, "interrupted");
  // createUniqueDirectory makes it private; an artefact is as readable as any other output.
  mode_t mask = umask(0);
  umask(mask);
  sys::fs::setPermissions(path, static_cast<sys::fs::perms>(0777 & ~mask));
  if (!sys::fs::exists(finalPath)) {
    if (std::error_code code = sys::fs::rename(path, finalPath))
      return failed("cannot put the artefact at '" + finalPath + "'", code);
    path.clear();
    --openDirectories;
    return Error::success();
  }
  // One step in which both names change: there is an artefact at every moment. The old one is
  // removed by the destructor.
  if (renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, finalPath.c_str(), RENAME_EXCHANGE) != 0)
    return failed("cannot replace the artefact at '" + finalPath + "'",
                  std::error_code(errno, std::generic_category()));
  return Error::success();
}
} // namespace sluice::artifact
