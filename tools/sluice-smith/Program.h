// SPDX-License-Identifier: Apache-2.0
//
// Program.h: a random program while it is written.
//
// A program is a module of the tensor stage with params, memories and one function. It grows op by
// op: each picks values that are there, and adds its own. The text is then parsed, and what the
// ops' verifiers say about it is a bug here or there.
//
// Numbers stay near 1, so that an oracle in f64 and a target in f32 can agree: every value carries
// a guess of its size, weights keep it, what squares or sums is followed by a norm. What jumps
// (the largest of a row, a draw) is only asked of the function's own arguments.

#ifndef SLUICE_TOOLS_SMITH_PROGRAM_H
#define SLUICE_TOOLS_SMITH_PROGRAM_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

#include <optional>
#include <string>
#include <vector>

namespace sluice::smith {

/// The same numbers on every machine.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next();
  /// A number in [least, most].
  int64_t between(int64_t least, int64_t most);
  /// True once in `n` times.
  bool once(int64_t n) { return between(1, n) == 1; }
  double real(double least, double most);
  template <typename T>
  const T &pick(const std::vector<T> &choices) {
    return choices[between(0, static_cast<int64_t>(choices.size()) - 1)];
  }
  llvm::StringRef word(std::vector<llvm::StringRef> words) { return pick(words); }

private:
  uint64_t state;
};

/// Of what is computed: in a row of fewer numbers all may be near zero, and bounds are relative to
/// the row. Narrower rows are the business of test/Numeric.
constexpr int64_t leastWidth = 4;

/// What the leading dimension of a value counts.
enum class Space { Rows, Seqs, Asked };

/// A tensor of the function: rows of `width` numbers, or of `heads` times that.
struct Value {
  std::string name;
  std::string element = "f32";
  int64_t heads = 0; // 0: no dimension of heads
  int64_t width = 0;
  Space space = Space::Rows;
  double size = 1; // of its numbers, roughly

  std::string type() const;
  int64_t numbers() const { return width * (heads ? heads : 1); }
};

class Program {
public:
  explicit Program(uint64_t seed);
  /// The module's text.
  std::string text() const;

private:
  friend class OpWriter;

  // Ops.cpp, AttentionOps.cpp and ExpertOps.cpp: each adds one op (and what it needs) or, when
  // nothing fits, none.
  using Writer = bool (Program::*)();
  bool writeLinear();
  bool writeNorm();
  bool writeActivation();
  bool writeAdd();
  bool writeClamp();
  bool writeRope();
  bool writeEmbed();
  bool writeGather();
  bool writePool();
  bool writeAsked();
  bool writeSample();
  bool writeHeads();
  bool writeJoin();
  bool writeAttention();
  bool writePagedAttention();
  bool writeLoop();
  bool writeExperts();
  bool writeHeadsLinear();
  bool writeHeadsJoin();

  /// What attention reads beside queries, keys and values; the text of operands and their types.
  struct Extras {
    std::string operands, types, attributes;
  };
  Extras attentionExtras(const Value &query, const std::string &mask, bool paged);
  std::string randomMask(int64_t depth, bool paged);
  std::string ropeScaling(int64_t dims);

  void writeBody(int64_t ops);
  void line(const llvm::Twine &text);
  /// A new name, "%x7".
  std::string fresh(llvm::StringRef stem = "x");
  void add(Value value) { values.push_back(std::move(value)); }
  std::vector<Value> matching(llvm::function_ref<bool(const Value &)> good) const;
  std::optional<Value> any(llvm::function_ref<bool(const Value &)> good);
  /// A new value like `base`, with another name.
  Value made(const Value &base, llvm::StringRef stem = "x");

  Value argument(Value value, const llvm::Twine &attributes = "");
  std::string integerArgument(int64_t below, Space space = Space::Rows);
  std::string batch();
  std::string positions();
  /// A param of the type tensor<`shape`x`element`>, for each of so many `experts` if any; its use
  /// in the function, by name.
  std::string param(std::vector<int64_t> shape, llvm::StringRef element, llvm::StringRef role,
                    const std::string &encoding = "", int64_t experts = 0);
  std::string index(int64_t number);
  /// `value` normed when its numbers have grown or shrunk too much.
  Value tamed(const Value &value);

  Random random;
  std::vector<Value> values;
  std::string params, arguments, body, bodyOfLoop;
  std::string batchName, positionsName, pagesName, pagesType, layerName;
  std::vector<std::string> returned, returnedTypes;
  int64_t names = 0, paramCount = 0, layers = 0, depth = 0;
  int64_t pageLayers = 0, pageHeads = 0, pageKey = 0, pageValue = 0;
  int64_t tokensBelow = 0;
  bool uneven = false; // sizes that no vector divides, in programs of few ops
};

std::string tensorType(llvm::ArrayRef<int64_t> shape, llvm::StringRef element,
                       llvm::StringRef encoding = "");
std::string number(double value);

} // namespace sluice::smith

#endif // SLUICE_TOOLS_SMITH_PROGRAM_H
