// SPDX-License-Identifier: Apache-2.0
//
// Every use of an instruction that no portable op says. lib/Target/CPU/Intrinsics.cpp is the only
// file of the CPU target that may name one; a test holds the folder to it.
#ifndef SLUICE_LIB_TARGET_CPU_INTRINSICS_H
#define SLUICE_LIB_TARGET_CPU_INTRINSICS_H

#include "lib/Target/CPU/KernelBuilder.h"
#include "sluice/Machine/Machine.h"

namespace sluice::cpu {

/// sum[i] + x[2i+1]*y[2i+1] + x[2i]*y[2i] as `vdpbf16ps` rounds it: 16 f32 sums, 32 bf16 factors.
/// Machines with hasDpbf16.
Val dpbf16(KernelBuilder &k, Val sum, Val x, Val y);

/// x * 2^n for whole n as `vscalefps` gives it: rounded once, denormal results included. Vectors of
/// 16 f32; machines with 64-byte vectors.
Val scaleByPower(KernelBuilder &k, Val x, Val n);

/// sums[i] + x[4i]*y[4i] + ... + x[4i+3]*y[4i+3] as integers: 16 i32 sums, 64 bytes in 16 words
/// each, those of |x| unsigned and those of |y| signed. One instruction on machines with hasVnni,
/// the same numbers on all others.
Val dot4(KernelBuilder &k, const CPUMachine &machine, Val sums, Val x, Val y);

/// No instruction, but the optimiser must have stored what came before and must load anew what
/// comes after: what a loop adds to in memory does not move into registers that it lacks.
void keepInMemory(KernelBuilder &k);

} // namespace sluice::cpu

#endif
