// SPDX-License-Identifier: Apache-2.0
//
// The writer: library, weights, manifest, in a directory that is put in place when all is there.

#include "lib/Artifact/Manifest.h"
#include "lib/Artifact/OutputDirectory.h"
#include "lib/Artifact/WeightFile.h"
#include "sluice/Artifact/Artifact.h"
#include "sluice/Target/CPU/Emit.h"
#include "llvm/Support/FileSystem.h"
#include <chrono>

using namespace llvm;
using namespace mlir;

namespace sluice::artifact {
namespace {

class Stopwatch {
public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

private:
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

/// Reported already.
Error reported(int exitCode) { return make_error<WriteError>(exitCode, ""); }

Error writeLibraries(const WriteRequest &request, OutputDirectory &directory, WriteStats &stats) {
  Stopwatch watch;
  for (auto [i, variant] : enumerate(request.variants)) {
    Expected<std::string> path = directory.member(libraryName(request, i));
    if (!path)
      return path.takeError();
    if (mlir::failed(cpu::linkLibrary(variant.module, variant.object, *path)))
      return reported(3);
  }
  stats.linkSeconds = watch.seconds();
  return Error::success();
}

Error writeWeights(StringRef name, ModuleOp params, OutputDirectory &directory,
                   model::ProblemLog &log, WriteStats &stats) {
  Stopwatch watch;
  SmallVector<ParamOp> list(params.getOps<ParamOp>());
  std::unique_ptr<model::WeightStore> store = model::WeightStore::open(params, log);
  if (!store)
    return reported(log.exitCode());
  // Generated weights travel as a seed.
  if (list.empty() || store->seed())
    return Error::success();
  Expected<std::string> path = directory.member(name);
  if (!path)
    return path.takeError();
  Expected<int64_t> bytes = writeWeightFile(*path, list, *store, log);
  if (!bytes)
    return bytes.takeError();
  stats.packedBytes += *bytes;
  stats.packSeconds += watch.seconds();
  return Error::success();
}

Error writeText(OutputDirectory &directory, StringRef name, StringRef text) {
  Expected<std::string> path = directory.member(name);
  if (!path)
    return path.takeError();
  std::error_code code;
  raw_fd_ostream stream(*path, code);
  stream << text;
  stream.close();
  if (!code)
    code = stream.error();
  stream.clear_error();
  if (code)
    return make_error<WriteError>(4, "cannot write '" + *path + "': " + code.message());
  return Error::success();
}
} // namespace

Error writeArtefact(const WriteRequest &request, model::ProblemLog &log, WriteStats &stats) {
  std::vector<OwningOpRef<ModuleOp>> params;
  for (const Variant &variant : request.variants) {
    params.push_back(rebuildParams(variant.module));
    if (!params.back())
      return reported(3);
  }
  Expected<OutputDirectory> directory = OutputDirectory::create(request.output);
  if (!directory)
    return directory.takeError();
  if (Error error = writeLibraries(request, *directory, stats))
    return error;
  for (size_t i = 0; i < params.size(); ++i)
    if (sharesWeightsWith(request, i) == i)
      if (Error error =
              writeWeights(weightFileName(request, i), *params[i], *directory, log, stats))
        return error;
  if (Error error = writeText(*directory, "manifest.json", manifestText(request)))
    return error;
  return directory->commit();
}
} // namespace sluice::artifact
