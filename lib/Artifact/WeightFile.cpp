// SPDX-License-Identifier: Apache-2.0
//
// The file is sized, mapped, and packed into by two threads in pieces of about a megabyte, so that
// packing runs at the speed of memory and never holds more than a few pieces.

#include "lib/Artifact/WeightFile.h"
#include "lib/Artifact/OutputDirectory.h"
#include "lib/Artifact/WeightLayout.h"
#include "sluice/Artifact/Artifact.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include <atomic>
#include <fcntl.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

using namespace llvm;

namespace sluice::artifact {
namespace {

/// One block of a param (a layer, or one of its experts) and where it goes.
struct LayerJob {
  ParamOp param;
  int64_t layer;
  WeightLayout layout;
  mlir::Type element;
  std::vector<model::WeightTensor> sources;
  int64_t offset; ///< from the first weight
};

/// Rows [first, end) of a layer.
struct Piece {
  const LayerJob *layer;
  int64_t first, end;
};

constexpr int64_t kPieceBytes = 1 << 20;

/// Rows [first, end) of the joined sources, dense, in the param's element type.
void readRows(const model::WeightStore &store, const LayerJob &job, int64_t first, int64_t end,
              uint8_t *out) {
  int64_t start = 0;
  for (const model::WeightTensor &source : job.sources) {
    int64_t from = std::max(first, start), to = std::min(end, start + source.rows());
    if (from < to) {
      int64_t columns = job.layout.columns;
      store.read(source, (from - start) * columns, (to - from) * columns, job.element,
                 out + (from - first) * columns * job.layout.elementBytes);
    }
    start += source.rows();
  }
}

/// Packs a piece at its place behind `weights`, or measures it when that is null. Adds up what
/// encoding cost.
void pack(const model::WeightStore &store, const Piece &piece, uint8_t *weights,
          std::vector<uint8_t> &scratch, EncodingError &error) {
  const LayerJob &job = *piece.layer;
  int64_t rowBytes = job.layout.columns * job.layout.elementBytes;
  uint8_t *out = weights + job.offset;
  if (!job.layout.panel) {
    readRows(store, job, piece.first, piece.end, out + piece.first * rowBytes);
    return;
  }
  scratch.resize(16 * rowBytes);
  for (int64_t row = piece.first; row < piece.end; row += 16) {
    int64_t count = std::min<int64_t>(16, piece.end - row);
    readRows(store, job, row, row + count, scratch.data());
    if (job.layout.blocks) {
      error.firstRow = row;
      encodePanel(job.layout, job.element, scratch.data(), count,
                  weights ? out + row / 16 * job.layout.panelBytes() : nullptr, error);
      continue;
    }
    packPanel(job.layout, scratch.data(), count, out + row / 16 * job.layout.panelBytes());
  }
}

/// Runs the pieces on two threads; nullopt when it was interrupted. Gives what each piece's
/// encoding cost.
std::optional<std::vector<EncodingError>> packAll(const model::WeightStore &store,
                                                  ArrayRef<Piece> pieces, uint8_t *weights) {
  std::atomic<size_t> next{0};
  std::vector<EncodingError> errors(pieces.size());
  auto work = [&] {
    std::vector<uint8_t> scratch;
    for (size_t i; !interrupted() && (i = next++) < pieces.size();)
      pack(store, pieces[i], weights, scratch, errors[i]);
  };
  std::thread helper(work);
  work();
  helper.join();
  if (interrupted())
    return std::nullopt;
  return errors;
}

/// Layers in pieces of whole panels.
std::vector<Piece> cut(ArrayRef<LayerJob> layers) {
  std::vector<Piece> pieces;
  for (const LayerJob &job : layers) {
    int64_t rowBytes = job.layout.columns * job.layout.elementBytes;
    int64_t step = alignTo(std::max<int64_t>(1, kPieceBytes / rowBytes), 16);
    for (int64_t row = 0; row < job.layout.rows; row += step)
      pieces.push_back({&job, row, std::min(row + step, job.layout.rows)});
  }
  return pieces;
}

/// The errors of pieces, param by param; false after reporting numbers that have no codes.
bool gather(ArrayRef<Piece> pieces, ArrayRef<EncodingError> parts, model::ProblemLog &log,
            std::vector<EncodingError> &errors) {
  bool finite = true;
  for (auto [piece, part] : zip_equal(pieces, parts)) {
    const LayerJob &job = *piece.layer;
    if (!job.layout.blocks)
      continue;
    ParamOp param = job.param;
    if (part.refused) {
      auto [row, column] = *part.refused;
      int64_t start = 0;
      size_t source = 0;
      while (row >= start + job.sources[source].rows())
        start += job.sources[source++].rows();
      log.badInput("weights", "tensor '" + job.sources[source].name +
                                  "': expected numbers below 2^100 to quantize, but element [" +
                                  Twine(row - start) + ", " + Twine(column) +
                                  "] is NaN, Inf or larger; compile without --quantize to keep it");
      finite = false;
    }
    if (errors.empty() || errors.back().param != param.getSymName()) {
      errors.emplace_back();
      errors.back().param = param.getSymName().str();
      errors.back().encoding = job.layout.blocks.describe();
      errors.back().layers = job.layout.count;
    }
    errors.back().add(part, job.layer);
  }
  return finite;
}

/// The header of the format: its length in 8 bytes, then JSON, padded with spaces so that the data
/// starts at a cache line.
std::string makeHeader(ArrayRef<ParamOp> params) {
  std::string text;
  raw_string_ostream stream(text);
  json::OStream out(stream);
  out.object([&] {
    int64_t offset = 0;
    for (ParamOp param : params) {
      WeightLayout layout = layoutOf(param);
      int64_t bytes = layout.count * layout.stride;
      out.attributeObject(param.getSymName(), [&] {
        out.attribute("dtype", "U8");
        out.attributeArray("shape", [&] { out.value(bytes); });
        out.attributeArray("data_offsets", [&] {
          out.value(offset);
          out.value(offset + bytes);
        });
      });
      offset += bytes;
    }
  });
  text.append(alignTo(8 + text.size(), 64) - 8 - text.size(), ' ');
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<char>(text.size() >> (8 * i));
  return length + text;
}

Error failed(StringRef path, const char *what, int code) {
  return make_error<WriteError>(4, (Twine("cannot ") + what + " '" + path + "': " +
                                    std::error_code(code, std::generic_category()).message())
                                       .str());
}

/// A file of `bytes` bytes, mapped for writing. Its blocks are reserved first: a full disk is an
/// error here, not a fault in the middle of packing.
class MappedOutput {
public:
  ~MappedOutput() {
    if (data)
      munmap(data, bytes);
    if (file >= 0)
      close(file);
  }
  Error open(StringRef path, int64_t size) {
    bytes = size;
    file = ::open(path.str().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
      return failed(path, "create", errno);
    if (int code = posix_fallocate(file, 0, size))
      return failed(path, "reserve space for", code);
    void *mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
      return failed(path, "map", errno);
    data = static_cast<uint8_t *>(mapped);
    return Error::success();
  }
  uint8_t *data = nullptr;

private:
  int file = -1;
  int64_t bytes = 0;
};
} // namespace

Expected<int64_t> writeWeightFile(StringRef path, ArrayRef<ParamOp> params,
                                  const model::WeightStore &store, model::ProblemLog &log,
                                  std::vector<EncodingError> &errors) {
  std::vector<LayerJob> layers;
  int64_t total = 0;
  bool complete = true;
  for (ParamOp param : params) {
    WeightLayout layout = layoutOf(param);
    for (int64_t layer = 0; layer < layout.count; ++layer, total += layout.stride) {
      auto sources = store.sources(param, layer, log);
      if (!sources) {
        complete = false; // go on: all missing tensors are reported together
        continue;
      }
      layers.push_back({param, layer, layout, param.getTensorType().getElementType(),
                        std::move(*sources), total});
    }
  }
  if (!complete)
    return make_error<WriteError>(log.exitCode(), "");

  std::vector<Piece> pieces = cut(layers);
  std::string header = makeHeader(params);
  MappedOutput output;
  if (Error error = output.open(path, header.size() + total))
    return error;
  memcpy(output.data, header.data(), header.size());
  auto parts = packAll(store, pieces, output.data + header.size());
  if (!parts)
    return make_error<WriteError>(130, "interrupted");
  if (!gather(pieces, *parts, log, errors))
    return make_error<WriteError>(log.exitCode(), "");
  return total;
}

std::vector<EncodingError>
measureEncoding(ArrayRef<ParamOp> params, const model::WeightStore &store, model::ProblemLog &log) {
  std::vector<LayerJob> layers;
  for (ParamOp param : params)
    if (blocksOf(param.getTensorType()))
      if (auto sources = store.sources(param, 0, log))
        layers.push_back({param, 0, layoutOf(param), param.getTensorType().getElementType(),
                          std::move(*sources), 0});
  std::vector<Piece> pieces = cut(layers);
  std::vector<EncodingError> errors;
  if (auto parts = packAll(store, pieces, nullptr))
    gather(pieces, *parts, log, errors);
  return errors;
}
} // namespace sluice::artifact
