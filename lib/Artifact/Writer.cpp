// SPDX-License-Identifier: Apache-2.0
//
// The writer: library, weights, manifest, in a directory that is put in place when all is there.

#include "lib/Artifact/Manifest.h"
#include "lib/Artifact/OutputDirectory.h"
#include "lib/Artifact/WeightFile.h"
#include "sluice/Artifact/Artifact.h"
#include "sluice/Target/CPU/Emit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
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
    std::string name = libraryName(request, i);
    Expected<std::string> path = directory.member(name);
    if (!path)
      return path.takeError();
    // For signal handlers: what stands beside it while it is linked.
    for (const char *suffix : {".o", ".txt"})
      if (Expected<std::string> beside = directory.member(name + suffix); !beside)
        return beside.takeError();
    // The target stage has checked that nothing is undefined: what fails here is the machine.
    if (mlir::failed(cpu::linkLibrary(variant.module, variant.object, *path)))
      return reported(4);
  }
  stats.linkSeconds = watch.seconds();
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

/// report/quantize.json, and its lines.
Error writeErrors(ArrayRef<EncodingError> errors, OutputDirectory &directory, WriteStats &stats) {
  // Variants with weights of their own have the same codes in another order.
  if (errors.empty() || !stats.quantized.empty())
    return Error::success();
  json::Array entries;
  for (const EncodingError &error : errors) {
    stats.quantized.push_back(error.text());
    entries.push_back(error.json());
  }
  return writeText(directory, "report/quantize.json",
                   formatv("{0:2}\n", json::Value(std::move(entries))).str());
}

Error writeWeights(StringRef name, ModuleOp params, bool allowNonFinite, OutputDirectory &directory,
                   model::ProblemLog &log, WriteStats &stats) {
  Stopwatch watch;
  SmallVector<ParamOp> list(params.getOps<ParamOp>());
  std::unique_ptr<model::WeightStore> store = model::WeightStore::open(params, log);
  if (!store)
    return reported(log.exitCode());
  std::vector<EncodingError> errors;
  // Generated weights travel as a seed.
  if (list.empty() || store->seed()) {
    errors = measureEncoding(list, *store, log);
    stats.packSeconds += watch.seconds();
    return writeErrors(errors, directory, stats);
  }
  if (!store->checkFinite(list, allowNonFinite, log))
    return reported(log.exitCode());
  Expected<std::string> path = directory.member(name);
  if (!path)
    return path.takeError();
  Expected<int64_t> bytes = writeWeightFile(*path, list, *store, log, errors);
  if (!bytes)
    return bytes.takeError();
  stats.packedBytes += *bytes;
  stats.packSeconds += watch.seconds();
  return writeErrors(errors, directory, stats);
}

} // namespace

Error writeArtefact(const WriteRequest &request, model::ProblemLog &log, WriteStats &stats) {
  // Only a module that was written by hand can lack them.
  std::vector<OwningOpRef<ModuleOp>> params;
  for (const Variant &variant : request.variants) {
    params.push_back(rebuildParams(variant.module));
    if (!params.back())
      return reported(2);
  }
  Expected<OutputDirectory> directory = OutputDirectory::create(request.output);
  if (!directory)
    return directory.takeError();
  if (Error error = writeLibraries(request, *directory, stats))
    return error;
  for (size_t i = 0; i < params.size(); ++i)
    if (sharesWeightsWith(request, i) == i)
      if (Error error = writeWeights(weightFileName(request, i), *params[i], request.allowNonFinite,
                                     *directory, log, stats))
        return error;
  if (Error error = writeText(*directory, "manifest.json", manifestText(request)))
    return error;
  return directory->commit();
}
} // namespace sluice::artifact
