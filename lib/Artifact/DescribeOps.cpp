// SPDX-License-Identifier: Apache-2.0
//
// Counts what the placed stage says: nothing here is measured, nothing is guessed. Every number is
// a coefficient of something that a step decides: its rows, sequences, asked rows, the keys that
// its sequences have, and the pairs of a row and a key that it sees.

#include "lib/Artifact/DescribeOps.h"
#include "dialects/Place/Place.h"
#include "lib/Artifact/WeightLayout.h"
#include "lib/Place/PhaseAccesses.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace sluice::artifact {
namespace {

/// Amounts by what they are for.
using Amounts = llvm::StringMap<int64_t>;

/// How often the loops around `op` run it; 1 for a loop whose bounds are not constant.
int64_t timesRun(Operation *op) {
  int64_t times = 1;
  for (auto loop = op->getParentOfType<scf::ForOp>(); loop;
       loop = loop->getParentOfType<scf::ForOp>()) {
    APInt first, end, step;
    if (matchPattern(loop.getLowerBound(), m_ConstantInt(&first)) &&
        matchPattern(loop.getUpperBound(), m_ConstantInt(&end)) &&
        matchPattern(loop.getStep(), m_ConstantInt(&step)) && step.getSExtValue() > 0)
      times *= std::max<int64_t>(
          0, llvm::divideCeil(end.getSExtValue() - first.getSExtValue(), step.getSExtValue()));
  }
  return times;
}

int64_t bytesOfElement(Type element) {
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// What the leading dimension of `rows` counts: "row", "seq", "asked", or "fixed" when it is
/// static.
StringRef letterOf(Value rows) {
  auto type = cast<MemRefType>(rows.getType());
  if (type.getRank() == 0 || !type.isDynamicDim(0))
    return "fixed";
  Value memory = place::viewedMemory(rows);
  StringRef extent = "rows";
  if (auto buffer = memory.getDefiningOp<place::BufferOp>()) {
    extent = buffer.getExtent();
  } else if (auto argument = dyn_cast<BlockArgument>(memory)) {
    if (auto func = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()))
      if (auto named = func.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "place.extent"))
        extent = named.getValue();
  }
  return extent == "seqs"    ? "seq"
         : extent == "asked" ? "asked"
         : extent == "fixed" ? "fixed"
                             : "row";
}

/// Scratch of no type, such as tiles of keys: its ops say what they read of it.
bool isScratch(Value memref) {
  auto buffer = place::viewedMemory(memref).getDefiningOp<place::BufferOp>();
  return buffer && buffer.getExtent() == "bytes";
}

/// The file and line of the description that `location` has first.
std::string textOf(Location location) {
  std::string text;
  location->walk([&](Location part) {
    auto file = dyn_cast<FileLineColRange>(part);
    if (!file)
      return WalkResult::advance();
    text = llvm::formatv("{0}:{1}:{2}", file.getFilename().getValue(), file.getStartLine(),
                         file.getStartColumn());
    return WalkResult::interrupt();
  });
  return text;
}

std::string textOf(place::PanelsAttr schedule) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "rows ";
  llvm::interleave(schedule.getRows(), os, "/");
  os << " x " << schedule.getPanels() << " panels, stream " << schedule.getStream();
  if (schedule.getKblock())
    os << ", k " << schedule.getKblock();
  return text;
}

class OpDescriber {
public:
  OpDescriber(ModuleOp module, Operation *op) : module(module), op(op), builder(op->getContext()) {}

  DictionaryAttr describe(int64_t function, place::PhaseOp phase) {
    countRows();
    countMemory();
    countOperations();
    choosePath();
    NamedAttrList all;
    auto word = [&](StringRef key, const Twine &text) {
      all.set(key, builder.getStringAttr(text));
    };
    auto number = [&](StringRef key, int64_t value) {
      all.set(key, builder.getI64IntegerAttr(value));
    };
    number("function", function);
    number("times", timesRun(op));
    number("weight_bytes", weightBytes);
    word("op", op->getName().stripDialect());
    word("phase", phase.getName());
    word("share", place::stringifyShare(phase.getShare()));
    word("path", path);
    word("dot", dot);
    word("dtype", dtype);
    word("schedule", schedule);
    word("mask", mask);
    word("location", textOf(op->getLoc()));
    all.set("memory", dictionary(memory));
    all.set("rows", dictionary(rows));
    all.set("operations", dictionary(operations));
    return all.getDictionary(op->getContext());
  }

private:
  DictionaryAttr dictionary(const Amounts &amounts) {
    NamedAttrList list;
    for (const auto &entry : amounts)
      if (entry.second)
        list.set(entry.first(), builder.getI64IntegerAttr(entry.second));
    return list.getDictionary(op->getContext());
  }

  /// Rows that are read and written, in the arena or in arguments.
  void countRows() {
    for (Value operand : op->getOperands()) {
      auto type = dyn_cast<MemRefType>(operand.getType());
      if (!type || isScratch(operand) ||
          isa_and_nonnull<memref::GetGlobalOp>(operand.getDefiningOp()))
        continue;
      StringRef letter = letterOf(operand);
      int64_t elements = elementsOfRow(operand);
      if (letter == "fixed" && type.getRank() > 0)
        elements *= type.isDynamicDim(0) ? 1 : type.getDimSize(0);
      rows[letter] += elements * bytesOfElement(type.getElementType());
    }
  }

  /// Weights, and what comes from outside of the step: rows of tables, keys and values.
  void countMemory() {
    for (Value operand : op->getOperands()) {
      auto weight = dyn_cast<RankedTensorType>(operand.getType());
      if (!weight)
        continue;
      if (auto embed = dyn_cast<EmbedOp>(op)) {
        // One row of the table for each id, however large the table is.
        memory[letterOf(embed.getIds())] +=
            elementsOfRow(operand) * bytesOfElement(weight.getElementType());
      } else if (ParamOp param = paramOf(operand)) {
        weightBytes += layoutOf(param).stride;
      } else {
        weightBytes += weight.getNumElements() * bytesOfElement(weight.getElementType());
      }
    }
    if (auto submit = dyn_cast<place::SubmitOp>(op)) {
      auto into = cast<MemRefType>(submit.getInto().getType());
      memory[letterOf(submit.getInto())] +=
          elementsOfRow(submit.getInto()) * bytesOfElement(into.getElementType());
    } else if (auto append = dyn_cast<CacheAppendOp>(op)) {
      memory["row"] += bytesOfToken(append.getPages());
    } else if (auto pack = dyn_cast<CachePackOp>(op)) {
      rows["row"] += bytesOfTiles(pack.getInto());
    } else if (auto attention = dyn_cast<AttentionOp>(op)) {
      if (attention.getPages())
        memory["key"] += bytesOfToken(attention.getPages());
      else if (attention.getTiles())
        rows["key"] += bytesOfTiles(attention.getTiles());
    }
  }

  /// A token's keys and values in one layer.
  int64_t bytesOfToken(Value pages) {
    auto kv = module.lookupSymbol<KVOp>(cast<PagesType>(pages.getType()).getSymbol());
    return kv ? kv.getHeads() * kv.getSlotNumbers() * bytesOfElement(kv.getElement()) : 0;
  }

  /// The same, of keys and values that were packed in the arena.
  int64_t bytesOfTiles(Value tiles) {
    auto buffer = place::viewedMemory(tiles).getDefiningOp<place::BufferOp>();
    return buffer ? buffer.getSize().getRow() : 0;
  }

  void countOperations() {
    auto compute = dyn_cast<ComputeOpInterface>(op);
    if (!compute)
      return;
    OperationCount count = compute.countOperations();
    StringRef letter = "row";
    for (Value operand : op->getOperands())
      if (isa<MemRefType>(operand.getType())) {
        letter = letterOf(operand);
        if (letter == "fixed")
          count.perRow *= cast<MemRefType>(operand.getType()).getDimSize(0);
        break;
      }
    operations[letter] += count.perRow;
    operations["pair"] += count.perPair;
  }

  void choosePath() {
    path = "rows";
    if (auto compute = dyn_cast<ComputeOpInterface>(op); compute && compute.isBufferForm())
      dtype = typeName(outputType(op).getElementType());
    if (auto linear = dyn_cast<LinearOp>(op)) {
      path = "panels";
      dtype = typeName(getElementTypeOrSelf(linear.getWeight()));
      if (BlocksAttr blocks = blocksOf(linear.getWeight().getType())) {
        dtype = "int" + std::to_string(blocks.getBits());
        // Integer sums, wherever the machine has an instruction for them.
        dot = linear.getInputs() ? "vnni" : "fma";
        path += " of " + blocks.describe() + (linear.getInputs() ? ", rows int8" : "");
      }
      if (auto panels = dyn_cast_or_null<place::PanelsAttr>(linear.getScheduleAttr())) {
        dot = place::stringifyDot(panels.getDot()).str();
        path += " " + dot;
        schedule = textOf(panels);
      }
    } else if (auto attention = dyn_cast<AttentionOp>(op)) {
      path = attention.getTiles() ? "cuts of 256 over tiles" : "cuts of 256 over pages";
      mask = maskName(attention.getMask());
      if (attention.getPages())
        if (auto kv = module.lookupSymbol<KVOp>(
                cast<PagesType>(attention.getPages().getType()).getSymbol()))
          dtype = typeName(kv.getElement());
    } else if (isa<place::SubmitOp, place::AwaitOp>(op)) {
      path = "home";
    } else if (isa<CacheAppendOp, CachePackOp>(op)) {
      path = "tiles";
    }
  }

  /// What pairs are counted by: "causal" where nothing later is seen, "all" where everything is.
  /// What hides more than that is counted as if it were seen: then operations are an upper bound.
  static std::string maskName(MaskAttrInterface mask) {
    auto both = dyn_cast<AndAttr>(mask);
    if (isa<CausalAttr>(mask) ||
        (both && llvm::any_of(both.getMasks(), [](auto part) { return isa<CausalAttr>(part); })))
      return "causal";
    return mask.isAll() ? "all" : "other";
  }

  static std::string typeName(Type type) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    return text;
  }

  ModuleOp module;
  Operation *op;
  Builder builder;
  int64_t weightBytes = 0;
  Amounts memory, rows, operations;
  std::string path, dot, dtype, schedule, mask;
};
} // namespace

ArrayAttr describeOps(ModuleOp module) {
  SmallVector<Attribute> ops;
  int64_t function = 0;
  for (auto func : module.getOps<func::FuncOp>()) {
    if (!func->hasAttr("sluice.export"))
      continue;
    func.walk([&](place::PhaseOp phase) {
      for (Operation &op : phase.getBody().front())
        if (place::isWork(&op))
          ops.push_back(OpDescriber(module, &op).describe(function, phase));
    });
    ++function;
  }
  return ArrayAttr::get(module.getContext(), ops);
}

std::string whyChosen(DictionaryAttr described, const CPUMachine &machine) {
  auto word = [&](StringRef key) {
    auto attribute = described.getAs<StringAttr>(key);
    return attribute ? attribute.getValue() : StringRef();
  };
  StringRef op = word("op"), dtype = word("dtype");
  std::string why;
  llvm::raw_string_ostream os(why);
  if (op == "linear") {
    if (word("dot") == "vnni")
      os << "codes of rows and weights are summed as integers, four to a step"
         << (machine.hasVnni ? " of vpdpbusd" : "");
    else if (dtype == "int8" || dtype == "int4")
      os << dtype << " is decoded to f32 in registers, once for all rows where there are many";
    else if (word("dot") == "dpbf16")
      os << "vdpbf16ps does two products where an fma does one on " << machine.cpu;
    else if (dtype == "bf16" && machine.hasDpbf16)
      os << "widened in registers: on " << machine.cpu << " vdpbf16ps is no faster than fma";
    else if (dtype == "bf16" || dtype == "f16")
      os << dtype << " is widened in registers: " << machine.cpu
         << " has no dot product of it that is worth its other bits";
    else if (word("dot") == "fma")
      os << "an fma a step is what " << dtype << " has";
    else
      os << "the dot of this machine for " << dtype;
    os << "; the tile fills the " << machine.vectorRegisters << " registers of "
       << machine.vectorBytes << " bytes with sums";
  } else if (op == "attention") {
    os << (word("path").ends_with("pages") ? "keys are cached in pages" : "keys are of this step")
       << "; cuts at multiples of 256 give the same bits whatever else is in the batch";
  } else if (word("share") == "one") {
    os << "one worker: too little to divide";
  } else {
    StringRef share = word("share");
    os << "every worker does whole "
       << (share == "asked"  ? "asked rows"
           : share == "seqs" ? "sequences"
                             : share)
       << ", so reductions stay in one worker";
  }
  return why;
}
} // namespace sluice::artifact
