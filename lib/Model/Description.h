//===- Description.h - a model, resolved -----------------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// What stage `model` is: every key substituted, every size a number, every weight a list of tensors
// of the checkpoint, every step one op. Reading a family with a config.json, or a .sluice.yaml,
// gives one; printing it gives a .sluice.yaml that reads back to the same.
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_LIB_MODEL_DESCRIPTION_H
#define SLUICE_LIB_MODEL_DESCRIPTION_H

#include "sluice/Model/Problems.h"
#include <optional>
#include <variant>

namespace sluice::model {

/// Layers of a stacked weight or of a repeat, at most (docs/Limits.md).
constexpr int64_t maxLayers = 1 << 12;

/// Lines that caused a part: the description's own first, then the config.json keys that it read.
using Places = std::vector<FilePosition>;

struct Source {
  std::string name;           ///< of the tensor; `{}` stands for the layer, then for the expert
  std::vector<int64_t> shape; ///< of one layer's tensor; of one expert's part of it
};

struct Weight {
  std::string name;
  int64_t stack = 0;           ///< layers; 0: not stacked
  std::vector<int64_t> layers; ///< which layers of the model these are; empty: all of them
  int64_t experts = 0;         ///< blocks of a layer; 0: no experts
  std::string role;            ///< weight, scale, bias, table
  std::string dtype;           ///< f32, bf16, f16: as the compiled model keeps it
  bool transposed = false;     ///< the tensors have their two sizes the other way round
  bool alternating = false;    ///< rows of the tensors take turns: first the even ones
  std::vector<Source> sources; ///< joined along their first dimension
  Places at;

  /// The shape of one layer (of one expert of it), sources joined.
  std::vector<int64_t> layerShape() const;
};

struct KVMemory {
  std::string name;
  int64_t layers = 0, heads = 0, key = 0, value = 0, page = 0;
  std::string dtype;
  Places at;
};

/// A name and the shape of the piece that it gets, without the leading rows.
struct Piece {
  std::string name;
  std::vector<int64_t> shape;
};

/// How rotary frequencies are scaled: a kind, and what belongs to it, in the kind's order.
struct Scaling {
  struct Item {
    std::string name;
    std::vector<double> numbers; ///< one, or a list
    std::string word;            ///< instead of numbers
  };
  std::string kind; ///< linear, ntk, dynamic, llama3, yarn, longrope
  std::vector<Item> items;

  const Item &item(llvm::StringRef name) const;
};

/// One thing that belongs to a kind of scaling.
struct ScalingItem {
  enum Kind { Number, Count, Numbers, Corners };
  llvm::StringRef name;
  Kind kind;
};
/// What belongs to |kind|; empty when there is no such kind.
llvm::ArrayRef<ScalingItem> scalingItems(llvm::StringRef kind);
llvm::ArrayRef<llvm::StringRef> scalingKinds();

using FieldValue = std::variant<std::string, int64_t, double, bool, std::vector<std::string>,
                                std::vector<Piece>, Scaling>;

struct StepSchema;

/// One op, or a loop over equal layers, or one layer of a round of such a loop.
struct Step {
  const StepSchema *schema = nullptr;
  std::vector<std::pair<std::string, FieldValue>> fields; ///< in the schema's order
  std::vector<Step> body;                                 ///< of a `repeat` or a `layer`
  Places at;

  const FieldValue *find(llvm::StringRef name) const;
  bool has(llvm::StringRef name) const { return find(name); }
  llvm::StringRef text(llvm::StringRef name) const;
  double number(llvm::StringRef name) const;
  int64_t integer(llvm::StringRef name) const;
  /// The number, or |otherwise| when it was not given.
  int64_t integer(llvm::StringRef name, int64_t otherwise) const;
  std::optional<double> optionalNumber(llvm::StringRef name) const;
  llvm::ArrayRef<std::string> names(llvm::StringRef name) const;
};

/// The type of a function's argument.
struct InputType {
  enum Kind { Tensor, Batch, Pages } kind = Tensor;
  std::string dtype;          ///< Tensor: f32, i32, i64
  std::string lead;           ///< Tensor: rows, seqs or asked: how many rows at run time
  std::vector<int64_t> shape; ///< Tensor: after the leading dimension
  std::string memory;         ///< Pages: name of the KV memory
};

/// "i32[rows]", "batch", "pages kv".
std::string typeText(const InputType &type);

struct Function {
  std::string name;
  std::vector<std::pair<std::string, InputType>> inputs;
  std::vector<Step> steps;
  std::vector<std::pair<std::string, std::string>> results; ///< exported name, value
  Places at;
};

struct Description {
  std::string name;
  std::string kind;                                    ///< decoder, encoder, op
  std::vector<std::pair<std::string, int64_t>> limits; ///< vocab, max_positions, token_types
  std::vector<int64_t> eos;
  int64_t embedMaxSeqLength = 0; ///< 0: no sentence embedding
  std::string checkpoint;        ///< directory; empty when the weights are generated
  std::optional<uint64_t> seed;
  std::vector<Weight> weights;
  std::vector<std::string> unused; ///< patterns of tensors that may be there and do not matter
  std::vector<KVMemory> memories;
  std::vector<Function> functions;
  Places at;

  const Weight *weight(llvm::StringRef weightName) const;
  const KVMemory *memory(llvm::StringRef memoryName) const;
};

//===----------------------------------------------------------------------===//
// What steps there are
//===----------------------------------------------------------------------===//

enum class FieldKind {
  Value,  ///< name of a value computed before
  Weight, ///< name of a weight; one that is switched off counts as not given
  ValueOrWeight,
  Word, ///< one of `words`
  Int,
  Float,
  Flag,
  DType,    ///< f32, bf16, f16, or `rows`: what linear layers of this model take
  NewName,  ///< the result's name
  NewNames, ///< the results' names
  Pieces,   ///< new names with shapes
  Names,    ///< names of values
  Index,    ///< a whole number, 0 included
  Scaling,  ///< a map with `kind`; the kind `none` counts as not given
};

struct FieldSchema {
  llvm::StringRef name;
  FieldKind kind;
  bool required = true;
  llvm::ArrayRef<llvm::StringRef> words = {}; ///< Word: what may stand there
};

struct StepSchema {
  llvm::StringRef op;
  llvm::ArrayRef<FieldSchema> fields;
};

/// Null when there is no such op.
const StepSchema *stepSchema(llvm::StringRef op);
/// The names of all ops, for suggestions.
llvm::ArrayRef<llvm::StringRef> stepNames();

/// Writes |description| as a .sluice.yaml that reads back to the same description.
void printDescription(const Description &description, llvm::raw_ostream &os);

} // namespace sluice::model

#endif // SLUICE_LIB_MODEL_DESCRIPTION_H
