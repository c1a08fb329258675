// SPDX-License-Identifier: Apache-2.0
//
// Atomic output: a temporary sibling, an exchange of names, and what signals mean in between.

#include "lib/Artifact/OutputDirectory.h"
#include "sluice/Artifact/Artifact.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

namespace sluice::artifact {
namespace {
std::atomic<int> openDirectories{0};
std::atomic<bool> interruptPending{false};

/// What has been made and not been put in place, in order: for signal handlers, which can neither
/// list directories nor allocate.
constexpr int kTrailRoom = 64;
std::atomic<char *> trail[kTrailRoom];
std::atomic<int> trailLength{0};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free &&
                  std::atomic<char *>::is_always_lock_free,
              "signal handlers touch these");

void addToTrail(StringRef path) {
  if (int length = trailLength; length < kTrailRoom) {
    trail[length] = strdup(path.str().c_str());
    trailLength = length + 1;
  }
}

void clearTrail() {
  int length = trailLength.exchange(0);
  for (int i = 0; i < length; ++i)
    free(trail[i].exchange(nullptr));
}

extern "C" void handleInterrupt(int) {
  // Work that can be undone ends at its next look at interrupted(). Nothing to undo, or asked a
  // second time: go at once.
  if (openDirectories == 0 || interruptPending.exchange(true)) {
    sys::RunInterruptHandlers();
    removeHalfWritten();
    _exit(130);
  }
}

Error usage(const Twine &message) { return make_error<WriteError>(1, message.str()); }
Error failed(const Twine &what, std::error_code code) {
  return make_error<WriteError>(4, (what + ": " + code.message()).str());
}

/// Whether `path` is a directory with the manifest of an artefact and its code. What is not one is
/// never replaced.
bool isArtefact(StringRef path) {
  SmallString<256> manifest(path), code(path);
  sys::path::append(manifest, "manifest.json");
  sys::path::append(code, "lib");
  if (!sys::fs::is_regular_file(manifest) || !sys::fs::is_directory(code))
    return false;
  auto text = MemoryBuffer::getFile(manifest);
  return text && (*text)->getBuffer().contains("\"sluice\"") &&
         (*text)->getBuffer().contains("\"abi\"");
}

/// A lock on the directory `path`, held until the descriptor is closed, by whatever ends the
/// process. -1 when somebody else holds it.
int lockDirectory(const char *path) {
  int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0) {
    close(file);
    file = -1;
  }
  return file;
}

/// Removes what killed compiles of the same output left beside it. Those that still run hold their
/// locks.
void removeAbandoned(StringRef prefix) {
  std::error_code error;
  SmallVector<std::string> found;
  for (sys::fs::directory_iterator at(sys::path::parent_path(prefix), error), end;
       !error && at != end; at.increment(error))
    if (StringRef(at->path()).starts_with(prefix))
      found.push_back(at->path());
  for (const std::string &path : found)
    if (int lock = lockDirectory(path.c_str()); lock >= 0) {
      sys::fs::remove_directories(path);
      close(lock);
    }
}
} // namespace

char WriteError::ID = 0;

void catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = handleInterrupt;
  for (int number : {SIGINT, SIGTERM, SIGHUP})
    sigaction(number, &action, nullptr);
}

void removeHalfWritten() {
  for (int i = trailLength; i-- > 0;)
    if (const char *path = trail[i])
      if (unlink(path) != 0)
        (void)rmdir(path);
}

bool interrupted() { return interruptPending; }

Expected<OutputDirectory> OutputDirectory::create(StringRef finalPath) {
  while (finalPath.size() > 1 && finalPath.ends_with("/"))
    finalPath = finalPath.drop_back();
  if (sys::fs::exists(finalPath) && !isArtefact(finalPath))
    return usage("'" + finalPath +
                 "' is there already and is no artefact; choose another place or remove it");
  if (!sys::fs::exists(finalPath) && sys::fs::is_symlink_file(finalPath))
    return usage("'" + finalPath + "' is a link to nothing; remove it");
  StringRef parent = sys::path::parent_path(finalPath);
  if (!parent.empty() && !sys::fs::is_directory(parent))
    return usage("the directory '" + parent + "' for the output is not there; make it first");

  OutputDirectory directory;
  directory.finalPath = finalPath;
  // A link to an artefact stays a link; the artefact behind it is replaced.
  if (SmallString<256> real; sys::fs::exists(finalPath) && !sys::fs::real_path(finalPath, real))
    directory.finalPath = real;
  // Beside it, so that renaming stays within one file system. createUniqueDirectory would put a
  // relative path into the system's directory for temporary files.
  SmallString<256> beside(directory.finalPath);
  std::error_code code = sys::fs::make_absolute(beside);
  beside += ".partial";
  if (!code)
    removeAbandoned((beside + "-").str());
  ++openDirectories;
  for (int attempt = 0; !code; ++attempt) {
    code = sys::fs::createUniqueDirectory(beside, directory.path);
    if (code)
      break;
    // Between making and locking it, another compile may have taken it for abandoned.
    directory.lock = lockDirectory(directory.path.c_str());
    if (directory.lock >= 0 && sys::fs::exists(directory.path))
      break;
    if (directory.lock >= 0)
      close(directory.lock);
    directory.lock = -1;
    if (attempt == 20)
      code = std::make_error_code(std::errc::device_or_resource_busy);
  }
  if (code) {
    --openDirectories;
    directory.path.clear();
    return failed("cannot make a directory beside '" + finalPath + "'", code);
  }
  addToTrail(directory.path);
  return directory;
}

OutputDirectory::OutputDirectory(OutputDirectory &&other)
    : path(other.path), finalPath(other.finalPath), lock(other.lock) {
  other.path.clear();
  other.lock = -1;
}

OutputDirectory::~OutputDirectory() {
  if (lock >= 0)
    close(lock);
  if (path.empty())
    return;
  sys::fs::remove_directories(path);
  clearTrail();
  --openDirectories;
}

Expected<std::string> OutputDirectory::member(StringRef name) {
  SmallString<256> file(path);
  sys::path::append(file, name);
  SmallString<256> folder = sys::path::parent_path(file);
  if (std::error_code code = sys::fs::create_directories(folder))
    return failed("cannot make the directory of '" + file + "'", code);
  for (SmallString<256> below = folder; below.size() > path.size();
       below = SmallString<256>(sys::path::parent_path(below)))
    addToTrail(below);
  addToTrail(file);
  return std::string(file);
}

Error OutputDirectory::commit() {
  if (interrupted())
    return make_error<WriteError>(130, "interrupted");
  // createUniqueDirectory makes it private; an artefact is as readable as any other output.
  mode_t mask = umask(0);
  umask(mask);
  sys::fs::setPermissions(path, static_cast<sys::fs::perms>(0777 & ~mask));
  // Other compiles may put theirs there, or somebody remove it, between looking and renaming. Each
  // rename here is one step that finds the name as it expects or fails.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    int done = renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, finalPath.c_str(), RENAME_NOREPLACE);
    if (done != 0 && errno == EINVAL) // a file system without this flag
      done = rename(path.c_str(), finalPath.c_str());
    if (done == 0) {
      path.clear();
      clearTrail();
      --openDirectories;
      return Error::success();
    }
    if (errno != EEXIST && errno != ENOTEMPTY)
      return failed("cannot put the artefact at '" + finalPath + "'",
                    std::error_code(errno, std::generic_category()));
    if (!isArtefact(finalPath)) {
      if (sys::fs::exists(finalPath))
        return usage("'" + finalPath + "' is there meanwhile and is no artefact");
      continue;
    }
    // Both names change in one step: there is an artefact at every moment. The old one is removed
    // by the destructor.
    if (renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, finalPath.c_str(), RENAME_EXCHANGE) == 0)
      return Error::success();
    if (errno != ENOENT)
      return failed("cannot replace the artefact at '" + finalPath + "'",
                    std::error_code(errno, std::generic_category()));
  }
  return make_error<WriteError>(
      4, ("cannot put the artefact at '" + finalPath + "': others put theirs there all the time")
             .str());
}
} // namespace sluice::artifact
