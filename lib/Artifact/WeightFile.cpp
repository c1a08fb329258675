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

/// One layer of a param and where it goes.
struct LayerJob {
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

void pack(const model::WeightStore &store, const Piece &piece, uint8_t *weights,
          std::vector<uint8_t> &scratch) {
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
    packPanel(job.layout, scratch.data(), count, out + row / 16 * job.layout.panelBytes());
  }
}

/// Runs the pieces on two threads; false when it was interrupted.
bool packAll(const model::WeightStore &store, ArrayRef<Piece> pieces, uint8_t *weights) {
  std::atomic<size_t> next{0};
  auto work = [&] {
    std::vector<uint8_t> scratch;
    for (size_t i; !interrupted() && (i = next++) < pieces.size();)
      pack(store, pieces[i], weights, scratch);
  };
  std::thread helper(work);
  work();
  helper.join();
  return !interrupted();
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
      int64_t bytes = layout.layers * layout.stride;
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
                                  const model::WeightStore &store, model::ProblemLog &log) {
  std::vector<LayerJob> layers;
  int64_t total = 0;
  bool complete = true;
  for (ParamOp param : params) {
    WeightLayout layout = layoutOf(param);
    for (int64_t layer = 0; layer < layout.layers; ++layer, total += layout.stride) {
      auto sources = store.sources(param, layer, log);
      if (!sources) {
        complete = false; // go on: all missing tensors are reported together
        continue;
      }
      layers.push_back(
          {layout, param.getTensorType().getElementType(), std::move(*sources), total});
    }
  }
  if (!complete)
    return make_error<WriteError>(log.exitCode(), "");

  std::vector<Piece> pieces;
  for (const LayerJob &job : layers) {
    int64_t rowBytes = job.layout.columns * job.layout.elementBytes;
    int64_t step = alignTo(std::max<int64_t>(1, kPieceBytes / rowBytes), 16);
    for (int64_t row = 0; row < job.layout.rows; row += step)
      pieces.push_back({&job, row, std::min(row + step, job.layout.rows)});
  }

  std::string header = makeHeader(params);
  MappedOutput output;
  if (Error error = output.open(path, header.size() + total))
    return error;
  memcpy(output.data, header.data(), header.size());
  if (!packAll(store, pieces, output.data + header.size()))
    return make_error<WriteError>(130, "interrupted");
  return total;
}
} // namespace sluice::artifact
