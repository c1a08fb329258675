// SPDX-License-Identifier: Apache-2.0
//
// A command program for a near-memory machine: memories with where they live, groups of devices,
// and a list of semantic commands of 64 bytes (docs/pnm/README.md). Here are its two forms, text
// and bytes, and what makes a program valid.
#ifndef SLUICE_TARGET_PNM_PROGRAM_H
#define SLUICE_TARGET_PNM_PROGRAM_H

#include "sluice/Machine/PNMMachine.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::pnm {

enum class Opcode : uint8_t {
  Fill = 1,
  Dma = 2,
  Fence = 3,
  Wait = 4,
  HostWork = 5,
  HostWait = 6,
  Token = 7,
  Gather = 16,
  GatherReduce = 17,
  Gemv = 18,
  ClampReduce = 19,
  ExpertGemv = 20,
  KvAppend = 32,
  KvCopyPages = 33,
  DigestUpdate = 34,
  SearchTopk = 35,
  AttnPartial = 36,
  MergeStates = 37,
};

enum class DType : uint8_t { None, F32, BF16, I8, I32, U8 };
enum class Tier : uint8_t { Host, Sram, Pnm, Hbf };
enum class Shard : uint8_t { Replicate, Rows, Pages, Heads, Experts };
enum class Residency : uint8_t { Pinned, Cached, Streamed };
enum class Mutability : uint8_t { Frozen, Append, ReadWrite };
/// Row: [..., rows, columns]. Hnd: pages of [2, heads, slots, size]. Digest: [page, head, 2, size].
enum class Layout : uint8_t { Row, Hnd, Digest };
enum class Digest : uint8_t { None, MinMax, CuboidMean };

/// Bits of a command's flags.
enum : uint8_t {
  FenceBefore = 1 << 0, ///< starts when all earlier commands of its devices have ended
  SignalsEvent = 1 << 1,
  Base2 = 1 << 2,      ///< states hold base-2 logarithms: refused, there is no exp2 of one rounding
  Accumulate = 1 << 3, ///< gemv, clamp_reduce: the chain starts from what stands in dst
  Normalised = 1 << 4, ///< merge_states: the result is divided by the sum
  Broadcast = 1 << 5,  ///< the descriptor goes to more than one device
};

int64_t bytesOf(DType type); ///< of an element; 0 for None

struct Memory {
  std::string name; ///< at most 31 letters, digits, '_' and '.'
  Tier tier = Tier::Host;
  Shard shard = Shard::Replicate;
  Residency residency = Residency::Pinned;
  Mutability mut = Mutability::ReadWrite;
  Layout layout = Layout::Row;
  DType dtype = DType::F32;
  Digest digest = Digest::None;
  uint16_t group = 0;   ///< number of a group; 0 is the host
  uint32_t shared = 0;  ///< Hnd: leading pages that others use too, never written
  uint32_t columns = 0; ///< I8 rows: inputs per bf16 scale; scales stand after all codes
  llvm::SmallVector<uint64_t, 4> dims; ///< 1 to 4; Hnd and Digest: pages, heads, slots, size

  uint64_t elements() const;
  uint64_t bytes() const; ///< whole, scales included
  uint64_t rowBytes() const { return dims.back() * bytesOf(dtype); }
  uint64_t tileBytes() const { return dims[2] * dims[3] * bytesOf(dtype); }
  /// One item of dim 0: a page, an expert; of Row with two dims a row.
  uint64_t itemBytes() const;
};

/// Devices [first, first + count).
struct Group {
  uint32_t first = 0, count = 0;
  bool contains(uint32_t device) const { return device >= first && device - first < count; }
};

struct Operand {
  uint16_t memory = 0; ///< number from 1; 0 is none
  uint64_t offset = 0; ///< bytes, below 2^48
};

struct Command {
  Opcode opcode = Opcode::Fence;
  uint8_t flags = 0;
  uint16_t group = 0;
  uint32_t tag = 0;
  Operand src0, src1, dst;
  uint32_t n0 = 0, n1 = 0, n2 = 0, stride = 0;
  DType type0 = DType::None, type1 = DType::None, acc = DType::None;
  uint8_t layout = 0;
  float scale = 0;
  uint32_t aux = 0, event = 0;
};

struct Program {
  std::string machine;
  std::vector<Group> groups;    ///< groups[0] is the host: no devices
  std::vector<Memory> memories; ///< memories[0] is unused
  std::vector<Command> commands;

  const Memory &memory(const Operand &operand) const { return memories[operand.memory]; }
};

inline constexpr size_t kDescriptorBytes = 64;
inline constexpr uint32_t kCutKeys = 256; ///< keys of a partial of attention (docs/Contracts.md §4)
inline constexpr uint32_t kStateHead = 4; ///< a state is m, l, cut, flags and then o

llvm::StringRef nameOf(Opcode opcode); ///< "gemv"; "" for what is none
llvm::StringRef nameOf(DType type);
llvm::StringRef nameOf(Tier tier);
llvm::StringRef nameOf(Shard shard);

// ---- bytes ----

void encode(const Command &command, uint8_t bytes[kDescriptorBytes]);
/// Fails on unknown opcodes, types and flags; |why| says which byte.
bool decode(const uint8_t bytes[kDescriptorBytes], Command &command, std::string &why);
/// The file: header with checksum, groups, memories, descriptors. The same program gives the same
/// bytes.
std::string encodeProgram(const Program &program);
/// Nothing and |why| when |bytes| is not exactly what encodeProgram() writes.
std::optional<Program> decodeProgram(llvm::StringRef bytes, std::string &why);

// ---- text ----

void print(const Program &program, llvm::raw_ostream &os);
void print(const Program &program, const Command &command, llvm::raw_ostream &os);
std::optional<Program> parseProgram(const model::SourceText &source, model::ProblemLog &log);

// ---- validity ----

struct Finding {
  int64_t command; ///< -1: a memory or the program
  bool error;      ///< else a remark
  std::string message;
};

struct VerifyOptions {
  bool gatedEnergy = false; ///< refuse memories whose energy is unknown (rule V9)
  bool hazards = true;
};

/// Capacity, alignment, residency, extents, hazards and the placement rules V1 to V10.
std::vector<Finding> verify(const Program &program, const PNMMachine &machine,
                            const VerifyOptions &options = {});
inline bool hasErrors(llvm::ArrayRef<Finding> findings) {
  for (const Finding &finding : findings)
    if (finding.error)
      return true;
  return false;
}

} // namespace sluice::pnm

#endif
