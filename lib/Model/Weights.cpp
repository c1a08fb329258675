//===- Weights.cpp - the numbers behind params -----------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// See Weights.h. Generated values are a function of seed, name and index alone, so any range can be
// had without what comes before it, in any order, by any number of threads.
//
//===----------------------------------------------------------------------===//
#include "sluice/Model/Weights.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include <cmath>

using namespace llvm;

namespace sluice::model {

//===----------------------------------------------------------------------===//
// Number formats
//===----------------------------------------------------------------------===//

uint16_t toBF16(float value) {
  uint32_t bits = bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) // NaN: keep its top bits, make it quiet
    return uint16_t(bits >> 16) | 0x40;
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float fromBF16(uint16_t bits) { return bit_cast<float>(uint32_t(bits) << 16); }

uint16_t toF16(float value) {
  uint32_t bits = bit_cast<uint32_t>(value);
  uint16_t sign = uint16_t((bits >> 16) & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00 | uint16_t((magnitude >> 13) & 0x1ff);
  if (magnitude >= 0x477ff000) // 65520 and above round to infinity
    return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Below 2^-14 the result counts in units of 2^-24: adding 0.5 makes f32 round there.
    float shifted = bit_cast<float>(magnitude) + 0.5f;
    return sign | uint16_t(bit_cast<uint32_t>(shifted) - bit_cast<uint32_t>(0.5f));
  }
  uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return sign | uint16_t((rounded - 0x38000000) >> 13);
}

float fromF16(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00)
    return bit_cast<float>(sign | 0x7f800000 | ((magnitude & 0x3ff) << 13));
  if (magnitude >= 0x400)
    return bit_cast<float>(sign | ((magnitude << 13) + 0x38000000));
  float small = float(magnitude) * 0x1p-24f;
  return sign ? -small : small;
}

//===----------------------------------------------------------------------===//
// Generated values
//===----------------------------------------------------------------------===//

static uint64_t mix(uint64_t z) {
  z ^= z >> 30;
  z *= 0xBF58476D1CE4E5B9ull;
  z ^= z >> 27;
  z *= 0x94D049BB133111EBull;
  z ^= z >> 31;
  return z;
}

void generateWeights(uint64_t seed, StringRef name, Role role, int64_t fanIn, int64_t first,
                     MutableArrayRef<float> out, int64_t step) {
  uint64_t hash = 0xCBF29CE484222325ull; // FNV-1a
  for (char c : name)
    hash = (hash ^ uint8_t(c)) * 0x100000001B3ull;
  uint64_t base = mix(seed ^ hash);
  float spread = role == Role::Weight || role == Role::Table
                     ? float(std::sqrt(3.0) * 1.2 / std::sqrt(double(fanIn)))
                     : 0.2f;
  for (size_t i = 0; i != out.size(); ++i) {
    uint64_t z = mix(base + (uint64_t(first) + i * uint64_t(step) + 1) * 0x9E3779B97F4A7C15ull);
    float u = float(z >> 40) * 0x1p-23f - 1.0f;
    float scaled = u * spread;
    out[i] = role == Role::Scale ? 1.0f + scaled : scaled;
  }
}

//===----------------------------------------------------------------------===//
// The store
//===----------------------------------------------------------------------===//

int64_t WeightTensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

std::unique_ptr<WeightStore> WeightStore::random(uint64_t seed) {
  std::unique_ptr<WeightStore> store(new WeightStore());
  store->randomSeed = seed;
  return store;
}

std::unique_ptr<WeightStore> WeightStore::open(mlir::ModuleOp module, ProblemLog &log) {
  if (auto seed = module->getAttrOfType<mlir::IntegerAttr>("sluice.random_seed"))
    return random(uint64_t(seed.getInt()));
  std::unique_ptr<WeightStore> store(new WeightStore());
  if (auto directory = module->getAttrOfType<mlir::StringAttr>("sluice.weights")) {
    store->checkpoint = Checkpoint::open(directory.getValue(), log);
    if (!store->checkpoint)
      return nullptr;
  }
  return store;
}

std::string scalesNameOf(StringRef name) {
  return name.consume_back("_blocks") ? (name + "_scales").str() : std::string();
}

/// Number |index| of an MXFP4 tensor, exactly.
static float mxfp4At(const WeightTensor &tensor, int64_t index) {
  static const float magnitudes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  uint8_t code = tensor.view->bytes[index / 2] >> (index % 2 * 4) & 15;
  uint8_t scale = tensor.scales->bytes[index / 32];
  if (scale == 255)
    return std::nanf("");
  float value = std::ldexp(magnitudes[code & 7], int(scale) - 127);
  return code & 8 ? -value : value;
}

std::optional<std::vector<WeightTensor>> WeightStore::sources(ParamOp param, int64_t block,
                                                              ProblemLog &log) const {
  std::vector<WeightTensor> all;
  for (auto [attribute, rows] : zip(param.getSources(), param.getSourceRows())) {
    StringRef pattern = cast<mlir::StringAttr>(attribute).getValue();
    WeightTensor tensor;
    tensor.name = param.nameOfSource(pattern, block);
    append_range(tensor.shape, param.getBlockType().getShape());
    tensor.shape.front() = rows;
    tensor.role = param.getRole();
    tensor.transposed = param.getTransposed();
    tensor.alternating = param.getAlternating();
    bool holdsAll = param.holdsAllExperts(pattern);
    if (holdsAll)
      tensor.first = block % param.getBlocksOfLayer() * tensor.elements();
    if (!randomSeed) {
      tensor.view = checkpoint ? checkpoint->find(tensor.name) : nullptr;
      StringRef where = checkpoint ? checkpoint->directory() : "the module";
      if (!tensor.view) {
        log.badInput(where, "expected tensor '" + tensor.name + "' of param '" +
                                param.getSymName() + "', but there is none");
        return std::nullopt;
      }
      DType dtype = tensor.view->dtype;
      SmallVector<int64_t> stored(tensor.shape);
      if (tensor.transposed)
        std::reverse(stored.begin(), stored.end());
      if (holdsAll)
        stored.insert(stored.begin(), param.getBlocksOfLayer());
      if (std::string name = scalesNameOf(tensor.name); !name.empty() && dtype == DType::U8) {
        tensor.scales = checkpoint->find(name);
        SmallVector<int64_t> scales(stored);
        scales.back() /= 32;
        SmallVector<int64_t> blocks(scales);
        blocks.push_back(16);
        if (!tensor.scales || tensor.scales->dtype != DType::U8 || stored.back() % 32 != 0 ||
            ArrayRef(tensor.view->shape) != ArrayRef(blocks) ||
            ArrayRef(tensor.scales->shape) != ArrayRef(scales)) {
          log.badInput(where, "tensor '" + tensor.name + "': expected MXFP4 blocks of shape " +
                                  shapeText(blocks) + " and '" + name + "' of shape " +
                                  shapeText(scales) + ", both U8");
          return std::nullopt;
        }
        all.push_back(std::move(tensor));
        continue;
      }
      if (ArrayRef(tensor.view->shape) != ArrayRef(stored) ||
          (dtype != DType::F32 && dtype != DType::BF16 && dtype != DType::F16)) {
        log.badInput(where, "tensor '" + tensor.name + "': expected F32, BF16 or F16 of shape " +
                                shapeText(stored) + ", but found " + dtypeName(dtype) + " " +
                                shapeText(tensor.view->shape));
        return std::nullopt;
      }
    }
    all.push_back(std::move(tensor));
  }
  return all;
}

/// Calls |run| for stretches of [first, first + count) whose numbers lie |step| apart in the
/// tensor: |run|(where the first of them is there, step, how many, from which of the count on).
static void forEachStretch(const WeightTensor &tensor, int64_t first, int64_t count,
                           function_ref<void(int64_t, int64_t, int64_t, int64_t)> run) {
  if (!tensor.transposed && !tensor.alternating)
    return run(tensor.first + first, 1, count, 0);
  int64_t rows = tensor.rows(), columns = tensor.rowSize();
  for (int64_t done = 0; done < count;) {
    int64_t row = (first + done) / columns, column = (first + done) % columns;
    int64_t now = std::min(columns - column, count - done);
    if (tensor.alternating)
      row = row < rows / 2 ? 2 * row : 2 * (row - rows / 2) + 1;
    if (tensor.transposed)
      run(tensor.first + column * rows + row, rows, now, done);
    else
      run(tensor.first + row * columns + column, 1, now, done);
    done += now;
  }
}

void WeightStore::read(const WeightTensor &tensor, int64_t first,
                       MutableArrayRef<float> out) const {
  assert(first >= 0 && first + int64_t(out.size()) <= tensor.elements());
  forEachStretch(
      tensor, first, out.size(), [&](int64_t at, int64_t step, int64_t count, int64_t from) {
        MutableArrayRef<float> part = out.slice(from, count);
        if (!tensor.view) {
          generateWeights(*randomSeed, tensor.name, tensor.role,
                          tensor.transposed ? tensor.rows() : tensor.shape.back(), at, part, step);
          return;
        }
        if (tensor.scales) {
          for (int64_t i = 0; i != count; ++i)
            part[i] = mxfp4At(tensor, at + i * step);
          return;
        }
        const uint8_t *bytes = tensor.view->bytes.data();
        switch (tensor.view->dtype) {
        case DType::F32:
          for (int64_t i = 0; i != count; ++i)
            part[i] = bit_cast<float>(support::endian::read32le(bytes + 4 * (at + i * step)));
          return;
        case DType::BF16:
          for (int64_t i = 0; i != count; ++i)
            part[i] = fromBF16(support::endian::read16le(bytes + 2 * (at + i * step)));
          return;
        case DType::F16:
          for (int64_t i = 0; i != count; ++i)
            part[i] = fromF16(support::endian::read16le(bytes + 2 * (at + i * step)));
          return;
        default:
          llvm_unreachable("sources() lets only these through");
        }
      });
}

void WeightStore::read(const WeightTensor &tensor, int64_t first, int64_t count, mlir::Type type,
                       void *out) const {
  // The same format on both sides is a copy, bit for bit (NaN payloads too).
  bool isF32 = type.isF32(), isBF16 = type.isBF16();
  assert((isF32 || isBF16 || type.isF16()) && "weights are f32, bf16 or f16");
  if (tensor.view && tensor.view->dtype == (isF32    ? DType::F32
                                            : isBF16 ? DType::BF16
                                                     : DType::F16)) {
    size_t size = isF32 ? 4 : 2;
    const uint8_t *bytes = tensor.view->bytes.data();
    auto *to = static_cast<uint8_t *>(out);
    forEachStretch(tensor, first, count, [&](int64_t at, int64_t step, int64_t now, int64_t from) {
      if (step == 1)
        memcpy(to + from * size, bytes + at * size, now * size);
      else
        for (int64_t i = 0; i != now; ++i)
          memcpy(to + (from + i) * size, bytes + (at + i * step) * size, size);
    });
    return;
  }
  if (isF32) {
    read(tensor, first, MutableArrayRef(static_cast<float *>(out), count));
    return;
  }
  float block[1024];
  auto *narrow = static_cast<uint16_t *>(out);
  for (int64_t done = 0; done < count;) {
    int64_t now = std::min<int64_t>(count - done, std::size(block));
    read(tensor, first + done, MutableArrayRef(block, now));
    for (int64_t i = 0; i != now; ++i)
      narrow[done + i] = isBF16 ? toBF16(block[i]) : toF16(block[i]);
    done += now;
  }
}

std::optional<std::vector<float>> WeightStore::layer(ParamOp param, int64_t layer,
                                                     ProblemLog &log) const {
  std::vector<WeightTensor> tensors;
  for (int64_t expert = 0, end = param.getBlocksOfLayer(); expert != end; ++expert) {
    std::optional<std::vector<WeightTensor>> mine = sources(param, layer * end + expert, log);
    if (!mine)
      return std::nullopt;
    append_range(tensors, *mine);
  }
  mlir::Type type = param.getTensorType().getElementType();
  std::vector<float> all;
  for (const WeightTensor &tensor : tensors) {
    size_t before = all.size();
    all.resize(before + tensor.elements());
    MutableArrayRef<float> mine = MutableArrayRef(all).drop_front(before);
    read(tensor, 0, mine);
    for (float &value : mine)
      if (type.isBF16())
        value = fromBF16(toBF16(value));
      else if (type.isF16())
        value = fromF16(toF16(value));
  }
  return all;
}

} // namespace sluice::model
