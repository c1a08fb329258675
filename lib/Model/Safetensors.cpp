//===- Safetensors.cpp - one file: mapped, every field checked -------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Layout: 8 bytes header length N (little-endian), N bytes of JSON that starts with '{' and may end
// in spaces, data. Checks come in the order in which they make the next one safe: sizes, JSON
// shape, each tensor, then all together.
//
//===----------------------------------------------------------------------===//
#include "sluice/Model/Safetensors.h"
#include "JsonText.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"
#include <algorithm>

using namespace llvm;

namespace sluice::model {

namespace {

struct DTypeRow {
  StringRef name;
  unsigned bits;
};

// Indexed by DType.
constexpr DTypeRow dtypeTable[] = {
    {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64},        {"U64", 64},
};

struct Span {
  uint64_t begin, end;
  size_t view;
};

} // namespace

StringRef dtypeName(DType dtype) { return dtypeTable[unsigned(dtype)].name; }

std::optional<DType> dtypeFromName(StringRef name) {
  for (auto [index, row] : enumerate(dtypeTable))
    if (row.name == name)
      return DType(index);
  return std::nullopt;
}

unsigned dtypeBits(DType dtype) { return dtypeTable[unsigned(dtype)].bits; }

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [index, size] : enumerate(shape))
    text += (index ? ", " : "") + std::to_string(size);
  return text + "]";
}

bool isGitLfsPointer(StringRef head) {
  return head.starts_with("version https://git-lfs.github.com/spec/");
}

std::unique_ptr<SafetensorsFile> SafetensorsFile::open(StringRef path, ProblemLog &log) {
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status)) {
    log.badInput(path, "cannot open: " + error.message());
    return nullptr;
  }
  if (!sys::fs::is_regular_file(status)) {
    log.badInput(path, "expected a regular file of safetensors");
    return nullptr;
  }
  if (status.getSize() < 8) {
    log.badInput(
        path, "expected safetensors, which start with an 8-byte header length, but the file has " +
                  Twine(status.getSize()) + " bytes; it is cut off, fetch it again");
    return nullptr;
  }
  Expected<sys::fs::file_t> handle = sys::fs::openNativeFileForRead(path);
  if (!handle) {
    log.badInput(path, "cannot open: " + toString(handle.takeError()));
    return nullptr;
  }
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile());
  file->filePath = path.str();
  std::error_code error;
  file->region = sys::fs::mapped_file_region(*handle, sys::fs::mapped_file_region::readonly,
                                             status.getSize(), 0, error);
  sys::fs::closeFile(*handle);
  if (error) {
    log.badInput(path, "cannot map: " + error.message());
    return nullptr;
  }
  return file->readHeader(log) ? std::move(file) : nullptr;
}

const TensorView *SafetensorsFile::find(StringRef name) const {
  auto found = byName.find(name);
  return found == byName.end() ? nullptr : &views[found->second];
}

bool SafetensorsFile::readHeader(ProblemLog &log) {
  auto fail = [&](const Twine &message) {
    log.badInput(filePath, message);
    return false;
  };
  StringRef all(region.const_data(), region.size());
  if (isGitLfsPointer(all))
    return fail("this is a Git LFS pointer, not the weights; run 'git lfs pull' in the directory "
                "that it came from");
  uint64_t headerBytes = support::endian::read64le(all.data());
  if (headerBytes > maxHeaderBytes)
    return fail("expected a header of at most " + Twine(maxHeaderBytes) +
                " bytes, but its length field says " + Twine(headerBytes) +
                "; the file is damaged or is not safetensors");
  if (headerBytes > all.size() - 8)
    return fail("expected " + Twine(headerBytes) + " bytes of header, but only " +
                Twine(all.size() - 8) + " follow its length; the file is cut off, fetch it again");
  StringRef header = all.substr(8, headerBytes);
  if (!header.starts_with("{"))
    return fail("expected the header to start with '{'; the file is damaged or is not safetensors");

  // The header as a text of its own, so that its lines and columns make sense.
  SourceText text(filePath, header.rtrim(' ').str());
  if (!scanJson(text.text(), text, 0, log))
    return false;
  std::optional<json::Value> value = parseJson(text.text(), text, 0, log);
  if (!value)
    return false;

  uint64_t dataBytes = all.size() - 8 - headerBytes;
  const auto *data = reinterpret_cast<const uint8_t *>(all.data()) + 8 + headerBytes;
  std::vector<Span> spans;
  for (const auto &[key, entry] : *value->getAsObject()) {
    StringRef name = key;
    const json::Object *object = entry.getAsObject();
    if (!object)
      return fail("expected an object for '" + name + "', but found " + describe(entry));
    if (name == "__metadata__") {
      for (const auto &[metaKey, metaValue] : *object) {
        std::optional<StringRef> string = metaValue.getAsString();
        if (!string)
          return fail("expected strings in '__metadata__', but '" + StringRef(metaKey) + "' is " +
                      describe(metaValue));
        meta[metaKey] = string->str();
      }
      continue;
    }
    auto failIn = [&](const Twine &message) { return fail("tensor '" + name + "': " + message); };

    TensorView view;
    view.name = name.str();
    std::optional<StringRef> dtype = object->getString("dtype");
    if (!dtype)
      return failIn("expected 'dtype' to be a string");
    std::optional<DType> known = dtypeFromName(*dtype);
    if (!known)
      return failIn("dtype '" + *dtype + "' is not one that safetensors define");
    view.dtype = *known;

    const json::Array *shape = object->getArray("shape");
    if (!shape)
      return failIn("expected 'shape' to be an array");
    uint64_t bits = dtypeBits(view.dtype);
    for (const json::Value &size : *shape) {
      std::optional<uint64_t> number = size.getAsUINT64();
      if (!number || *number > uint64_t(INT64_MAX))
        return failIn("expected sizes from 0 to 2^63 - 1 in 'shape'");
      view.shape.push_back(int64_t(*number));
    }
    // A size of 0 makes the product 0 whatever the others are; otherwise it must not wrap.
    if (is_contained(view.shape, 0)) {
      bits = 0;
    } else {
      bool overflowed = false;
      for (int64_t size : view.shape)
        if (bits = SaturatingMultiply(bits, uint64_t(size), &overflowed); overflowed)
          return failIn("shape " + shapeText(view.shape) +
                        " has more bits than 64-bit arithmetic can count");
    }
    if (bits % 8 != 0)
      return failIn("shape " + shapeText(view.shape) + " of " + *dtype +
                    " does not fill whole bytes");

    const json::Array *offsets = object->getArray("data_offsets");
    std::optional<uint64_t> begin, end;
    if (offsets && offsets->size() == 2) {
      begin = (*offsets)[0].getAsUINT64();
      end = (*offsets)[1].getAsUINT64();
    }
    if (!begin || !end)
      return failIn("expected 'data_offsets' to be two sizes [begin, end]");
    if (*begin > *end || *end > dataBytes)
      return failIn("data_offsets [" + Twine(*begin) + ", " + Twine(*end) + "] leave the " +
                    Twine(dataBytes) +
                    " bytes of data that the file has; it is damaged or cut off, fetch it again");
    if (*end - *begin != bits / 8)
      return failIn("shape " + shapeText(view.shape) + " of " + *dtype + " needs " +
                    Twine(bits / 8) + " bytes, but data_offsets give it " + Twine(*end - *begin));
    view.bytes = ArrayRef<uint8_t>(data + *begin, *end - *begin);
    spans.push_back({*begin, *end, views.size()});
    views.push_back(std::move(view));
  }

  llvm::sort(spans, [&](const Span &a, const Span &b) {
    return std::tie(a.begin, a.end, views[a.view].name) <
           std::tie(b.begin, b.end, views[b.view].name);
  });
  uint64_t reached = 0;
  for (const Span &span : spans) {
    if (span.begin != reached)
      return fail("tensor '" + views[span.view].name + "': expected its bytes to start at " +
                  Twine(reached) + ", where the one before ends, but they start at " +
                  Twine(span.begin) +
                  (span.begin < reached ? "; the two overlap" : "; there is a hole between them"));
    reached = span.end;
  }
  if (reached != dataBytes)
    return fail("expected the tensors to fill the file's " + Twine(dataBytes) +
                " bytes of data, but they end at " + Twine(reached));

  std::vector<TensorView> ordered;
  ordered.reserve(views.size());
  for (const Span &span : spans)
    ordered.push_back(std::move(views[span.view]));
  views = std::move(ordered);
  for (auto [index, view] : enumerate(views))
    byName[view.name] = index;
  return true;
}

} // namespace sluice::model
