// SPDX-License-Identifier: Apache-2.0
//
// See MessageStream.h.

#include "sluice/Pipeline/MessageStream.h"

namespace sluice {

constexpr size_t kLineBytes = 1000;

void MessageStream::write_impl(const char *text, size_t size) {
  for (const char *c = text; c != text + size; ++c) {
    if (*c == '\n') {
      os << '\n';
      column = 0;
      continue;
    }
    if (column == kLineBytes)
      os << "...";
    if (column++ < kLineBytes)
      os << ((static_cast<unsigned char>(*c) < 0x20 && *c != '\t') || *c == 0x7f ? '?' : *c);
  }
  position += size;
}
} // namespace sluice
