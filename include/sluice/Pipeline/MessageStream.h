// SPDX-License-Identifier: Apache-2.0
//
// Where diagnostics go: they repeat what stands in files from outside.

#ifndef SLUICE_PIPELINE_MESSAGESTREAM_H
#define SLUICE_PIPELINE_MESSAGESTREAM_H

#include "llvm/Support/raw_ostream.h"

namespace sluice {

/// Passes text on to |os| without what would harm a terminal: control characters become '?', lines
/// end after 1000 bytes. UTF-8 and tabs pass.
class MessageStream : public llvm::raw_ostream {
public:
  explicit MessageStream(llvm::raw_ostream &os) : os(os) { SetUnbuffered(); }
  ~MessageStream() override { flush(); }

private:
  void write_impl(const char *text, size_t size) override;
  uint64_t current_pos() const override { return position; }

  llvm::raw_ostream &os;
  uint64_t position = 0;
  size_t column = 0;
};

} // namespace sluice

#endif // SLUICE_PIPELINE_MESSAGESTREAM_H
