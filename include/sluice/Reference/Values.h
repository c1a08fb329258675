// SPDX-License-Identifier: Apache-2.0
//
// What the oracle computes with: tensors of exact numbers, the ragged batch, and pages. Values are
// never changed once an op has made them; whoever needs another one copies.

#ifndef SLUICE_REFERENCE_VALUES_H
#define SLUICE_REFERENCE_VALUES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <map>
#include <memory>
#include <variant>
#include <vector>

namespace sluice::reference {

/// `value` as an element of `type` (f64, f32, bf16, f16): to nearest, ties to even. NaN stays NaN,
/// zeros keep their sign, what is too large becomes Inf.
double roundTo(mlir::Type type, double value);

/// How far a target's numbers may be from a tensor's.
enum class Accuracy {
  Exact,   ///< bit for bit (any NaN is as good as another)
  Bounded, ///< within [low, high], element by element
  Program, ///< made out of numbers that were themselves inexact: bounded row by row (Bounds.h)
};

/// Roundings on the way to a Program, as bits: to 16 bits, and to codes of rows.
inline constexpr unsigned kRoundedTo16Bits = 1, kRoundedToCodes = 2;

/// A dense row-major tensor; of rank 0 for scalars. Floats are kept as f64 that is already rounded
/// to the element type, integers (index, i1 ... i64, sign-extended; i1 is 0 or 1) as i64.
struct Tensor {
  mlir::Type element;
  llvm::SmallVector<int64_t> shape;
  std::vector<double> numbers;   ///< when the element type is a float
  std::vector<int64_t> integers; ///< when it is an integer or index
  Accuracy accuracy = Accuracy::Exact;
  std::vector<double> low, high; ///< [count], only when Bounded: what a target may give
  unsigned roughened = 0;        ///< what was rounded on the way (kRounded...; widens Program)

  Tensor() = default;
  /// All zero.
  Tensor(mlir::Type element, llvm::ArrayRef<int64_t> shape);
  static Tensor scalar(mlir::Type element, double number);
  static Tensor scalar(mlir::Type element, int64_t integer);
  /// The numbers of a constant.
  static Tensor constant(mlir::DenseElementsAttr dense);
  /// A tensor that promises its elements within bounds; filled by put().
  static Tensor bounded(mlir::Type element, llvm::ArrayRef<int64_t> shape);

  bool isFloat() const { return llvm::isa<mlir::FloatType>(element); }
  int64_t count() const;
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  int64_t dim(int64_t index) const { return shape[index]; }
  /// Row-major position.
  int64_t at(llvm::ArrayRef<int64_t> index) const;
  double operator()(llvm::ArrayRef<int64_t> index) const { return numbers[at(index)]; }

  /// Rounds `exact` to the element type. `slack` is how far a target's number may be from `exact`
  /// before that rounding; it needs bounded(), and counts as 0 when it or `exact` is not finite.
  void put(int64_t index, double exact, double slack = 0);
  /// Copies element `from` of `other`, with its bounds.
  void move(int64_t index, const Tensor &other, int64_t from);
  /// The same numbers in another shape of as many elements.
  Tensor reshaped(llvm::ArrayRef<int64_t> newShape) const;
};

/// Which rows belong to which sequence; the fields of `sluice_batch_t`.
struct Batch {
  std::vector<int64_t> rowStart = {0}; ///< [S + 1]
  std::vector<int64_t> past;           ///< [S] keys that are in the pages already
  std::vector<int64_t> position;       ///< [R]
  std::vector<int64_t> pageStart;      ///< [S + 1], empty where there is no cache
  std::vector<int64_t> pageTable;      ///< [pageStart[S]]

  int64_t rows() const { return rowStart.back(); }
  int64_t seqs() const { return static_cast<int64_t>(past.size()); }
  int64_t sequenceOf(int64_t row) const;
  /// Row `row` is the i-th token of its sequence, cached ones counted.
  int64_t indexOf(int64_t row) const;

  /// Sequences of `lengths` rows after `past` keys each, positions counted from the start.
  static Batch ragged(llvm::ArrayRef<int64_t> lengths, llvm::ArrayRef<int64_t> past = {});
};

/// One page of one layer: `page` slots of every kv head. A slot that nothing was written to is NaN,
/// so a read of it shows.
struct Page {
  std::vector<double> key;   ///< [G, page, D]
  std::vector<double> value; ///< [G, page, E]
};

/// The memory that a `sluice.kv` declares. Copies share their pages until one of them is written.
class Pages {
public:
  Pages() = default;
  Pages(int64_t layers, int64_t heads, int64_t keySize, int64_t valueSize, int64_t page,
        mlir::Type element, int64_t count, bool shared = false);

  int64_t heads() const { return headCount; }
  int64_t keySize() const { return keys; }
  int64_t valueSize() const { return values; }
  int64_t slots() const { return page; }
  /// A value is the first numbers of its key.
  bool isShared() const { return shared; }
  int64_t layers() const { return layerCount; }
  int64_t count() const { return pageCount; }
  mlir::Type elementType() const { return element; }

  double key(int64_t layer, int64_t page, int64_t head, int64_t slot, int64_t d) const;
  double value(int64_t layer, int64_t page, int64_t head, int64_t slot, int64_t e) const;
  /// Rounds to the pages' element type.
  void setKey(int64_t layer, int64_t page, int64_t head, int64_t slot, int64_t d, double number);
  void setValue(int64_t layer, int64_t page, int64_t head, int64_t slot, int64_t e, double number);

  /// Whether what was appended was itself exact (see Accuracy).
  Accuracy accuracy = Accuracy::Exact;
  unsigned roughened = 0;

private:
  const Page &read(int64_t layer, int64_t page) const { return *store[layer * pageCount + page]; }
  Page &write(int64_t layer, int64_t page);

  int64_t layerCount = 0, headCount = 0, keys = 0, values = 0, page = 0, pageCount = 0;
  bool shared = false;
  mlir::Type element;
  std::vector<std::shared_ptr<const Page>> store;
};

/// A value of the interpreted program. Tensors, scalars and futures are Tensor.
using Datum = std::variant<std::shared_ptr<const Tensor>, std::shared_ptr<const Batch>,
                           std::shared_ptr<const Pages>>;

} // namespace sluice::reference

#endif // SLUICE_REFERENCE_VALUES_H
