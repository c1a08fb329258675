// SPDX-License-Identifier: Apache-2.0
//
// A directory that appears whole or not at all.

#ifndef SLUICE_LIB_ARTIFACT_OUTPUTDIRECTORY_H
#define SLUICE_LIB_ARTIFACT_OUTPUTDIRECTORY_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Error.h"

namespace sluice::artifact {

/// Whether Ctrl-C was pressed while an OutputDirectory was open; long work asks now and then and
/// stops.
bool interrupted();

/// Made beside its final place, renamed to it by commit(); removed with all its files if that never
/// happens. A process that is killed leaves NAME.partial-*, unlocked: the next one that writes NAME
/// removes it.
class OutputDirectory {
public:
  /// Fails (usage) when `finalPath` exists and is no artefact, or when its parent is not there.
  static llvm::Expected<OutputDirectory> create(llvm::StringRef finalPath);
  OutputDirectory(OutputDirectory &&other);
  OutputDirectory(const OutputDirectory &) = delete;
  ~OutputDirectory();

  /// Makes the folder of member `name` ("lib/model.so") and gives its path for now.
  llvm::Expected<std::string> member(llvm::StringRef name);
  /// Puts the directory where it belongs, in place of the artefact that was there.
  llvm::Error commit();

private:
  OutputDirectory() = default;
  llvm::SmallString<256> path, finalPath;
  int lock = -1; ///< descriptor of the directory, locked
};

} // namespace sluice::artifact

#endif // SLUICE_LIB_ARTIFACT_OUTPUTDIRECTORY_H
