// SPDX-License-Identifier: Apache-2.0
//
// Programs as bytes, little-endian. Decoding accepts exactly what encoding writes: what is reserved
// must be zero, and a checksum covers everything, so that a file with any one bit turned over is
// refused. A descriptor's own fields are checked again when it is decoded, because a device sees
// descriptors without the file around them.
#include "lib/Target/PNM/Names.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"

#include <cstring>

using namespace llvm;
using namespace llvm::support;

namespace sluice::pnm {

static constexpr char kMagic[8] = {'S', 'L', 'P', 'N', 'M', '\r', '\n', 1};
static constexpr size_t kHeaderBytes = 64, kGroupBytes = 8, kMemoryBytes = 96, kNameBytes = 32;
static constexpr size_t kMachineBytes = 32, kChecksumAt = 28;

int64_t bytesOf(DType type) {
  switch (type) {
  case DType::None:
    return 0;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::BF16:
    return 2;
  case DType::I8:
  case DType::U8:
    return 1;
  }
  return 0;
}

StringRef nameOf(Opcode opcode) { return wordOf(kOpcodes, opcode); }
StringRef nameOf(DType type) { return wordOf(kDTypes, type); }
StringRef nameOf(Tier tier) { return wordOf(kTiers, tier); }
StringRef nameOf(Shard shard) { return wordOf(kShards, shard); }

/// a * b, or 2^63 where that is too much: every size is compared with a limit below it.
static uint64_t times(uint64_t a, uint64_t b) {
  uint64_t product;
  return __builtin_mul_overflow(a, b, &product) || product >> 63 ? uint64_t(1) << 63 : product;
}

uint64_t Memory::elements() const {
  uint64_t count = layout == Layout::Hnd ? 2 : 1;
  for (size_t i = 0; i < dims.size(); ++i)
    count = times(count, layout == Layout::Digest && i == 2 ? 2 : dims[i]);
  return count;
}

uint64_t Memory::bytes() const {
  uint64_t codes = times(elements(), bytesOf(dtype));
  if (!columns || dims.empty() || !dims.back())
    return codes;
  return codes + times(elements() / dims.back(), 2 * ((dims.back() + columns - 1) / columns));
}

uint64_t Memory::itemBytes() const {
  return dims[0] ? times(elements() / dims[0], bytesOf(dtype)) : 0;
}

void encode(const Command &c, uint8_t out[kDescriptorBytes]) {
  std::memset(out, 0, kDescriptorBytes);
  out[0] = static_cast<uint8_t>(c.opcode);
  out[1] = c.flags;
  endian::write16le(out + 2, c.group);
  endian::write32le(out + 4, c.tag);
  const Operand *operands[] = {&c.src0, &c.src1, &c.dst};
  for (int i = 0; i < 3; ++i)
    endian::write64le(out + 8 + 8 * i, uint64_t(operands[i]->memory) << 48 |
                                           (operands[i]->offset & (~uint64_t(0) >> 16)));
  const uint32_t extents[] = {c.n0, c.n1, c.n2, c.stride};
  for (int i = 0; i < 4; ++i)
    endian::write32le(out + 32 + 4 * i, extents[i]);
  out[48] = static_cast<uint8_t>(c.type0);
  out[49] = static_cast<uint8_t>(c.type1);
  out[50] = static_cast<uint8_t>(c.acc);
  out[51] = c.layout;
  uint32_t bits;
  std::memcpy(&bits, &c.scale, 4);
  endian::write32le(out + 52, bits);
  endian::write32le(out + 56, c.aux);
  endian::write32le(out + 60, c.event);
}

bool decode(const uint8_t in[kDescriptorBytes], Command &c, std::string &why) {
  c.opcode = static_cast<Opcode>(in[0]);
  if (nameOf(c.opcode).empty()) {
    why = formatv("byte 0 is {0}, which is no opcode", in[0]);
    return false;
  }
  c.flags = in[1];
  if (c.flags & ~kAllFlags) {
    why = formatv("byte 1 has flags {0:x}, expected bits 0 to 5", in[1]);
    return false;
  }
  c.group = endian::read16le(in + 2);
  c.tag = endian::read32le(in + 4);
  Operand *operands[] = {&c.src0, &c.src1, &c.dst};
  for (int i = 0; i < 3; ++i) {
    uint64_t word = endian::read64le(in + 8 + 8 * i);
    *operands[i] = {static_cast<uint16_t>(word >> 48), word & (~uint64_t(0) >> 16)};
  }
  uint32_t *extents[] = {&c.n0, &c.n1, &c.n2, &c.stride};
  for (int i = 0; i < 4; ++i)
    *extents[i] = endian::read32le(in + 32 + 4 * i);
  DType *types[] = {&c.type0, &c.type1, &c.acc};
  for (int i = 0; i < 3; ++i) {
    *types[i] = static_cast<DType>(in[48 + i]);
    if (nameOf(*types[i]).empty()) {
      why = formatv("byte {0} is {1}, which is no element type", 48 + i, in[48 + i]);
      return false;
    }
  }
  c.layout = in[51];
  if (c.layout > static_cast<uint8_t>(Layout::Digest)) {
    why = formatv("byte 51 is {0}, which is no layout", in[51]);
    return false;
  }
  uint32_t bits = endian::read32le(in + 52);
  std::memcpy(&c.scale, &bits, 4);
  c.aux = endian::read32le(in + 56);
  c.event = endian::read32le(in + 60);
  return true;
}

bool isName(StringRef name) {
  return !name.empty() && name.size() < kNameBytes && !isDigit(name.front()) &&
         all_of(name, [](char c) { return isAlnum(c) || c == '_' || c == '.'; });
}

static void encodeMemory(const Memory &m, uint8_t *out) {
  std::memcpy(out, m.name.data(), std::min(m.name.size(), kNameBytes - 1));
  const uint8_t enums[] = {uint8_t(m.tier),   uint8_t(m.shard),      uint8_t(m.residency),
                           uint8_t(m.mut),    uint8_t(m.layout),     uint8_t(m.dtype),
                           uint8_t(m.digest), uint8_t(m.dims.size())};
  std::memcpy(out + 32, enums, 8);
  endian::write16le(out + 40, m.group);
  endian::write32le(out + 44, m.shared);
  endian::write32le(out + 48, m.columns);
  for (size_t i = 0; i < m.dims.size(); ++i)
    endian::write64le(out + 56 + 8 * i, m.dims[i]);
}

static std::string decodeMemory(const uint8_t *in, Memory &m) {
  m.name = StringRef(reinterpret_cast<const char *>(in), kNameBytes).split('\0').first.str();
  m.tier = Tier(in[32]);
  m.shard = Shard(in[33]);
  m.residency = Residency(in[34]);
  m.mut = Mutability(in[35]);
  m.layout = Layout(in[36]);
  m.dtype = DType(in[37]);
  m.digest = Digest(in[38]);
  if (wordOf(kTiers, m.tier).empty() || wordOf(kShards, m.shard).empty() ||
      wordOf(kResidencies, m.residency).empty() || wordOf(kMutabilities, m.mut).empty() ||
      wordOf(kLayouts, m.layout).empty() || wordOf(kDTypes, m.dtype).empty() ||
      wordOf(kDigests, m.digest).empty() || m.dtype == DType::None || in[39] < 1 || in[39] > 4)
    return "has an attribute that is none";
  if (!isName(m.name))
    return "has a name that is none";
  m.group = endian::read16le(in + 40);
  m.shared = endian::read32le(in + 44);
  m.columns = endian::read32le(in + 48);
  for (int i = 0; i < in[39]; ++i)
    m.dims.push_back(endian::read64le(in + 56 + 8 * i));
  return "";
}

std::string encodeProgram(const Program &program) {
  size_t groups = program.groups.size() - 1, memories = program.memories.size() - 1;
  std::string bytes(kHeaderBytes + groups * kGroupBytes + memories * kMemoryBytes +
                        program.commands.size() * kDescriptorBytes,
                    '\0');
  auto *at = reinterpret_cast<uint8_t *>(bytes.data());
  std::memcpy(at, kMagic, 8);
  endian::write32le(at + 8, groups);
  endian::write32le(at + 12, memories);
  endian::write64le(at + 16, program.commands.size());
  std::memcpy(at + 32, program.machine.data(), std::min(program.machine.size(), kMachineBytes - 1));
  uint8_t *out = at + kHeaderBytes;
  for (size_t i = 1; i < program.groups.size(); ++i, out += kGroupBytes) {
    endian::write32le(out, program.groups[i].first);
    endian::write32le(out + 4, program.groups[i].count);
  }
  for (size_t i = 1; i < program.memories.size(); ++i, out += kMemoryBytes)
    encodeMemory(program.memories[i], out);
  for (const Command &command : program.commands) {
    encode(command, out);
    out += kDescriptorBytes;
  }
  uint32_t sum = crc32(ArrayRef<uint8_t>(at, bytes.size())); // of the file with 0 in its place
  endian::write32le(at + kChecksumAt, sum);
  return bytes;
}

std::optional<Program> decodeProgram(StringRef bytes, std::string &why) {
  auto fail = [&](const Twine &message) {
    why = message.str();
    return std::nullopt;
  };
  if (bytes.size() < kHeaderBytes)
    return fail(
        formatv("has {0} bytes, expected a header of {1}", bytes.size(), kHeaderBytes).str());
  auto *in = reinterpret_cast<const uint8_t *>(bytes.data());
  if (std::memcmp(in, kMagic, 7))
    return fail("does not start as a PNM program does");
  if (in[7] != kMagic[7])
    return fail(formatv("is of version {0}, expected {1}", int(in[7]), int(kMagic[7])).str());
  uint64_t groups = endian::read32le(in + 8), memories = endian::read32le(in + 12),
           commands = endian::read64le(in + 16);
  if (commands > bytes.size() / kDescriptorBytes)
    return fail(
        formatv("says that it has {0} commands in {1} bytes", commands, bytes.size()).str());
  uint64_t size =
      kHeaderBytes + groups * kGroupBytes + memories * kMemoryBytes + commands * kDescriptorBytes;
  if (size != bytes.size())
    return fail(formatv("has {0} bytes, expected {1} for {2} groups, {3} memories and {4} commands",
                        bytes.size(), size, groups, memories, commands)
                    .str());
  std::string copy = bytes.str();
  std::memset(copy.data() + kChecksumAt, 0, 4);
  uint32_t sum =
      crc32(ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(copy.data()), copy.size()));
  if (sum != endian::read32le(in + kChecksumAt))
    return fail(formatv("has the checksum {0:x-8}, expected {1:x-8}: it was damaged",
                        endian::read32le(in + kChecksumAt), sum)
                    .str());
  if (groups > 65535 || memories > 65535)
    return fail("has more than 65535 groups or memories");
  Program program;
  program.machine = bytes.substr(32, kMachineBytes).split('\0').first.str();
  const uint8_t *at = in + kHeaderBytes;
  program.groups.resize(1 + groups);
  program.memories.resize(1 + memories);
  for (uint64_t i = 1; i <= groups; ++i, at += kGroupBytes)
    program.groups[i] = {endian::read32le(at), endian::read32le(at + 4)};
  for (uint64_t i = 1; i <= memories; ++i, at += kMemoryBytes)
    if (std::string wrong = decodeMemory(at, program.memories[i]); !wrong.empty())
      return fail(formatv("memory {0} {1}", i, wrong).str());
  StringSet<> names;
  for (const Memory &memory : ArrayRef(program.memories).drop_front())
    if (!names.insert(memory.name).second)
      return fail("has two memories named '" + memory.name + "'");
  program.commands.resize(commands);
  for (uint64_t i = 0; i < commands; ++i, at += kDescriptorBytes)
    if (std::string wrong; !decode(at, program.commands[i], wrong))
      return fail(formatv("command {0}: {1}", i, wrong).str());
  // Names past their end, bytes that are reserved: nothing may hide there.
  if (encodeProgram(program) != bytes)
    return fail("has something in bytes that are reserved");
  return program;
}

} // namespace sluice::pnm
