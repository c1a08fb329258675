// SPDX-License-Identifier: Apache-2.0
//
// The frequencies of a rotation as the compiler bakes them into code.
#ifndef SLUICE_LIB_TARGET_CPU_ROPEFREQUENCIES_H
#define SLUICE_LIB_TARGET_CPU_ROPEFREQUENCIES_H

#include "dialects/Sluice/Sluice.h"

namespace sluice::cpu {

/// The dims/2 frequencies by the definition of sluice.rope and of |scaling| (null: none), each an
/// f32. With #sluice.rope_longrope there are dims: those of short sequences, then those of long
/// ones; with #sluice.rope_dynamic they are those of sequences up to `original`.
std::vector<float> ropeFrequencies(double theta, int64_t dims, RopeScalingAttrInterface scaling);

} // namespace sluice::cpu

#endif
