// SPDX-License-Identifier: Apache-2.0
//
// Runs command programs: their functions on bytes in host memory, and their time and energy on a
// model of the machine. Both walk the same descriptors; neither knows the other. Everything here is
// deterministic: one program, machine and data give one result, to the last bit.
#ifndef SLUICE_TARGET_PNM_SIMULATOR_H
#define SLUICE_TARGET_PNM_SIMULATOR_H

#include "sluice/Target/PNM/Program.h"

#include <array>
#include <map>
#include <memory>

namespace sluice::pnm {

/// The bytes of a program's memories, each whole (not as its shards), in the order of the program.
struct Data {
  std::vector<std::vector<uint8_t>> bytes; ///< by memory number
  std::vector<bool> written;               ///< by memory number: some command wrote to it
  /// What the functions read and wrote, counted where they did it: by memory number.
  std::vector<uint64_t> readBytes, writtenBytes;

  /// All memories zero. Fails with the memory's name when they need more than |limit| bytes.
  static std::optional<Data> allocate(const Program &program, uint64_t limit, std::string &why);
};

/// Runs command |at| on |data|, which must be of a program that verify() accepts. |why| says which
/// number in an index list, slot or expert is out of range.
bool execute(const Program &program, size_t at, Data &data, std::string &why);

/// A contiguous piece of a memory that a command reads or writes on one device.
struct Access {
  uint16_t memory;
  uint64_t offset, bytes; ///< in the whole memory
  bool write;
  uint32_t times = 1; ///< how often (query heads that do not share a key)
};

/// Calls |visit| for each access of command |at| on device |device| of its group, in the order of
/// the device. Index lists come from |data|; without it they are assumed: page tables and lists
/// ascending and evenly spread, rows pseudo-random, experts in turn. False and |why| on bad lists.
bool forEachAccess(const Program &program, const PNMMachine &machine, size_t at, uint32_t device,
                   const Data *data, llvm::function_ref<void(const Access &)> visit,
                   std::string &why);

/// Where bytes of a memory lie on a device: a channel, and the address inside it.
class AddressMap {
public:
  AddressMap(const Program &program, const PNMMachine &machine);

  struct Place {
    uint32_t channel;
    uint64_t address;
    uint64_t bytes; ///< that lie there in a row
  };
  /// Of |access| on device |device| of its memory's group: the pieces in order.
  void forEachPiece(const Access &access, uint32_t device,
                    llvm::function_ref<void(const Place &)> visit) const;
  /// Offset of |offset| in the shard of |device|.
  uint64_t localOffset(uint16_t memory, uint64_t offset, uint32_t device) const;
  uint64_t granule(uint16_t memory) const { return granules[memory]; }

private:
  const Program &program;
  uint64_t channels;
  std::vector<uint64_t> bases, granules;
};

enum Part { DramRead, DramWrite, Link, Sram, MacF32, MacBF16, MacI8, Compare, AddF32, Exp, kParts };
extern const llvm::StringLiteral kPartNames[kParts];

/// What one command asks of one device.
struct Work {
  uint64_t readBytes = 0, writtenBytes = 0; ///< of memories, as asked for
  uint64_t movedBytes = 0;                  ///< in whole accesses and pages
  uint64_t linkIn = 0, linkOut = 0;
  double memoryNs = 0, meanMemoryNs = 0; ///< of the busiest channel, and of all on average
  double computeNs = 0;
  /// Bits (weighted by the row factor for reads) or operations, as the energy keys count them.
  std::array<double, kParts> amounts = {};
};

/// Of command |at| on device |device| of its group.
bool workOf(const Program &program, const PNMMachine &machine, const AddressMap &map, size_t at,
            uint32_t device, const Data *data, Work &work, std::string &why);

struct Fault {
  uint32_t device;
  double ns;
};

struct Interval {
  enum Unit : uint8_t { Host, Decode, LinkIn, Memory, Compute, LinkOut } unit;
  uint32_t device; ///< 0 for the host
  uint32_t command;
  double begin, end; ///< ns
};

struct SimulationOptions {
  uint64_t repeat = 1;
  std::optional<Fault> fault;
  size_t intervals = 0; ///< most that are recorded
};

struct EnergyRange {
  double lo = 0, value = 0, hi = 0;
};

struct Result {
  double ns = 0;
  uint64_t tokens = 0, commands = 0;
  Work total;                 ///< sums over commands and devices; times are sums of busy time
  uint64_t hostReadBytes = 0; ///< by commands that the host runs itself
  std::vector<std::array<double, 6>> busyNs; ///< by device, then by Interval::Unit; host in [0]
  double hostBusyNs = 0, hostIssueNs = 0;
  double boundNs = 0;   ///< no schedule is faster: busiest unit at its peak rate
  double imbalance = 1; ///< busiest channel over the mean, by time
  std::string binding;  ///< what keeps the time from being shorter
  std::map<std::string, EnergyRange> energy; ///< J by part; absent: unknown
  std::vector<std::string> unknown;          ///< parts that were used and have no known energy
  EnergyRange joules;                        ///< sum of what is known
  std::map<std::string, uint64_t> bytesByTier;
  std::vector<Interval> intervals;
  uint64_t touchedRead = 0, touchedWritten = 0; ///< of devices' memories, counted by the functions
  bool assumedLists = false;                    ///< index lists were not given
  std::string failure; ///< a device failed, or everything waits; "" otherwise
  std::vector<Finding> remarks;
};

/// Time and energy of |program| on |machine|. With |data| its functions run too, before the timing,
/// and its lists say what is read. False and |why| when a command cannot run.
bool simulate(const Program &program, const PNMMachine &machine, Data *data,
              const SimulationOptions &options, Result &result, std::string &why);

/// The report, as lines or as JSON (floats in 17 digits).
void printReport(const Program &program, const PNMMachine &machine, const Result &result,
                 llvm::raw_ostream &os);
void printReportJson(const Program &program, const PNMMachine &machine, const Result &result,
                     llvm::raw_ostream &os);

/// Chrome's trace events (JSON), or one picture (SVG).
void printChromeTrace(const Program &program, const Result &result, llvm::raw_ostream &os);
void printTimelineSvg(const Program &program, const Result &result, llvm::raw_ostream &os);

enum class TraceFormat { Ramulator, DramSim3, Aim };
/// The accesses of device |device| (of the machine), commands [0, limit), in the order of the
/// program. |bytes| counts what the lines stand for. False and |why| on bad lists.
bool printTrace(const Program &program, const PNMMachine &machine, const Data *data,
                TraceFormat format, uint32_t device, uint64_t limit, llvm::raw_ostream &os,
                uint64_t &bytes, std::string &why);

} // namespace sluice::pnm

#endif
