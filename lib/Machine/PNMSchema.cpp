// SPDX-License-Identifier: Apache-2.0
//
// The schema itself. Bounds are what no machine can be outside of, not what is likely.
#include "lib/Machine/PNMSchema.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <string>

using namespace llvm;

namespace sluice::pnm {

static const std::optional<double> kRequired;

ArrayRef<QuantityRule> quantityRules() {
  using K = QuantityRule;
  static const QuantityRule rules[] = {
      {"topology.devices", "", 1, 1 << 16, K::Integer, false, kRequired,
       "devices, each with a ring"},
      {"topology.channels", "", 1, 1 << 16, K::Integer, false, kRequired, "channels of a device"},
      {"capacity.device_bytes", "B", 1, 1e18, K::Integer, false, kRequired, "memory of a device"},
      {"capacity.shard_bytes", "B", 0, 1e18, K::Integer, false, 0,
       "most bytes of one memory in a channel (logic at the banks); 0: no such limit"},
      {"dram.channel_bandwidth", "B/s", 1e6, 1e15, K::Real, false, kRequired, "pins of a channel"},
      {"dram.access_bytes", "B", 1, 1 << 20, K::Power, false, kRequired, "least that is read"},
      {"dram.row_bytes", "B", 8, 1 << 24, K::Power, false, kRequired, "an open row"},
      {"dram.page_bytes", "B", 1, 1 << 24, K::Power, false, 1, "whole pages are read (flash)"},
      {"dram.latency_ns", "ns", 0, 1e9, K::Real, false, kRequired, "first byte of a command"},
      {"dram.item_ns", "ns", 0, 1e9, K::Real, false, 0, "cost of an item beside its bytes"},
      {"dram.item_bytes", "B", 1, 1e18, K::Integer, false, 1e18, "longest item"},
      {"dram.stream_efficiency", "", 1e-6, 1, K::Real, false, kRequired, "of long runs"},
      {"dram.gemv_efficiency", "", 0, 1, K::Real, false, 0,
       "of matrix times vector where it differs; 0: as streams"},
      {"dram.attention_efficiency", "", 0, 1, K::Real, false, 0,
       "of attention where it differs; 0: by the gather curve"},
      {"dram.kv_reuse", "", 0, 1, K::Flag, false, kRequired,
       "a key is read once for all query heads of its group"},
      {"dram.writable", "", 0, 1, K::Flag, false, kRequired, "0: flash, written seldom"},
      {"compute.tiles", "", 0, 1 << 20, K::Integer, false, kRequired, "0: no logic"},
      {"compute.lanes", "", 0, 1 << 20, K::Integer, false, kRequired,
       "multiply-adds per clock and tile"},
      {"compute.clock_hz", "Hz", 1e6, 1e11, K::Real, false, kRequired, ""},
      {"compute.compare_lanes", "", 0, 1 << 20, K::Integer, false, kRequired,
       "max, min, abs, select"},
      {"compute.exp_lanes", "", 0, 1 << 20, K::Integer, false, kRequired, ""},
      {"compute.topk_rate", "1/clock", 0, 1e6, K::Real, false, kRequired, "inserts per tile"},
      {"compute.topk_entries", "", 0, 1 << 30, K::Integer, false, kRequired, "most that are kept"},
      {"compute.sram_bytes", "B", 0, 1e15, K::Integer, false, kRequired,
       "operand memory of a device"},
      {"compute.float", "", 0, 1, K::Flag, false, kRequired, "has floating point"},
      {"compute.utilisation", "", 1e-6, 1, K::Real, false, kRequired, "of the lanes, at best"},
      {"link.bandwidth", "B/s", 1e3, 1e15, K::Real, false, kRequired, "a device, each direction"},
      {"link.direction_efficiency", "", 1e-6, 1, K::Real, false, kRequired, ""},
      {"link.round_trip_ns", "ns", 0, 1e9, K::Real, false, kRequired, ""},
      {"link.peer_bandwidth", "B/s", 1e3, 1e15, K::Real, false, kRequired, "device to device"},
      {"link.host_bandwidth", "B/s", 1e3, 1e16, K::Real, false, kRequired,
       "all devices together, each direction"},
      {"command.issue_ns", "ns", 0, 1e9, K::Real, false, kRequired, "host, per descriptor"},
      {"command.decode_ns", "ns", 0, 1e9, K::Real, false, kRequired, "device, per descriptor"},
      {"command.queue_depth", "", 1, 1 << 24, K::Integer, false, kRequired,
       "descriptors of a ring"},
      {"power.static_w", "W", 0, 1e6, K::Real, false, kRequired, "a device, whatever it does"},
      {"power.host_w", "W", 0, 1e6, K::Real, false, kRequired, "the host while it waits"},
      {"energy.dram_read", "pJ/bit", 0, 1e6, K::Real, true, kRequired, "at long items"},
      {"energy.dram_write", "pJ/bit", 0, 1e6, K::Real, true, kRequired, ""},
      {"energy.link", "pJ/bit", 0, 1e6, K::Real, true, kRequired, ""},
      {"energy.sram", "pJ/bit", 0, 1e6, K::Real, true, kRequired, "operands and results"},
      {"energy.mac_f32", "pJ", 0, 1e9, K::Real, true, kRequired, ""},
      {"energy.mac_bf16", "pJ", 0, 1e9, K::Real, true, kRequired, "f32 accumulator"},
      {"energy.mac_i8", "pJ", 0, 1e9, K::Real, true, kRequired, "i32 accumulator"},
      {"energy.compare", "pJ", 0, 1e9, K::Real, true, kRequired, ""},
      {"energy.add_f32", "pJ", 0, 1e9, K::Real, true, kRequired, ""},
      {"energy.exp", "pJ", 0, 1e9, K::Real, true, kRequired, ""},
  };
  return rules;
}

ArrayRef<CurveRule> curveRules() {
  static const StringLiteral gather[] = {"bank", "interleaved"}, factor[] = {"factor"};
  static const CurveRule rules[] = {
      {"dram.gather", gather, 1e-6, 1,
       "efficiency of items of so many bytes, each in one bank's row or over bank groups"},
      {"energy.row", factor, 0.1, 100, "energy of a read at an item size over that of long items"},
  };
  return rules;
}

const QuantityRule *findQuantityRule(StringRef key) {
  for (const QuantityRule &rule : quantityRules())
    if (rule.key == key)
      return &rule;
  return nullptr;
}

const CurveRule *findCurveRule(StringRef key) {
  for (const CurveRule &rule : curveRules())
    if (rule.key == key)
      return &rule;
  return nullptr;
}

std::string numberText(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.10g", value);
  return text;
}

std::string problemWith(const QuantityRule &rule, double value) {
  if (!std::isfinite(value) || value < rule.least || value > rule.most)
    return formatv("{0} is {1}, expected {2} to {3}", rule.key, numberText(value),
                   numberText(rule.least), numberText(rule.most))
        .str();
  bool whole = value == std::floor(value);
  if (rule.kind != QuantityRule::Real && !whole)
    return formatv("{0} is {1}, expected a whole number", rule.key, numberText(value)).str();
  if (rule.kind == QuantityRule::Power) {
    int exponent;
    if (std::frexp(value, &exponent) != 0.5)
      return formatv("{0} is {1}, expected a power of two", rule.key, numberText(value)).str();
  }
  return "";
}

} // namespace sluice::pnm
