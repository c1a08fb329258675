// SPDX-License-Identifier: Apache-2.0
//
// Counts what the placed stage says: nothing here is measured, nothing is guessed.

#include "sluice/Pipeline/Explain.h"
#include "dialects/Place/Place.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace sluice {
namespace {

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

int64_t bytesOf(ShapedType type, bool withoutRows) {
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t size : type.getShape().drop_front(withoutRows ? 1 : 0))
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  return bytes;
}

std::string locationOf(Location location) {
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

std::string scheduleText(place::PanelsAttr schedule) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "rows ";
  llvm::interleave(schedule.getRows(), os, "/");
  os << " x " << schedule.getPanels() << " panels, stream " << schedule.getStream();
  if (schedule.getKblock())
    os << ", k " << schedule.getKblock();
  return text;
}

ExplainedOp explainOp(func::FuncOp func, place::PhaseOp phase, Operation *op) {
  ExplainedOp line;
  line.function = func.getName();
  line.phase = phase.getName();
  line.op = op->getName().stripDialect();
  line.share = place::stringifyShare(phase.getShare());
  line.location = locationOf(op->getLoc());
  line.times = timesRun(op);
  line.weightBytes = line.rowBytes = line.rowOperations = 0;
  bool gathers = isa<EmbedOp>(op);
  for (Value operand : op->getOperands()) {
    if (auto memref = dyn_cast<MemRefType>(operand.getType());
        memref && !memref.getElementType().isInteger(8))
      line.rowBytes += bytesOf(memref, /*withoutRows=*/memref.getRank() > 0);
    else if (auto weight = dyn_cast<RankedTensorType>(operand.getType()))
      // A gather reads one row of its table for each row of the step, not the table.
      (gathers ? line.rowBytes : line.weightBytes) += bytesOf(weight, gathers);
  }
  line.path = "rows";
  if (auto linear = dyn_cast<LinearOp>(op)) {
    auto weight = cast<RankedTensorType>(linear.getWeight().getType());
    line.rowOperations = 2 * weight.getNumElements();
    line.path = "panels";
    if (auto schedule = dyn_cast_or_null<place::PanelsAttr>(linear.getScheduleAttr())) {
      line.path += (" " + place::stringifyDot(schedule.getDot())).str();
      line.schedule = scheduleText(schedule);
    }
  } else if (auto attention = dyn_cast<AttentionOp>(op)) {
    line.path = attention.getTiles() ? "cuts of 256 over tiles" : "cuts of 256 over pages";
  } else if (isa<place::SubmitOp, place::AwaitOp>(op)) {
    line.path = "home";
  }
  return line;
}

std::string bytesText(int64_t bytes) {
  if (bytes >= 10'000'000)
    return llvm::formatv("{0:F1} MB", bytes / 1e6);
  if (bytes >= 10'000)
    return llvm::formatv("{0:F1} kB", bytes / 1e3);
  return llvm::formatv("{0} B", bytes);
}
} // namespace

std::vector<ExplainedOp> explain(ModuleOp module) {
  std::vector<ExplainedOp> lines;
  for (auto func : module.getOps<func::FuncOp>())
    func.walk([&](place::PhaseOp phase) {
      for (Operation &op : phase.getBody().front())
        lines.push_back(explainOp(func, phase, &op));
    });
  return lines;
}

void printExplanation(ModuleOp module, raw_ostream &os) {
  std::vector<ExplainedOp> lines = explain(module);
  for (auto func : module.getOps<func::FuncOp>()) {
    os << "function " << func.getName() << "\n";
    os << llvm::formatv("  {0,-6}{1,-16}{2,-14}{3,-9}{4,12}{5,12}{6,16}  {7}\n", "times", "phase",
                        "op", "share", "weights", "bytes/row", "operations/row", "path");
    int64_t weights = 0, rows = 0, operations = 0;
    for (const ExplainedOp &line : lines) {
      if (line.function != func.getName())
        continue;
      os << llvm::formatv("  {0,-6}{1,-16}{2,-14}{3,-9}{4,12}{5,12}{6,16}  {7}", line.times,
                          line.phase, line.op, line.share, bytesText(line.weightBytes),
                          bytesText(line.rowBytes), line.rowOperations, line.path);
      if (!line.schedule.empty())
        os << "; " << line.schedule;
      if (!line.location.empty())
        os << "  [" << line.location << "]";
      os << "\n";
      weights += line.times * line.weightBytes;
      rows += line.times * line.rowBytes;
      operations += line.times * line.rowOperations;
    }
    os << llvm::formatv(
        "  a step: weights {0}, and for each row {1} and {2} operations of linear layers\n",
        bytesText(weights), bytesText(rows), operations);
    if (auto arena = func->getAttrOfType<place::ExtentAttr>("place.arena"))
      os << llvm::formatv("  arena: {0} for each of max_rows, {1} for each of max_seqs, and {2}\n",
                          bytesText(arena.getRow()), bytesText(arena.getSeq()),
                          bytesText(arena.getFixed()));
  }
}

llvm::json::Value explanationAsJson(ModuleOp module) {
  llvm::json::Array ops, functions;
  for (const ExplainedOp &line : explain(module))
    ops.push_back(llvm::json::Object{{"function", line.function},
                                     {"phase", line.phase},
                                     {"op", line.op},
                                     {"share", line.share},
                                     {"path", line.path},
                                     {"schedule", line.schedule},
                                     {"location", line.location},
                                     {"times", line.times},
                                     {"weight_bytes", line.weightBytes},
                                     {"row_bytes", line.rowBytes},
                                     {"row_operations", line.rowOperations}});
  for (auto func : module.getOps<func::FuncOp>())
    if (auto arena = func->getAttrOfType<place::ExtentAttr>("place.arena"))
      functions.push_back(
          llvm::json::Object{{"name", func.getName()},
                             {"arena", llvm::json::Object{{"row", arena.getRow()},
                                                          {"seq", arena.getSeq()},
                                                          {"fixed", arena.getFixed()}}}});
  return llvm::json::Object{{"functions", std::move(functions)}, {"ops", std::move(ops)}};
}
} // namespace sluice
