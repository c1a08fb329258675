// SPDX-License-Identifier: Apache-2.0
//
// Every use of an instruction that no portable op says. lib/Target/CPU/Intrinsics.cpp is the only
// file of the CPU target that may name one; a test holds the folder to it.
#ifndef SLUICE_LIB_TARGET_CPU_INTRINSICS_H
#define SLUICE_LIB_TARGET_CPU_INTRINSICS_H

#include "lib/Target/CPU/KernelBuilder.h"

namespace sluice::cpu {

/// sum[i] + x[2i+1]*y[2i+1] + x[2i]*y[2i] as `vdpbf16ps` rounds it: 16 f32 sums, 32 bf16 factors.
/// Machines with hasDpbf16.
Val dpbf16(KernelBuilder &k, Val sum, Val x, Val y);

/// The pair of bf16 at |mem|[at], [at + 1] in every pair of 32 lanes; and the same with zero for
/// the second, which is not read.
Val broadcastBf16Pair(KernelBuilder &k, Val mem, Val at);
Val broadcastBf16PairFirst(KernelBuilder &k, Val mem, Val at);

} // namespace sluice::cpu

#endif
