// SPDX-License-Identifier: Apache-2.0
//
// Matrices, tables and movement: plain loops in the order of the reduction rule. Each result is one
// chain, so it does not matter which device computes it.
#include "lib/Target/PNM/Execute.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace llvm;

namespace sluice::pnm {

std::optional<Data> Data::allocate(const Program &program, uint64_t limit, std::string &why) {
  Data data;
  uint64_t total = 0;
  size_t count = program.memories.size();
  data.bytes.resize(count);
  data.written.resize(count);
  data.readBytes.resize(count);
  data.writtenBytes.resize(count);
  for (size_t i = 1; i < count; ++i) {
    uint64_t bytes = program.memories[i].bytes();
    if (bytes > limit || (total += bytes) > limit) {
      why = formatv("memory '{0}' brings the program to {1} bytes, its functions run on up to {2}; "
                    "without data "
                    "there are still time and energy",
                    program.memories[i].name, total, limit);
      return std::nullopt;
    }
    data.bytes[i].resize(bytes);
  }
  return data;
}

void Unit::numbers(const Operand &operand, uint64_t offset, DType type, uint64_t count,
                   float *into) {
  const uint8_t *at = read(operand, offset, count * bytesOf(type));
  for (uint64_t i = 0; i < count; ++i)
    if (type == DType::F32) {
      std::memcpy(into + i, at + 4 * i, 4);
    } else if (type == DType::BF16) {
      uint16_t bits;
      std::memcpy(&bits, at + 2 * i, 2);
      into[i] = fromBF16(bits);
    } else {
      into[i] = static_cast<int8_t>(at[i]);
    }
}

void Unit::store(uint64_t offset, const float *values, uint64_t count, DType type) {
  uint8_t *at = write(command.dst, offset, count * bytesOf(type));
  for (uint64_t i = 0; i < count; ++i)
    if (type == DType::BF16) {
      uint16_t bits = toBF16(values[i]);
      std::memcpy(at + 2 * i, &bits, 2);
    } else {
      std::memcpy(at + 4 * i, values + i, 4);
    }
}

/// sgn(x) min(|x|, |w|), NaN where one of them is.
static float clampTo(float x, float w) {
  if (x != x)
    return x;
  return w != w ? w : std::copysign(std::min(std::fabs(x), std::fabs(w)), x);
}

/// Rows of codes: integers within a group, one fma for each group.
void Unit::codesTimesRows(uint64_t vector, const float *x) {
  const Memory &m = program.memory(command.src0);
  uint64_t K = command.n2, g = m.columns, groups = (K + g - 1) / g;
  std::vector<int32_t> codes(K);
  std::vector<float> scales(groups);
  for (uint64_t group = 0; group < groups; ++group) {
    uint64_t begin = group * g, end = std::min(K, begin + g);
    float most = 0;
    bool finite = true;
    for (uint64_t k = begin; k < end; ++k) {
      finite &= std::isfinite(x[k]);
      most = std::max(most, std::fabs(x[k]));
    }
    scales[group] = finite ? 0.0f : std::numeric_limits<float>::quiet_NaN();
    if (!finite || most < 0x1p-100f)
      continue;
    scales[group] = most / 127.0f;
    float inverse = 127.0f / most;
    for (uint64_t k = begin; k < end; ++k)
      codes[k] = static_cast<int32_t>(std::nearbyint(x[k] * inverse));
  }
  uint64_t first = command.src0.offset / K, rows = m.elements() / K;
  std::vector<float> weightScales(groups);
  uint64_t counted = data.readBytes[command.src0.memory];
  for (uint64_t row = 0; row < command.n0; ++row) {
    const uint8_t *weights = read(command.src0, (first + row) * K, K);
    numbers(command.src0, rows * K + (first + row) * groups * 2, DType::BF16, groups,
            weightScales.data());
    uint64_t at = command.dst.offset + (vector * command.n0 + row) * 4;
    float acc = 0;
    if (command.flags & Accumulate)
      numbers(command.dst, at, DType::F32, 1, &acc);
    for (uint64_t group = 0; group < groups; ++group) {
      int32_t sum = 0;
      for (uint64_t k = group * g; k < std::min(K, (group + 1) * g); ++k)
        sum += codes[k] * static_cast<int8_t>(weights[k]);
      acc = std::fma(static_cast<float>(sum), scales[group] * weightScales[group], acc);
    }
    store(at, &acc, 1);
  }
  if (vector > 0) // read once for all vectors
    data.readBytes[command.src0.memory] = counted;
}

bool Unit::matrix() {
  const Memory &m = program.memory(command.src0);
  uint64_t K = command.n2, first = command.src0.offset / m.rowBytes();
  bool clamps = command.opcode == Opcode::ClampReduce, integers = command.type1 == DType::I8;
  std::vector<float> x(K), w(K);
  for (uint64_t vector = 0; vector < command.n1; ++vector) {
    numbers(command.src1, command.src1.offset + vector * K * bytesOf(command.type1), command.type1,
            K, x.data());
    if (m.dtype == DType::I8 && !integers) {
      codesTimesRows(vector, x.data());
      continue;
    }
    for (uint64_t row = 0; row < command.n0; ++row) {
      // Each weight is read once for all vectors; the loops only stand in this order.
      if (vector == 0)
        read(command.src0, 0, m.rowBytes());
      uint64_t counted = data.readBytes[command.src0.memory];
      numbers(command.src0, (first + row) * m.rowBytes(), m.dtype, K, w.data());
      data.readBytes[command.src0.memory] = counted;
      uint64_t at = command.dst.offset + (vector * command.n0 + row) * 4;
      if (integers) {
        int32_t acc = 0;
        if (command.flags & Accumulate)
          std::memcpy(&acc, read(command.dst, at, 4), 4);
        for (uint64_t k = 0; k < K; ++k) {
          auto a = static_cast<int32_t>(x[k]), b = static_cast<int32_t>(w[k]);
          int32_t limited = std::min(std::abs(a), std::abs(b));
          int32_t term = !clamps ? a * b : a < 0 ? -limited : limited;
          acc = static_cast<int32_t>(static_cast<uint32_t>(acc) + static_cast<uint32_t>(term));
        }
        std::memcpy(write(command.dst, at, 4), &acc, 4);
        continue;
      }
      float acc = 0;
      if (command.flags & Accumulate)
        numbers(command.dst, at, DType::F32, 1, &acc);
      for (uint64_t k = 0; k < K; ++k)
        acc = clamps ? acc + clampTo(x[k], w[k]) : std::fma(x[k], w[k], acc);
      store(at, &acc, 1);
    }
  }
  return true;
}

bool Unit::experts() {
  const Memory &m = program.memory(command.src0);
  uint64_t D = m.dims[2], F = command.n2;
  std::vector<int32_t> pairs;
  if (!readList(program, command, data, extents.part1, uint64_t(command.n0) * 2,
                {"pair number", 0, std::numeric_limits<int32_t>::max()}, pairs, why))
    return false;
  std::vector<float> x(D), gate(F), up(F), row(std::max(D, F)), out(D);
  std::vector<bool> seen(m.dims[0]);
  for (uint64_t p = 0; p < command.n0; ++p) {
    uint64_t token = pairs[2 * p], expert = pairs[2 * p + 1];
    if (token >= command.n1 || expert >= m.dims[0])
      return fail(formatv("pair {0} is token {1} and expert {2}, expected below {3} and {4}", p,
                          token, expert, command.n1, m.dims[0]));
    uint64_t base = expert * m.itemBytes(), counted = data.readBytes[command.src0.memory];
    numbers(command.src1, command.src1.offset + token * D * bytesOf(command.type1), command.type1,
            D, x.data());
    auto chain = [&](uint64_t offset, const float *in, uint64_t count) {
      numbers(command.src0, base + offset * bytesOf(m.dtype), m.dtype, count, row.data());
      float acc = 0;
      for (uint64_t k = 0; k < count; ++k)
        acc = std::fma(in[k], row[k], acc);
      return acc;
    };
    for (uint64_t f = 0; f < F; ++f) {
      gate[f] = chain(f * D, x.data(), D);
      up[f] = chain((F + f) * D, x.data(), D);
    }
    for (uint64_t f = 0; f < F; ++f) {
      gate[f] = silu(gate[f]) * up[f];
      if (m.dtype == DType::BF16)
        gate[f] = fromBF16(toBF16(gate[f]));
    }
    for (uint64_t d = 0; d < D; ++d)
      out[d] = chain(2 * F * D + d * F, gate.data(), F);
    // An expert is read once for all tokens that it has.
    data.readBytes[command.src0.memory] = counted + (seen[expert] ? 0 : m.itemBytes());
    seen[expert] = true;
    store(command.dst.offset + p * D * 4, out.data(), D);
  }
  return true;
}

bool Unit::gather() {
  const Memory &m = program.memory(command.src0);
  std::vector<int32_t> rows;
  if (!readList(program, command, data, 0, command.n0, {"row", 0, int64_t(m.dims[0]) - 1}, rows,
                why))
    return false;
  uint64_t bytes = m.rowBytes();
  for (uint64_t i = 0; i < command.n0; ++i) {
    const uint8_t *from = read(command.src0, rows[i] * bytes, bytes);
    std::memcpy(write(command.dst, command.dst.offset + i * bytes, bytes), from, bytes);
  }
  return true;
}

bool Unit::gatherReduce() {
  const Memory &m = program.memory(command.src0);
  ReduceAux aux(command.aux);
  std::vector<int32_t> offsets, rows;
  if (!readList(program, command, data, 0, uint64_t(command.n1) + 1, {"offset", 0, command.n0},
                offsets, why) ||
      !readList(program, command, data, extents.part1, command.n0,
                {"row", 0, int64_t(m.dims[0]) - 1}, rows, why))
    return false;
  if (offsets.front() != 0 || offsets.back() != int64_t(command.n0) ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    return fail(formatv("offsets run from {0} to {1}, expected ascending from 0 to {2}",
                        offsets.front(), offsets.back(), command.n0));
  uint64_t D = m.dims[1], count = program.groups[command.group].count;
  std::vector<float> sum(D), row(D);
  for (uint64_t s = 0; s < command.n1; ++s) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (int32_t i = offsets[s]; i < offsets[s + 1]; ++i) {
      if (ownerOf(m, rows[i], count) != ownerOf(m, rows[offsets[s]], count))
        return fail(formatv(
            "segment {0} adds rows {1} and {2} of '{3}', which lie on two devices: a sum is one "
            "chain; gather the rows, or give every device the table",
            s, rows[offsets[s]], rows[i], m.name));
      numbers(command.src0, rows[i] * m.rowBytes(), m.dtype, D, row.data());
      float weight = 1;
      if (aux.weighted)
        numbers(command.src1, command.src1.offset + extents.part2 + 4 * uint64_t(i), DType::F32, 1,
                &weight);
      for (uint64_t d = 0; d < D; ++d) {
        float value = row[d];
        if (aux.op == ReduceOp::Max)
          value *= weight; // one rounding, exact without weights
        if (aux.op == ReduceOp::Max)
          sum[d] = i == offsets[s] || value > sum[d] || value != value ? value : sum[d];
        else
          sum[d] = aux.weighted ? std::fma(weight, value, sum[d]) : sum[d] + value;
      }
    }
    if (aux.op == ReduceOp::Mean && offsets[s + 1] > offsets[s])
      for (float &value : sum)
        value /= static_cast<float>(offsets[s + 1] - offsets[s]);
    store(command.dst.offset + s * D * 4, sum.data(), D);
  }
  return true;
}

bool Unit::move() {
  if (command.opcode == Opcode::Dma) {
    const uint8_t *from = read(command.src0, command.src0.offset, command.n0);
    std::memmove(write(command.dst, command.dst.offset, command.n0), from, command.n0);
    return true;
  }
  DType type = program.memory(command.dst).dtype;
  for (uint64_t i = 0; i < command.n0; ++i) {
    uint64_t at = command.dst.offset + i * bytesOf(type);
    if (type == DType::F32 || type == DType::BF16) {
      store(at, &command.scale, 1, type);
      continue;
    }
    float held =
        command.scale >= -2147483648.0f && command.scale < 2147483648.0f ? command.scale : 0;
    auto integer = static_cast<int32_t>(held);
    std::memcpy(write(command.dst, at, bytesOf(type)), &integer, bytesOf(type));
  }
  return true;
}

bool execute(const Program &program, size_t at, Data &data, std::string &why) {
  const Command &command = program.commands[at];
  Unit unit(program, command, data, why);
  switch (command.opcode) {
  case Opcode::Fill:
  case Opcode::Dma:
    return unit.move();
  case Opcode::Gather:
    return unit.gather();
  case Opcode::GatherReduce:
    return unit.gatherReduce();
  case Opcode::Gemv:
  case Opcode::ClampReduce:
    return unit.matrix();
  case Opcode::ExpertGemv:
    return unit.experts();
  case Opcode::KvAppend:
    return unit.append();
  case Opcode::KvCopyPages:
    return unit.copyPages();
  case Opcode::DigestUpdate:
    return unit.digest();
  case Opcode::SearchTopk:
    return unit.search();
  case Opcode::AttnPartial:
    return unit.attention();
  case Opcode::MergeStates:
    return unit.merge();
  case Opcode::Fence:
  case Opcode::Wait:
  case Opcode::HostWork:
  case Opcode::HostWait:
  case Opcode::Token:
    return true;
  }
  return true;
}

} // namespace sluice::pnm
