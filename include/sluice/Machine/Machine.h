// SPDX-License-Identifier: Apache-2.0
//
// What a machine looks like to the passes that place, schedule and emit: sizes and abilities, never
// policy of a model. Every number that is not read from the machine itself stands in
// lib/Machine/CPUMachine.cpp with its source.
#ifndef SLUICE_MACHINE_MACHINE_H
#define SLUICE_MACHINE_MACHINE_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sluice {

/// How a bf16 x bf16 product sum is stepped (docs/Contracts.md §4). Part of an artefact's identity:
/// the two differ in bits.
enum class Dot {
  Fma,    ///< one f32 fma per k, bf16 widened in registers; the same bits on every machine with fma
  Dpbf16, ///< a pair of k per step as `vdpbf16ps` rounds it (denormals flushed)
};

llvm::StringRef stringify(Dot dot);

/// A register tile of a linear kernel: so many rows against so many panels of 16 outputs. Every row
/// count is split into row classes from the largest down; for each class the widest panel count
/// that still fits is used. All give the same bits.
struct RowClass {
  int64_t rows;
  llvm::SmallVector<int64_t, 3> panels; ///< descending; ends with 1
};

/// Cache blocking of a linear kernel: which piece of the work is kept where. The scratch arrays
/// that follow from it lie on the stack.
struct LinearBlocking {
  int64_t tiles; ///< row tiles of a block, at least, when there are that many; less than twice that
  int64_t panels; ///< panels taken together: their partial sums stay in L2 between k blocks
  int64_t k;      ///< inputs that tiles take at a time when there are many rows; even
  int64_t kFew;   ///< the same with few tiles: a step's weights stay in L1 from tile to tile; even
  int64_t packed; ///< numbers of a block's activations that stay in L2 while panels pass by
};

struct CPUMachine {
  std::string triple;   ///< "x86_64-unknown-linux-gnu"
  std::string cpu;      ///< LLVM's name; "native" is resolved
  std::string features; ///< LLVM's feature string, for the code generator
  /// What the loader has to find on the machine that runs the code, in LLVM's names ("avx2", "fma",
  /// ...), sorted.
  llvm::SmallVector<std::string> required;

  int64_t vectorBytes;     ///< 64, 32 or 16
  int64_t vectorRegisters; ///< 32 or 16
  bool maskedStores;       ///< whether a masked store costs about what a plain one does
  bool hasDpbf16;          ///< whether Dot::Dpbf16 can be compiled for
  Dot bf16Dot;             ///< the faster one here
  bool hasVnni;            ///< whether it has vpdpbusd on 64 bytes

  int64_t l1Bytes, l2Bytes, l3Bytes; ///< data caches; L1 and L2 of one core, L3 as shared

  llvm::SmallVector<RowClass> rowClasses; ///< rows descending; the last has one row
  LinearBlocking blocking;

  bool isX86() const;
  bool isAArch64() const;
};

/// How the linear kernel walks the panels of one layer on one machine: the part of `#place.panels`
/// that changes no bits.
struct LinearTiling {
  llvm::SmallVector<int64_t> rows; ///< row classes, descending
  int64_t panels;                  ///< of the widest tile of the largest row class
  int64_t stream;                  ///< panels in flight with one row
  int64_t kblock;                  ///< inputs between two spills of the partial sums; 0: never
};

/// The tiling of a layer of so many outputs and inputs (both positive). `place-choose-schedules`
/// writes it, and the kernel holds a schedule to it.
LinearTiling linearTiling(const CPUMachine &machine, int64_t outputs, int64_t inputs);

/// The machine called |cpu|: "native", a level ("x86-64-v3", "x86-64-v4") or a name that LLVM knows
/// ("sapphirerapids", "znver4", "neoverse-v2"). Errors: an unknown name (with the nearest one), one
/// without fused multiply-add.
llvm::Expected<CPUMachine> describeCPU(llvm::StringRef cpu);

} // namespace sluice

#endif
