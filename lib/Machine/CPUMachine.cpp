// SPDX-License-Identifier: Apache-2.0
//
// CPUs by name: what LLVM's target parser says about features, what the running machine says about
// itself, and the few numbers that neither knows, each with its source.
#include "sluice/Machine/Machine.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/AArch64TargetParser.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace llvm;

namespace sluice {

StringRef stringify(Dot dot) { return dot == Dot::Fma ? "fma" : "dpbf16"; }

bool CPUMachine::isX86() const { return StringRef(triple).starts_with("x86_64"); }
bool CPUMachine::isAArch64() const { return StringRef(triple).starts_with("aarch64"); }

namespace {

struct CacheSizes {
  int64_t l1, l2, l3;
};

/// Data caches in bytes. Only to choose block sizes: a wrong number costs speed, never a bit.
/// Sources: Intel 64 and IA-32 Optimization Reference Manual (cores of each table), AMD's Software
/// Optimization Guides for family 17h/19h/1Ah, Arm's Neoverse V2 TRM. L3 is per socket or per
/// complex and only a hint.
const struct {
  StringRef cpu;
  CacheSizes caches;
} knownCaches[] = {
    {"x86-64-v3",
     {32 << 10, 256 << 10, 8 << 20}}, // the smallest L2 of the class: Haswell to Coffee Lake
    {"x86-64-v4", {32 << 10, 1 << 20, 16 << 20}}, // the smallest of the class: Skylake-SP, Zen 4
    {"haswell", {32 << 10, 256 << 10, 8 << 20}},
    {"broadwell", {32 << 10, 256 << 10, 8 << 20}},
    {"skylake", {32 << 10, 256 << 10, 8 << 20}},
    {"skylake-avx512", {32 << 10, 1 << 20, 16 << 20}},
    {"cascadelake", {32 << 10, 1 << 20, 16 << 20}},
    {"cooperlake", {32 << 10, 1 << 20, 16 << 20}},
    {"icelake-server", {48 << 10, 1280 << 10, 24 << 20}},
    {"sapphirerapids", {48 << 10, 2 << 20, 32 << 20}},
    {"emeraldrapids", {48 << 10, 2 << 20, 64 << 20}},
    {"graniterapids", {48 << 10, 2 << 20, 64 << 20}},
    {"alderlake", {32 << 10, 1280 << 10, 16 << 20}}, // the smaller L1 of its two kinds of core
    {"znver1", {32 << 10, 512 << 10, 8 << 20}},
    {"znver2", {32 << 10, 512 << 10, 16 << 20}},
    {"znver3", {32 << 10, 512 << 10, 32 << 20}},
    {"znver4", {32 << 10, 1 << 20, 32 << 20}},
    {"znver5", {48 << 10, 1 << 20, 32 << 20}},
    {"neoverse-n1", {64 << 10, 1 << 20, 32 << 20}},
    {"neoverse-v1", {64 << 10, 1 << 20, 32 << 20}},
    {"neoverse-v2", {64 << 10, 2 << 20, 32 << 20}},
};

/// CPUs on which vdpbf16ps (zmm) does more useful work per cycle than two f32 fma.
/// Zen 4 and 5: 512-bit vdpbf16ps issues as often as a 512-bit fma and does twice the products
/// (uops.info; 200-235 against 104-118 GFLOP/s measured on one EPYC core). Cooper Lake: likewise.
/// Sapphire Rapids splits it into several micro-operations: 86 GFLOP/s measured against 175 for
/// fma, so it and its successors, whose bf16 unit is AMX, use fma.
const StringRef dpbf16IsFaster[] = {"znver4", "znver5", "cooperlake"};

/// Features that the loader can ask the machine about, in LLVM's names; what code generation may
/// use without being asked.
const StringRef x86Checkable[] = {
    "avx",        "avx2",        "avx512bf16", "avx512bitalg", "avx512bw",
    "avx512cd",   "avx512dq",    "avx512f",    "avx512fp16",   "avx512ifma",
    "avx512vbmi", "avx512vbmi2", "avx512vl",   "avx512vnni",   "avx512vpopcntdq",
    "avxvnni",    "bmi",         "bmi2",       "f16c",         "fma",
    "gfni",       "lzcnt",       "movbe",      "popcnt",       "sse4.2",
    "vaes",       "vpclmulqdq",
};
const StringRef aarch64Checkable[] = {"bf16", "dotprod", "fp-armv8", "fullfp16",
                                      "i8mm", "neon",    "sve",      "sve2"};

/// The first number of a sysfs file such as "48K"; 0 when there is none.
int64_t readSize(const Twine &path) {
  auto file = MemoryBuffer::getFile(path);
  if (!file)
    return 0;
  StringRef text = (*file)->getBuffer().trim();
  int64_t scale = text.consume_back("K") ? 1 << 10 : text.consume_back("M") ? 1 << 20 : 1;
  int64_t value;
  return text.getAsInteger(10, value) ? 0 : value * scale;
}

std::optional<CacheSizes> hostCaches() {
  CacheSizes sizes = {0, 0, 0};
  for (int index = 0; index < 5; ++index) {
    std::string dir = ("/sys/devices/system/cpu/cpu0/cache/index" + Twine(index)).str();
    auto type = MemoryBuffer::getFile(dir + "/type");
    if (!type || (*type)->getBuffer().starts_with("Instruction"))
      continue;
    int64_t size = readSize(dir + "/size");
    switch (readSize(dir + "/level")) {
    case 1:
      sizes.l1 = size;
      break;
    case 2:
      sizes.l2 = size;
      break;
    case 3:
      sizes.l3 = size;
      break;
    }
  }
  if (!sizes.l1 || !sizes.l2)
    return std::nullopt;
  return sizes;
}

CacheSizes cachesOf(StringRef cpu) {
  for (const auto &known : knownCaches)
    if (known.cpu == cpu)
      return known.caches;
  return {32 << 10, 512 << 10, 8 << 20};
}

/// Row classes for the registers of the machine: every number of rows up to the largest tile. A
/// panel is 16 f32: one zmm, two ymm, four NEON registers. The tile must leave room for a weight
/// vector per panel, what halves are widened in, and one broadcast; wide tiles of few rows keep
/// several weight streams in flight, because those are bound by memory.
SmallVector<RowClass> rowClassesFor(int64_t vectorBytes, int64_t registers) {
  int64_t perPanel = 64 / vectorBytes;
  if (perPanel == 1) // 24 sums + 4 weights + 1 broadcast of 32, or 24 + 6 + 1
    return {{12, {2, 1}}, {11, {2, 1}}, {10, {2, 1}}, {9, {2, 1}}, {8, {3, 1}}, {7, {3, 1}},
            {6, {3, 1}},  {5, {4, 1}},  {4, {4, 1}},  {3, {4, 1}}, {2, {4, 1}}, {1, {8, 4, 1}}};
  if (registers == 16) // 12 sums + 2 weights + 1 broadcast of 16
    return {{6, {1}}, {5, {1}}, {4, {1}}, {3, {1}}, {2, {1}}, {1, {3, 1}}};
  // NEON: 24 sums + 4 weights + 2 of rows, of 32
  return {{6, {1}}, {5, {1}}, {4, {1}}, {3, {1}}, {2, {3, 1}}, {1, {4, 1}}};
}

LinearBlocking blockingFor(const CPUMachine &machine) {
  LinearBlocking blocking;
  // Weights come from memory once a block: six tiles of f32 ask for a fifth of what a core reads.
  blocking.tiles = 6;
  blocking.panels = 32;
  // A step's weights (two panels of f32) and the rows that pass them come from L2 at a tile's pace,
  // so only L2 bounds a block; longer blocks spill fewer partial sums.
  blocking.k = machine.l2Bytes >= 2 << 20 ? 1024 : 512;
  // Two thirds of L1, next to the rows that pass. Each tile then loads and stores its sums more
  // often, which pays only when few tiles share the way from L2.
  int64_t step = machine.rowClasses.front().panels.front() * 64;
  blocking.kFew = machine.l1Bytes * 2 / 3 / step / 16 * 16;
  // A fifth of L2, next to the step's weights, the next step's and the partial sums.
  int64_t rows = (2 * blocking.tiles - 1) * machine.rowClasses.front().rows;
  blocking.packed = std::clamp<int64_t>(machine.l2Bytes / 5 / 4, rows * 256, 100 << 10);
  return blocking;
}

Error unknownCPU(StringRef cpu, const Triple &triple) {
  SmallVector<StringRef> known;
  if (triple.isX86())
    X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
  else
    AArch64::fillValidCPUArchList(known);
  StringRef nearest;
  unsigned best = cpu.size() / 2 + 1;
  for (StringRef candidate : known)
    if (unsigned distance = cpu.edit_distance(candidate); distance < best)
      best = distance, nearest = candidate;
  std::string hint = nearest.empty()
                         ? "expected native, x86-64-v3, x86-64-v4 or a CPU name that LLVM knows"
                         : ("did you mean '" + nearest + "'?").str();
  return createStringError("unknown cpu '" + cpu + "': " + hint);
}

} // namespace

Expected<CPUMachine> describeCPU(StringRef name) {
  CPUMachine machine;
  Triple host(sys::getProcessTriple());
  bool native = name == "native";
  StringRef cpu = native ? sys::getHostCPUName() : name;

  // A model too new for LLVM still says what it can do; the lowest name then carries its features.
  if (native && host.isX86() && X86::parseArchX86(cpu, /*Only64Bit=*/true) == X86::CK_None)
    cpu = "x86-64";

  // Which architecture a name belongs to follows from the name, so that one compiler builds for
  // all.
  Triple triple;
  if (X86::parseArchX86(cpu, /*Only64Bit=*/true) != X86::CK_None)
    triple = Triple("x86_64", "unknown", "linux", "gnu");
  else if (AArch64::parseCpu(cpu))
    triple = Triple("aarch64", "unknown", "linux", "gnu");
  else
    return unknownCPU(cpu, host);
  machine.triple = triple.str();
  machine.cpu = cpu.str();

  StringSet<> has;
  if (native) {
    // A hypervisor may hide what the model has, so the machine's own answer counts, with its noes.
    SmallVector<std::string> list;
    for (const auto &feature : sys::getHostCPUFeatures()) {
      list.push_back((feature.second ? "+" : "-") + feature.first().str());
      if (feature.second)
        has.insert(feature.first());
    }
    llvm::sort(list);
    machine.features = join(list, ",");
  } else if (triple.isX86()) {
    // The list leaves out what its members imply (avx512vl says avx512f).
    SmallVector<StringRef> list;
    X86::getFeaturesForCPU(cpu, list, /*NeedPlus=*/false);
    StringMap<bool> closed;
    for (StringRef feature : list) {
      closed[feature] = true;
      X86::updateImpliedFeatures(feature, /*Enabled=*/true, closed);
    }
    for (const auto &feature : closed)
      if (feature.second)
        has.insert(feature.first());
  } else {
    std::vector<StringRef> list;
    AArch64::getExtensionFeatures(AArch64::parseCpu(cpu)->getImpliedExtensions(), list);
    for (StringRef feature : list)
      has.insert(feature.drop_front()); // "+neon"
  }
  for (StringRef feature : triple.isX86() ? ArrayRef(x86Checkable) : ArrayRef(aarch64Checkable))
    if (has.contains(feature))
      machine.required.push_back(feature.str());

  if (triple.isX86()) {
    if (!has.contains("fma") || !has.contains("avx2"))
      return createStringError(
          "cpu '" + cpu + "' has no " + (has.contains("avx2") ? "fma" : "avx2") +
          ": fused multiply-add decides the bits of every result, so expected x86-64-v3 or newer");
    // The 512-bit path also uses byte and word operations and masks of narrower vectors.
    bool wide = has.contains("avx512f") && has.contains("avx512bw") && has.contains("avx512dq") &&
                has.contains("avx512vl");
    machine.vectorBytes = wide ? 64 : 32;
    machine.vectorRegisters = wide ? 32 : 16;
    machine.maskedStores = wide;
    machine.hasDpbf16 = wide && has.contains("avx512bf16");
    machine.hasVnni = wide && has.contains("avx512vnni");
  } else {
    machine.vectorBytes = 16;
    machine.vectorRegisters = 32;
    machine.maskedStores = false;
    machine.hasDpbf16 = false;
    machine.hasVnni = false;
  }
  machine.bf16Dot = machine.hasDpbf16 && is_contained(dpbf16IsFaster, cpu) ? Dot::Dpbf16 : Dot::Fma;

  CacheSizes caches = cachesOf(cpu);
  if (native)
    caches = hostCaches().value_or(caches);
  machine.l1Bytes = caches.l1;
  machine.l2Bytes = caches.l2;
  machine.l3Bytes = caches.l3;

  machine.rowClasses = rowClassesFor(machine.vectorBytes, machine.vectorRegisters);
  machine.blocking = blockingFor(machine);
  return machine;
}

} // namespace sluice
