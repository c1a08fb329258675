// SPDX-License-Identifier: Apache-2.0
//
// A processing-near-memory machine as a data file: sections of quantities, each with a value, a
// source, a grade and, where it is known, a range, and curves over the bytes of an item. A quantity
// may be unknown (null) only where the schema says so; what is made of it is then unknown too and
// never a guess. The files of lib/Machine/pnm travel inside the tools; `sluice-pnm schema` lists
// the keys.
#ifndef SLUICE_MACHINE_PNMMACHINE_H
#define SLUICE_MACHINE_PNMMACHINE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::model {
class ProblemLog;
class SourceText;
} // namespace sluice::model

namespace sluice::pnm {

/// Which of its three numbers a quantity stands for in a calculation.
enum class Estimate { Low, Value, High };

/// One number of a machine. |lo| <= |value| <= |hi|; both are |value| where no range is given.
struct Quantity {
  std::optional<double> value; ///< nothing: unknown
  double lo = 0, hi = 0;
  std::string source, grade; ///< grade: P, P-run, S, I, M or fit
};

/// A factor or efficiency by the contiguous bytes of an item: one or more columns over the same
/// ascending item sizes. Between two sizes it is linear in the logarithm of the size; outside, the
/// nearest one counts.
struct Curve {
  std::vector<double> itemBytes;
  std::map<std::string, std::vector<double>> columns;
  std::string source, grade;

  double at(llvm::StringRef column, double bytes) const;
};

/// A whole file. Keys are "section.name".
class PNMMachine {
public:
  std::string name, role;
  std::map<std::string, Quantity> quantities;
  std::map<std::string, Curve> curves;

  /// The quantity |key| of the schema; an optional one that the file leaves out has the schema's
  /// default. Nothing: unknown. Asserts that the schema has the key.
  std::optional<double> find(llvm::StringRef key, Estimate which = Estimate::Value) const;
  /// The same of a quantity that cannot be unknown.
  double get(llvm::StringRef key, Estimate which = Estimate::Value) const;
  const Curve *curve(llvm::StringRef key) const;

  /// Changes one quantity: "key=3e9", "key=x1.1", "key=unknown". The new number is graded I with
  /// the source "set on the command line", its range scaled along with "x", else dropped. Returns
  /// what is wrong with |change|, or "".
  std::string set(llvm::StringRef change);

  /// Bytes per second that the pins of one device give at most.
  double peakBandwidth() const { return get("topology.channels") * get("dram.channel_bandwidth"); }
  /// Floating-point operations per second of one device at most.
  double peakFlops() const {
    return 2 * get("compute.tiles") * get("compute.lanes") * get("compute.clock_hz");
  }

  /// JSON with every number, source, grade and range, and the derived peaks; floats in 17 digits.
  void printJson(llvm::raw_ostream &os) const;
};

/// Reads |source|; nothing after reporting each problem with its line. A file without a grade, with
/// a key that nobody knows, or with a number that cannot be is refused.
std::optional<PNMMachine> parsePNMMachine(const model::SourceText &source, model::ProblemLog &log);

/// A machine by name (one that ships) or by the path of a .yaml file.
std::optional<PNMMachine> readPNMMachine(llvm::StringRef nameOrPath, model::ProblemLog &log);

/// The names of those that ship, sorted.
std::vector<llvm::StringRef> pnmMachineNames();

/// One line for each key of the schema: key, unit, bounds, whether it may be left out or unknown.
void printPNMSchema(llvm::raw_ostream &os);

/// True for P, P-run, S, I, M and fit.
bool isPNMGrade(llvm::StringRef grade);

} // namespace sluice::pnm

#endif
