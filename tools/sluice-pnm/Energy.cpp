// SPDX-License-Identifier: Apache-2.0
//
// The energy report: what an operation and a moved bit cost, and what follows for whole models. All
// of it is modelled from published tables; nothing is measured here.
#include "sluice/Machine/EnergyTable.h"
#include "tools/sluice-pnm/Commands.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace sluice::pnm {

static void printTable() {
  outs() << "arithmetic, pJ an operation        45 nm     7 nm   grades, source\n";
  for (const OperationEnergy &op : operationEnergies())
    outs() << formatv("  {0,-28} {1,9} {2,8}   {3}/{4}  {5}\n", op.name,
                      op.at45 ? formatv("{0:f3}", *op.at45).str() : "-",
                      op.at7 ? formatv("{0:f3}", *op.at7).str() : "-", op.grade45, op.grade7,
                      op.source);
  outs() << "movement, pJ a bit                 value      low     high   grade, source\n";
  for (const TierEnergy &tier : tierEnergies())
    outs() << formatv("  {0,-28} {1,9} {2,8} {3,8}   {4}  {5}\n", tier.name,
                      tier.value ? formatv("{0:f4}", *tier.value).str() : "unknown",
                      tier.value ? formatv("{0:f4}", tier.lo).str() : "-",
                      tier.value ? formatv("{0:f4}", tier.hi).str() : "-", tier.grade, tier.source);
}

/// What is left of "multiplications are 37 times as dear" when a weight must also be fetched.
static void printChannels() {
  outs() << formatv(
      "\nfp32 multiply / int32 add: {0:f1} at 45 nm, {1:f1} at 7 nm (arithmetic alone)\n",
      *energyOf("mul_f32").at45 / *energyOf("add_i32").at45,
      *energyOf("mul_f32").at7 / *energyOf("add_i32").at7);
  outs() << "multiply-accumulate against clamp-accumulate, pJ a weight of 16 bits:\n";
  struct Case {
    StringLiteral where, tier;
  };
  for (Case c : {Case{"from LPDDR5X, used once", "lpddr5x"},
                 {"from a DRAM bank's own logic", "bank"},
                 {"from registers", "register"}}) {
    double moved = 16 * *tierOf(c.tier).value;
    for (bool old : {true, false}) {
      auto of = [&](StringRef name) { return old ? *energyOf(name).at45 : *energyOf(name).at7; };
      // The accumulating add is there in both; a clamp compares and selects.
      double mac = old ? of("mul_f16") + of("add_f16") : of("mul_bf16") + of("add_bf16");
      double clamp =
          old ? of("add_i16") + 0.02 + of("add_f16") : 2 * of("add_i16") + of("add_bf16");
      outs() << formatv("  {0,-30} {1}: {2,8:f3} against {3,8:f3}, {4:f2} times\n", c.where,
                        old ? "45 nm fp16" : " 7 nm bf16", moved + mac, moved + clamp,
                        (moved + mac) / (moved + clamp));
    }
  }
}

/// One model on three machines, from the bytes and operations that `sluicec --explain=json` counts.
static int printModel(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path);
  if (!buffer) {
    errs() << path << ": error: " << buffer.getError().message() << "\n";
    return BadInput;
  }
  Expected<json::Value> value = json::parse((*buffer)->getBuffer());
  if (!value) {
    errs() << path << ": error: " << toString(value.takeError()) << "\n";
    return BadInput;
  }
  const json::Object *root = value->getAsObject();
  const json::Array *ops = root ? root->getArray("ops") : nullptr;
  if (!ops) {
    errs() << path << ": error: expected what 'sluicec --explain=json' prints, with a list 'ops'\n";
    return BadInput;
  }
  std::map<std::string, std::pair<double, double>>
      kinds; // bytes, operations of the first step size
  double bytes = 0, operations = 0;
  for (const json::Value &item : *ops) {
    const json::Object *op = item.getAsObject();
    const json::Array *costs = op ? op->getArray("costs") : nullptr;
    const json::Object *cost = costs && !costs->empty() ? costs->front().getAsObject() : nullptr;
    if (!cost)
      continue;
    auto number = [&](StringRef key) { return std::max(0.0, cost->getNumber(key).value_or(0)); };
    auto &kind = kinds[op->getString("op").value_or(op->getString("kind").value_or("op")).str()];
    kind.first += number("bytes");
    kind.second += number("operations");
    bytes += number("bytes");
    operations += number("operations");
  }
  if (bytes == 0) {
    errs() << path << ": error: none of its ops has costs with bytes\n";
    return BadInput;
  }
  outs() << "\none step (the first step size), modelled:\n";
  for (const auto &[name, kind] : kinds)
    outs() << formatv("  {0,-24} {1,14:f0} bytes {2,14:f0} operations\n", name, kind.first,
                      kind.second);
  outs() << "  target  memory      bandwidth  static   J a step (movement + arithmetic + static x "
            "time)      operations/J\n";
  for (const TargetEnergy &target : targetEnergies()) {
    const TierEnergy &tier = tierOf(target.tier);
    double seconds =
        std::max(bytes / target.bytesPerSecond, operations / target.operationsPerSecond);
    double move = 8 * bytes * *tier.value * 1e-12, low = 8 * bytes * tier.lo * 1e-12,
           high = 8 * bytes * tier.hi * 1e-12;
    double arithmetic =
        operations / 2 * (*energyOf("mul_bf16").at7 + *energyOf("add_f32").at7) * 1e-12;
    double fixed = target.staticWatts * seconds, sum = move + arithmetic + fixed;
    outs() << formatv("  {0,-7} {1,-10} {2,7:f0} GB/s {3,5:f0} W   {4:e3} ({5:e3} + {6:e3} + "
                      "{7:e3}), {8:e3} to {9:e3}   {10:e3}\n",
                      target.name, target.tier, target.bytesPerSecond / 1e9, target.staticWatts,
                      sum, move, arithmetic, fixed, sum - move + low, sum - move + high,
                      operations / sum);
  }
  return Ok;
}

int energyVerb(const Options &options) {
  printTable();
  printChannels();
  return options.input.empty() ? Ok : printModel(options.input);
}

} // namespace sluice::pnm
