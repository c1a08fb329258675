// SPDX-License-Identifier: Apache-2.0
//
// What makes a command program valid for a machine. Messages of the placement rules end in the
// rule's number (docs/pnm/README.md); every memory and every command is checked, and all that is
// wrong is reported.
#include "lib/Target/PNM/Extents.h"
#include "lib/Target/PNM/Hazards.h"
#include "lib/Target/PNM/Names.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace llvm;

namespace sluice::pnm {

static constexpr uint64_t kFlashAlign = 4096, kOperandAlign = 4;
static constexpr size_t kMostFindings = 100;

namespace {
class Verifier {
public:
  Verifier(const Program &program, const PNMMachine &machine, const VerifyOptions &options)
      : program(program), machine(machine), options(options) {}

  std::vector<Finding> run();

private:
  template <typename... Args>
  void fail(const char *format, Args &&...args) {
    add(true, formatv(format, std::forward<Args>(args)...).str());
  }
  void add(bool error, std::string message) {
    if (findings.size() < kMostFindings)
      findings.push_back({at, error, std::move(message)});
  }
  void checkGroups();
  void checkMemory(const Memory &memory);
  void checkCapacity();
  void checkCommand(const Command &command);
  bool checkOperands(const Command &command);
  void checkRange(StringRef name, const Operand &operand, uint64_t bytes);
  void checkResident(const Command &command);
  void checkTypes(const Command &command);
  void checkMatrix(const Command &command);
  void checkAttention(const Command &command);
  void checkPages(const Command &command);
  void checkUnused(const Command &command);

  const Program &program;
  const PNMMachine &machine;
  const VerifyOptions &options;
  std::vector<Finding> findings;
  int64_t at = -1;
};
} // namespace

void Verifier::checkGroups() {
  uint64_t devices = machine.get("topology.devices");
  for (size_t i = 1; i < program.groups.size(); ++i) {
    const Group &group = program.groups[i];
    if (group.count == 0 || uint64_t(group.first) + group.count > devices)
      fail("group {0} has devices {1} to {2}, but '{3}' has {4} devices", i, group.first,
           int64_t(group.first) + group.count - 1, machine.name, devices);
  }
}

void Verifier::checkMemory(const Memory &m) {
  if (m.group >= program.groups.size())
    return fail("memory '{0}' is in group {1}, which does not exist", m.name, m.group);
  if (is_contained(m.dims, 0) || m.bytes() >> 48)
    return fail("memory '{0}' has no bytes, or 2^48 and more", m.name);
  bool paged = m.layout != Layout::Row;
  if ((m.tier == Tier::Host) != (m.group == 0))
    fail("memory '{0}' of tier {1} is in group {2}; the host is group 0 and has tier host only",
         m.name, nameOf(m.tier), m.group);
  if (paged && m.dims.size() != 4)
    return fail("memory '{0}' of pages has {1} dims, expected [pages, heads, slots, size]", m.name,
                m.dims.size());
  if (paged && (m.dims[2] < 16 || m.dims[2] > kCutKeys || (m.dims[2] & (m.dims[2] - 1))))
    fail("memory '{0}' has pages of {1} slots, expected 16, 32, 64, 128 or 256", m.name, m.dims[2]);
  if (paged && m.dtype != DType::F32 && m.dtype != DType::BF16)
    fail("memory '{0}' has pages of {1}, expected f32 or bf16 (V8)", m.name, nameOf(m.dtype));
  if ((m.layout == Layout::Digest) != (m.digest != Digest::None))
    fail("memory '{0}' {1} (V6)", m.name,
         m.layout == Layout::Digest ? "lacks the kind of its digests"
                                    : "has a kind of digests and another layout");
  if (m.shared && (m.layout != Layout::Hnd || m.shared > m.dims[0]))
    fail("memory '{0}' says that {1} pages are shared", m.name, m.shared);
  if (m.columns && (m.dtype != DType::I8 || m.layout != Layout::Row || m.dims.size() < 2))
    fail("memory '{0}' has scales, which belong to rows of i8 codes", m.name);
  if (m.tier == Tier::Hbf && m.mut != Mutability::Frozen)
    fail("memory '{0}' in flash is written ('mut' is not frozen): its cells wear out; keep it in "
         "pnm or host (V1)",
         m.name);
  if (m.tier == Tier::Hbf && m.layout == Layout::Row && m.rowBytes() < kFlashAlign)
    add(false, formatv("memory '{0}' has rows of {1} bytes in flash, where {2} are read: {3:f1} "
                       "times as much (V2)",
                       m.name, m.rowBytes(), kFlashAlign, double(kFlashAlign) / m.rowBytes())
                   .str());
  if ((m.tier == Tier::Pnm || m.tier == Tier::Sram) && m.mut != Mutability::Frozen &&
      machine.get("dram.writable") == 0)
    fail("memory '{0}' is written, but '{1}' is read-only (V1)", m.name, machine.name);
  if (m.tier == Tier::Hbf && !machine.find("energy.dram_read") && options.gatedEnergy)
    fail("memory '{0}' lies where a read has no known energy, so no energy may be gated on (V9)",
         m.name);
  uint64_t count = program.groups[m.group].count;
  if (m.group && m.shard != Shard::Replicate) {
    uint64_t units = m.shard == Shard::Heads ? (m.dims.size() > 1 ? m.dims[1] : 1)
                     : m.shard == Shard::Rows
                         ? (m.dims.size() > 1 ? m.dims[m.dims.size() - 2] : m.dims[0])
                         : m.dims[0];
    if (m.shard == Shard::Heads && units < count)
      fail("memory '{0}' is divided by {1} heads over {2} devices; divide its pages instead (V5)",
           m.name, units, count);
    if (m.shard == Shard::Heads && !paged)
      fail("memory '{0}' is divided by heads, but has no pages (V5)", m.name);
    if (m.shard == Shard::Pages && !paged)
      fail("memory '{0}' is divided by pages, but has none", m.name);
    if (m.shard == Shard::Rows && paged)
      fail("memory '{0}' of pages is divided by rows", m.name);
  }
  if (!m.group && m.shard != Shard::Replicate)
    fail("memory '{0}' of the host is divided", m.name);
}

void Verifier::checkCapacity() {
  uint64_t perDevice = machine.get("capacity.device_bytes"),
           sram = machine.get("compute.sram_bytes");
  uint64_t perShard = machine.get("capacity.shard_bytes"),
           channels = machine.get("topology.channels");
  // Few groups overlap: sums at the ends of ranges.
  std::map<std::pair<uint32_t, bool>, int64_t> change;
  for (const Memory &m : ArrayRef(program.memories).drop_front()) {
    if (!m.group || m.group >= program.groups.size())
      continue;
    const Group &group = program.groups[m.group];
    int64_t bytes = shardBytes(m, group.count);
    bool small = m.tier == Tier::Sram;
    change[{group.first, small}] += bytes;
    change[{group.first + group.count, small}] -= bytes;
    if (perShard && !small && uint64_t(bytes) > perShard * channels)
      fail("memory '{0}' puts {1} bytes on a device, in {2} channels of at most {3} each (V3)",
           m.name, bytes, channels, perShard);
  }
  int64_t dram = 0, inSram = 0;
  for (auto [key, delta] : change) {
    (key.second ? inSram : dram) += delta;
    if (delta > 0 && !key.second && uint64_t(dram) > perDevice)
      fail("device {0} of '{1}' would hold {2} bytes, its capacity is {3} (V3)", key.first,
           machine.name, dram, perDevice);
    if (delta > 0 && key.second && uint64_t(inSram) > sram)
      fail("device {0} of '{1}' would hold {2} bytes of sram, it has {3} (V3)", key.first,
           machine.name, inSram, sram);
  }
}

void Verifier::checkRange(StringRef name, const Operand &operand, uint64_t bytes) {
  if (!bytes)
    return;
  const Memory &m = program.memory(operand);
  uint64_t align = m.tier == Tier::Hbf ? kFlashAlign : kOperandAlign;
  if (m.dtype == DType::BF16 && align < 4096)
    align = 2;
  if (m.dtype == DType::I8 || m.dtype == DType::U8)
    align = std::max<uint64_t>(1, align == kFlashAlign ? kFlashAlign : 1);
  if (operand.offset % align)
    fail("{0} is '{1}'+{2}, expected a multiple of {3}{4}", name, m.name, operand.offset, align,
         m.tier == Tier::Hbf ? " (V2)" : "");
  uint64_t size = m.bytes();
  if (operand.offset > size || bytes > size - operand.offset)
    fail("{0} is {1} bytes of '{2}' from {3} on, but it has {4}", name, bytes, m.name,
         operand.offset, size);
}

/// What each command takes. The table is the definition; anything else must be absent.
static bool takes(const Command &c, int operand) {
  switch (c.opcode) {
  case Opcode::Fill:
    return operand == 2;
  case Opcode::Dma:
  case Opcode::MergeStates:
    return operand != 1;
  case Opcode::KvAppend:
    return operand != 0;
  case Opcode::Fence:
  case Opcode::Wait:
  case Opcode::HostWork:
  case Opcode::HostWait:
  case Opcode::Token:
    return false;
  default:
    return true;
  }
}

bool Verifier::checkOperands(const Command &c) {
  size_t before = findings.size();
  const Operand *operands[] = {&c.src0, &c.src1, &c.dst};
  StringRef names[] = {"src0", "src1", "dst"};
  for (int i = 0; i < 3; ++i) {
    if (!takes(c, i)) {
      if (operands[i]->memory || operands[i]->offset)
        fail("has {0}, but '{1}' takes none", names[i], nameOf(c.opcode));
    } else if (!operands[i]->memory || operands[i]->memory >= program.memories.size()) {
      fail("{0} is memory {1}, expected one of 1 to {2}", names[i], operands[i]->memory,
           program.memories.size() - 1);
    }
  }
  return findings.size() == before;
}

/// Rule V4, and who may write where.
void Verifier::checkResident(const Command &c) {
  const Memory &m0 = program.memory(c.src0), &target = program.memory(c.dst);
  if (takes(c, 2)) {
    if (target.mut == Mutability::Frozen)
      fail("writes '{0}', which is frozen{1}", target.name,
           target.tier == Tier::Hbf ? " in flash (V1)" : "");
    if (target.mut == Mutability::Append && c.opcode != Opcode::KvAppend &&
        c.opcode != Opcode::KvCopyPages && c.opcode != Opcode::Fill)
      fail("writes '{0}', which may only be appended to", target.name);
    if (target.group && target.group != c.group && c.opcode != Opcode::Dma)
      fail("writes '{0}' of group {1} from group {2} (V4)", target.name, target.group, c.group);
  }
  bool large = c.opcode >= Opcode::Gather && takes(c, 0) && c.opcode != Opcode::MergeStates;
  if (large && m0.tier != Tier::Pnm && m0.tier != Tier::Hbf)
    fail("reads '{0}' of tier {1}; its large operand must be resident in pnm or hbf (V4)", m0.name,
         nameOf(m0.tier));
  else if (large && m0.group != c.group)
    fail("reads '{0}' of group {1} from group {2}; commands run where their large operand is (V4)",
         m0.name, m0.group, c.group);
  if (large && m0.residency == Residency::Streamed)
    fail("reads '{0}', which is streamed and so not resident (V4)", m0.name);
  if (c.opcode == Opcode::MergeStates && m0.group != c.group && m0.tier != Tier::Host)
    fail("reads '{0}' of group {1} from group {2} (V4)", m0.name, m0.group, c.group);
  if (takes(c, 1)) {
    const Memory &m1 = program.memory(c.src1);
    if (m1.group && m1.group != c.group)
      fail("takes its arguments from '{0}' of group {1}, but runs on group {2} (V4)", m1.name,
           m1.group, c.group);
    if (m1.group && m1.shard != Shard::Replicate)
      fail("takes its arguments from '{0}', which is divided; each device reads all of them",
           m1.name);
  }
  // One logical result has one owner, unless it is the same everywhere or is gathered on the host.
  if (takes(c, 0) && takes(c, 2) && c.opcode != Opcode::Dma && target.group &&
      program.groups[c.group].count > 1 && m0.shard != Shard::Replicate &&
      target.shard == Shard::Replicate)
    fail("writes parts of '{0}' on each device, but every device should have all of it; give it "
         "tier "
         "host or the shard of '{1}' (V4)",
         target.name, m0.name);
}

void Verifier::checkTypes(const Command &c) {
  if (c.type0 != (takes(c, 0) ? program.memory(c.src0).dtype : DType::None) &&
      c.opcode >= Opcode::Gather && c.opcode != Opcode::MergeStates)
    fail("type0 is {0}, but '{1}' has {2} (V8)", nameOf(c.type0),
         takes(c, 0) ? program.memory(c.src0).name : "it",
         nameOf(takes(c, 0) ? program.memory(c.src0).dtype : DType::None));
  bool integers = c.type1 == DType::I8;
  DType acc = integers ? DType::I32 : DType::F32;
  bool computes = c.opcode >= Opcode::GatherReduce && c.opcode != Opcode::KvAppend &&
                  c.opcode != Opcode::KvCopyPages && c.opcode != Opcode::DigestUpdate;
  if (computes && c.acc != acc)
    fail("accumulates in {0}, expected {1} (V8)", nameOf(c.acc), nameOf(acc));
  if (!computes && c.acc != DType::None)
    fail("accumulates in {0}, but adds nothing up", nameOf(c.acc));
  bool needsUnit = c.opcode >= Opcode::GatherReduce && c.group != 0;
  if (needsUnit && machine.get("compute.tiles") == 0)
    fail("computes, but '{0}' is a memory without logic: read its rows with gather or dma",
         machine.name);
  else if (needsUnit && computes && !integers && machine.get("compute.float") == 0)
    fail("computes in {0}, but '{1}' has integers only", nameOf(c.acc), machine.name);
}

void Verifier::checkMatrix(const Command &c) {
  const Memory &m = program.memory(c.src0);
  if (m.layout != Layout::Row || m.dims.size() < 2)
    return fail("reads '{0}', expected rows", m.name);
  uint64_t row = m.rowBytes(), rows = m.elements() / m.dims.back();
  bool integers = c.type1 == DType::I8;
  if (c.n2 != m.dims.back())
    fail("n2 is {0}, but '{1}' has rows of {2}", c.n2, m.name, m.dims.back());
  if (!c.n0 || !c.n1)
    fail("has {0} rows and {1} vectors, expected 1 or more", c.n0, c.n1);
  if (row && c.src0.offset % row)
    fail("src0 starts inside a row of '{0}'", m.name);
  else if (row && c.src0.offset / row + c.n0 > rows)
    fail("reads rows {0} to {1} of '{2}', which has {3}", c.src0.offset / row,
         c.src0.offset / row + c.n0 - 1, m.name, rows);
  uint64_t layer = m.dims[m.dims.size() - 2];
  if (row && m.shard == Shard::Rows && c.src0.offset / row % layer + c.n0 > layer)
    fail("reads rows of two matrices of '{0}', which is divided by the rows of each", m.name);
  if (c.type1 != DType::F32 && c.type1 != DType::BF16 && !integers)
    fail("takes vectors of {0}, expected f32, bf16 or i8", nameOf(c.type1));
  if (m.dtype != DType::F32 && m.dtype != DType::BF16 && m.dtype != DType::I8)
    fail("multiplies by {0}, expected f32, bf16 or i8", nameOf(m.dtype));
  if (integers && (m.dtype != DType::I8 || m.columns))
    fail("multiplies i8 by '{0}', expected i8 without scales", m.name);
  if (m.dtype == DType::I8 && !integers &&
      (!m.columns || c.opcode == Opcode::ClampReduce || c.type1 != DType::F32))
    fail("multiplies codes of '{0}', expected scales, f32 vectors and 'gemv'", m.name);
  if (integers && uint64_t(c.n2) * 127 * 127 > 0x7fffffff)
    fail("adds {0} products of i8 in i32, which may overflow", c.n2);
}

void Verifier::checkPages(const Command &c) {
  bool append = c.opcode == Opcode::KvAppend;
  const Memory &m = append ? program.memory(c.dst) : program.memory(c.src0);
  if (m.layout != Layout::Hnd)
    return fail("takes pages, but '{0}' has layout {1}", m.name, wordOf(kLayouts, m.layout));
  const Memory &target = program.memory(c.dst);
  if (append && c.type1 != DType::F32 && c.type1 != DType::BF16)
    fail("appends {0}, expected f32 or bf16 (V8)", nameOf(c.type1));
  if (c.opcode == Opcode::KvCopyPages && c.src0.memory != c.dst.memory)
    fail("copies pages of '{0}' to '{1}', expected one memory", m.name, target.name);
  if (c.opcode == Opcode::DigestUpdate) {
    if (target.layout != Layout::Digest || target.dims[0] != m.dims[0] ||
        target.dims[1] != m.dims[1] || target.dims[2] != m.dims[2] || target.dims[3] != m.dims[3] ||
        target.dtype != m.dtype)
      fail("digests of '{0}' do not fit '{1}': expected the same pages, heads, size and type (V6)",
           m.name, target.name);
    else if (target.group != m.group || target.shard != m.shard)
      fail("'{0}' does not lie where its pages '{1}' do (V6)", target.name, m.name);
  }
}

void Verifier::checkAttention(const Command &c) {
  const Memory &m = program.memory(c.src0);
  bool search = c.opcode == Opcode::SearchTopk;
  if (m.layout != (search ? Layout::Digest : Layout::Hnd))
    return fail("reads '{0}', expected {1}", m.name, search ? "digests (V6)" : "pages");
  uint64_t heads = search ? c.n1 : c.aux;
  if (!heads || heads % m.dims[1])
    fail("has {0} query heads for {1} of '{2}', expected a multiple", heads, m.dims[1], m.name);
  if (search) {
    SearchAux aux(c.aux);
    if (c.n2 != m.dims[3])
      fail("n2 is {0}, but '{1}' has vectors of {2}", c.n2, m.name, m.dims[3]);
    if (!c.n0 || !aux.k || aux.k > c.n0 || aux.first + aux.last > aux.k)
      fail("keeps {0} of {1} pages, {2} and {3} of them always", aux.k, c.n0, aux.first, aux.last);
    if (aux.k > machine.get("compute.topk_entries"))
      fail("keeps {0} pages, '{1}' keeps {2} at most", aux.k, machine.name,
           machine.get("compute.topk_entries"));
    return;
  }
  uint64_t page = m.dims[2];
  if (!c.n1 || c.n1 > uint64_t(c.n0) * page || c.n1 + page <= uint64_t(c.n0) * page)
    fail("has {0} keys in {1} pages of {2}", c.n1, c.n0, page);
  if (c.n2 > c.n0)
    fail("lists {0} of {1} pages", c.n2, c.n0);
  if (!std::isfinite(c.scale) || c.scale == 0)
    fail("scale is {0}, expected a number other than 0", c.scale);
}

void Verifier::checkUnused(const Command &c) {
  auto zero = [&](StringRef name, uint64_t value) {
    if (value)
      fail("{0} is {1}, but '{2}' does not use it", name, value, nameOf(c.opcode));
  };
  Opcode o = c.opcode;
  bool host = o == Opcode::HostWork || o == Opcode::HostWait || o == Opcode::Token;
  bool matrix = o == Opcode::Gemv || o == Opcode::ClampReduce;
  if (host || o == Opcode::Fence || o == Opcode::Wait)
    zero("n1", c.n1);
  if (!matrix && o != Opcode::SearchTopk && o != Opcode::AttnPartial && o != Opcode::MergeStates &&
      o != Opcode::ExpertGemv)
    zero("n2", c.n2);
  if (o == Opcode::Fence || o == Opcode::Wait || o == Opcode::HostWait)
    zero("n0", c.n0);
  if (o != Opcode::AttnPartial)
    zero("stride", c.stride);
  if (!matrix && o != Opcode::ExpertGemv && o != Opcode::KvAppend)
    zero("type1", uint8_t(c.type1));
  if (o < Opcode::Gather || o == Opcode::MergeStates)
    zero("type0", uint8_t(c.type0));
  if (o != Opcode::Fill && o != Opcode::AttnPartial) {
    if (c.scale != 0 || std::signbit(c.scale))
      fail("scale is {0}, but '{1}' does not use it", c.scale, nameOf(o));
  }
  if (o != Opcode::GatherReduce && o != Opcode::SearchTopk && o != Opcode::AttnPartial)
    zero("aux", c.aux);
  if (o == Opcode::GatherReduce && (c.aux > 7 || (c.aux & 3) == 3))
    fail("aux is {0}, expected an operation of 0 to 2 and bit 2", c.aux);
  Layout layout = o == Opcode::KvAppend ? program.memory(c.dst).layout
                  : takes(c, 0)         ? program.memory(c.src0).layout
                                        : Layout::Row;
  if (c.layout != uint8_t(layout))
    fail("layout is {0}, expected {1}", wordOf(kLayouts, Layout(c.layout)),
         wordOf(kLayouts, layout));
  bool broadcast = c.group && program.groups[c.group].count > 1;
  if (bool(c.flags & Broadcast) != broadcast)
    fail("flag 'broadcast' is {0}, but group {1} has {2} devices", bool(c.flags & Broadcast),
         c.group, program.groups[c.group].count);
  bool waits = o == Opcode::Wait || o == Opcode::HostWait;
  if (bool(c.flags & SignalsEvent) != (c.event != 0 && !waits))
    fail("flag 'event' is {0}, but the event is {1}", bool(c.flags & SignalsEvent), c.event);
  if (waits && !c.event)
    fail("waits for event 0, expected one from 1 on");
  if (c.flags & Base2)
    fail("asks for base-2 states: partials are natural here, and the merge needs one base (V7)");
  if ((c.flags & Accumulate) && !matrix)
    fail("flag 'accumulate' is for gemv and clamp_reduce");
  if ((c.flags & Normalised) && o != Opcode::MergeStates)
    fail("flag 'normalised' is for merge_states: partials are merged before they are divided (V7)");
  if (host && c.flags & FenceBefore)
    fail("flag 'fence' is for commands of devices");
}

void Verifier::checkCommand(const Command &c) {
  if (c.group >= program.groups.size())
    return fail("runs on group {0}, which does not exist", c.group);
  bool host =
      c.opcode == Opcode::HostWork || c.opcode == Opcode::HostWait || c.opcode == Opcode::Token;
  bool anywhere = c.opcode == Opcode::MergeStates;
  if (!anywhere && host != (c.group == 0))
    return fail("'{0}' runs on {1}", nameOf(c.opcode),
                host ? "the host: expected group 0" : "devices: expected a group from 1 on");
  if (!checkOperands(c))
    return;
  checkUnused(c);
  Extents extents = extentsOf(program, c);
  // Whole memories count from their start.
  if (takes(c, 0))
    checkRange("src0", c.src0, extents.src0);
  if (takes(c, 1))
    checkRange("src1", c.src1, extents.src1);
  if (takes(c, 2))
    checkRange("dst", c.dst, extents.dst);
  checkResident(c);
  checkTypes(c);
  switch (c.opcode) {
  case Opcode::Gemv:
  case Opcode::ClampReduce:
    checkMatrix(c);
    break;
  case Opcode::Gather:
  case Opcode::GatherReduce: {
    const Memory &m = program.memory(c.src0);
    if (m.layout != Layout::Row || m.dims.size() != 2 || m.columns)
      fail("reads '{0}', expected a table of rows", m.name);
    else if (c.opcode == Opcode::GatherReduce && m.dtype != DType::F32 && m.dtype != DType::BF16)
      fail("adds rows of {0}, expected f32 or bf16", nameOf(m.dtype));
    if (!c.n0)
      fail("reads no rows, expected 1 or more");
    break;
  }
  case Opcode::ExpertGemv: {
    const Memory &m = program.memory(c.src0);
    if (m.layout != Layout::Row || m.dims.size() != 3 || m.dims[1] != uint64_t(3) * c.n2 ||
        m.columns)
      fail("reads '{0}', expected experts of [3 n2, size] with n2 = {1}", m.name, c.n2);
    else if ((m.dtype != DType::F32 && m.dtype != DType::BF16) || c.type1 != m.dtype)
      fail("multiplies {0} by {1}, expected f32 or bf16 for both", nameOf(c.type1),
           nameOf(m.dtype));
    break;
  }
  case Opcode::KvAppend:
  case Opcode::KvCopyPages:
  case Opcode::DigestUpdate:
    checkPages(c);
    break;
  case Opcode::SearchTopk:
  case Opcode::AttnPartial:
    checkAttention(c);
    break;
  case Opcode::MergeStates:
    if (!c.n0 || !c.n1 || !c.n2)
      fail("merges {0} states of {1} heads of {2}", c.n0, c.n1, c.n2);
    break;
  default:
    break;
  }
}

std::vector<Finding> Verifier::run() {
  if (program.machine != machine.name)
    add(false,
        formatv("was made for '{0}', checked for '{1}'", program.machine, machine.name).str());
  checkGroups();
  for (const Memory &memory : ArrayRef(program.memories).drop_front())
    checkMemory(memory);
  if (!hasErrors(findings))
    checkCapacity();
  if (hasErrors(findings))
    return findings;
  for (at = 0; at < int64_t(program.commands.size()); ++at)
    checkCommand(program.commands[at]);
  if (!hasErrors(findings) && options.hazards)
    findHazards(program, [&](int64_t command, std::string message) {
      at = command;
      add(true, std::move(message));
    });
  return findings;
}

std::vector<Finding> verify(const Program &program, const PNMMachine &machine,
                            const VerifyOptions &options) {
  return Verifier(program, machine, options).run();
}

} // namespace sluice::pnm
