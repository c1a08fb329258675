// SPDX-License-Identifier: Apache-2.0
//
// The tables. 45 nm: Horowitz, ISSCC 2014, at 0.9 V. 7 nm: Jouppi et al., TPUv4i, ISCA 2021, table
// 2. Movement: AttAcc's chain, CENT, DRAM simulators' current tables; nobody has published what a
// read of high-bandwidth flash or of NAND costs per bit.
#include "sluice/Machine/EnergyTable.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

using namespace llvm;

namespace sluice::pnm {

static const std::optional<double> kNone;

ArrayRef<OperationEnergy> operationEnergies() {
  static const OperationEnergy table[] = {
      {"add_i8", 0.03, 0.007, "S", "M", "Horowitz; TPUv4i"},
      {"add_i16", 0.05, 0.015, "S", "I", "Horowitz; half of 32 bits"},
      {"add_i32", 0.1, 0.03, "S", "S", "Horowitz; TPUv4i"},
      {"mul_i8", 0.2, 0.07, "S", "M", "Horowitz; TPUv4i"},
      {"mul_i32", 3.1, 1.48, "S", "S", "Horowitz; TPUv4i"},
      {"add_bf16", kNone, 0.11, "-", "S", "TPUv4i"},
      {"mul_bf16", kNone, 0.21, "-", "S", "TPUv4i"},
      {"add_f16", 0.4, 0.16, "S", "M", "Horowitz; TPUv4i"},
      {"mul_f16", 1.1, 0.34, "S", "M", "Horowitz; TPUv4i"},
      {"add_f32", 0.9, 0.38, "S", "M", "Horowitz; TPUv4i"},
      {"mul_f32", 3.7, 1.31, "S", "M", "Horowitz; TPUv4i"},
      {"exp", 37.0, 13.1, "I", "I", "ten f32 multiplies"},
  };
  return table;
}

ArrayRef<TierEnergy> tierEnergies() {
  static const TierEnergy table[] = {
      {"register", 0.0084, 0.005, 0.02, "P", "AttAcc, 0.0675 pJ a byte"},
      {"sram_small", 0.13, 0.12, 0.16, "M", "TPUv4i, 8 to 32 KB; AttAcc L1"},
      {"sram_1mb", 0.25, 0.22, 0.3, "M", "TPUv4i; AttAcc L2"},
      {"bank", 0.55, 0.32, 0.66, "P", "AttAcc; CENT"},
      {"bank_group", 1.56, 1.2, 1.8, "P", "AttAcc"},
      {"hbm_base_die", 2.0, 1.3, 3.3, "I",
       "Ma and Patterson, 2 to 3 times less than the host; AttAcc"},
      {"hbm_host", 3.9, 3.6, 7.0, "P", "AttAcc's chain; Micron's device power"},
      {"gddr6_host", 7.5, 7.25, 7.64, "S", "Micron; CENT"},
      {"lpddr5x", 4.5, 3.5, 6.5, "I", "core 2.46, input and output 1 to 2"},
      {"ddr5_host", 12, 6, 20, "P-run", "DRAMsim3 on DDR4; LLMServingSim has 6"},
      {"link_cxl", 4.4, 4.0, 6.0, "P", "CENT; LLMServingSim"},
      {"link_nvlink", 1.3, 1.3, 4.0, "P", "AttAcc"},
      {"link_ucie", 0.5, 0.3, 0.75, "I", "UCIe class; AttAcc's interposer"},
      {"hbf", kNone, 0, 0, "-", "no source"},
      {"nand", kNone, 0, 0, "-", "no source"},
  };
  return table;
}

ArrayRef<TargetEnergy> targetEnergies() {
  static const TargetEnergy table[] = {
      {"cpu", "ddr5_host", 300e9, 4e12, 180, "I", "a server socket, eight channels of DDR5-4800"},
      {"cuda", "hbm_host", 2.85e12, 800e12, 300, "I", "H100: 3.35 TB/s at 0.85; dense bf16 at 0.8"},
      {"pnm", "lpddr5x", 8 * 1088e9 * 0.88, 8 * 8.192e12, 380, "I",
       "cxl_lpddr5x_pnm: eight modules of 40 W, host 60 W"},
  };
  return table;
}

const OperationEnergy &energyOf(StringRef name) {
  for (const OperationEnergy &op : operationEnergies())
    if (op.name == name)
      return op;
  llvm_unreachable("an operation of the table");
}

const TierEnergy &tierOf(StringRef name) {
  for (const TierEnergy &tier : tierEnergies())
    if (tier.name == name)
      return tier;
  llvm_unreachable("a tier of the table");
}

} // namespace sluice::pnm
