// SPDX-License-Identifier: Apache-2.0
//
// What the functions of the commands share: memory that counts what is read and written.
#ifndef SLUICE_LIB_TARGET_PNM_EXECUTE_H
#define SLUICE_LIB_TARGET_PNM_EXECUTE_H

#include "lib/Target/PNM/Lists.h"
#include "lib/Target/PNM/Numbers.h"

namespace sluice::pnm {

class Unit {
public:
  Unit(const Program &program, const Command &command, Data &data, std::string &why)
      : program(program), command(command), data(data), why(why),
        extents(extentsOf(program, command)) {}

  bool matrix();
  bool experts();
  bool gather();
  bool gatherReduce();
  bool append();
  bool copyPages();
  bool digest();
  bool search();
  bool attention();
  bool merge();
  bool move();

private:
  const uint8_t *read(const Operand &operand, uint64_t offset, uint64_t bytes) {
    data.readBytes[operand.memory] += bytes;
    return data.bytes[operand.memory].data() + offset;
  }
  uint8_t *write(const Operand &operand, uint64_t offset, uint64_t bytes) {
    data.writtenBytes[operand.memory] += bytes;
    data.written[operand.memory] = true;
    return data.bytes[operand.memory].data() + offset;
  }
  /// |count| numbers of |type| from |offset| of the whole memory on, as f32.
  void numbers(const Operand &operand, uint64_t offset, DType type, uint64_t count, float *into);
  void store(uint64_t offset, const float *values, uint64_t count, DType type = DType::F32);
  bool fail(std::string message) {
    why = std::move(message);
    return false;
  }
  void codesTimesRows(uint64_t vector, const float *x);
  /// One state, of cut |cut| and the query heads of |head|, into slot |slot|.
  void attendCut(uint64_t cut, uint64_t head, uint64_t slot, const PageLists &lists,
                 const std::vector<int32_t> &pages, const std::vector<float> &query);

  const Program &program;
  const Command &command;
  Data &data;
  std::string &why;
  Extents extents;
};

} // namespace sluice::pnm

#endif
