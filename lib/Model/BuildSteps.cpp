//===- BuildSteps.cpp - one step, one op -----------------------------------===//
// SPDX-License-Identifier: Apache-2.0
//
// Checks only what is needed to build an op at all (a name of the right kind, a rank); every other
// rule is the op's own, and the verifier's message comes with the step's line.
//
//===----------------------------------------------------------------------===//
#include "BuildSteps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace llvm;

namespace sluice::model {

mlir::Location locationOf(mlir::MLIRContext *context, const Places &places) {
  SmallVector<mlir::Location> all;
  for (const FilePosition &place : places)
    all.push_back(mlir::FileLineColLoc::get(context, place.file, place.line, place.column));
  if (all.size() == 1)
    return all.front();
  return mlir::FusedLoc::get(context, all);
}

mlir::Type elementType(mlir::MLIRContext *context, StringRef dtype) {
  mlir::Builder b(context);
  if (dtype == "f32")
    return b.getF32Type();
  if (dtype == "bf16")
    return b.getBF16Type();
  if (dtype == "f16")
    return b.getF16Type();
  return dtype == "i32" ? b.getI32Type() : b.getI64Type();
}

bool StepBuilder::fail(const Step &step, const Twine &message) {
  log.report(Severity::BadInput, step.at.front(), "step '" + step.schema->op + "': " + message);
  return false;
}

mlir::Value StepBuilder::rows(const Step &step, StringRef field, int64_t rank) {
  if (!step.has(field))
    return nullptr;
  mlir::Value value = lookup(step.text(field));
  auto type = value ? dyn_cast<mlir::RankedTensorType>(value.getType()) : nullptr;
  if (!type || (rank && type.getRank() != rank)) {
    fail(step, "expected '" + field + "' to be rows" +
                   (rank == 3   ? " of heads (see 'split')"
                    : rank == 2 ? " of numbers"
                                : "") +
                   ", but '" + step.text(field) + "' is not");
    return nullptr;
  }
  return value;
}

mlir::Value StepBuilder::weight(const Step &step, StringRef field) {
  if (!step.has(field))
    return nullptr;
  StringRef name = step.text(field);
  const Weight *found = description.weight(name);
  if (!found) {
    SmallVector<StringRef> known;
    for (const Weight &one : description.weights)
      known.push_back(one.name);
    fail(step, "no weight '" + name + "' is declared under 'weights'" + didYouMean(name, known));
    return nullptr;
  }
  mlir::Value number = found->stack ? layer : nullptr;
  if (!found->layers.empty()) {
    if (!(number = placeOf(step, *found)))
      return nullptr;
  } else if (found->stack && found->stack != layerCount) {
    fail(step, "weight '" + name + "' has " + Twine(found->stack) + " layers, but " +
                   (layer ? "the repeat around the step has " + Twine(layerCount)
                          : Twine("there is no repeat around the step")));
    return nullptr;
  }
  std::vector<int64_t> shape = found->layerShape();
  if (found->experts)
    shape.insert(shape.begin(), found->experts);
  auto type = shaped(shape, elementType(b.getContext(), found->dtype));
  return ParamUseOp::create(b, loc, type, name, number);
}

mlir::Value StepBuilder::layerOf(const Step &step, mlir::Value pages) {
  auto type = pages ? dyn_cast<PagesType>(pages.getType()) : nullptr;
  if (!type) {
    fail(step, "expected 'pages' to be pages");
    return nullptr;
  }
  const KVMemory *memory = description.memory(type.getSymbol().getValue());
  if (!layer || memory->layers != layerCount) {
    fail(step, "memory '" + memory->name + "' has " + Twine(memory->layers) + " layers, but " +
                   (layer ? "the repeat around the step has " + Twine(layerCount)
                          : Twine("there is no repeat around the step")));
    return nullptr;
  }
  return layer;
}

bool StepBuilder::buildLayer(const Step &step) {
  if (!layer)
    return fail(step, "expected a repeat around it");
  int64_t number = step.integer("number");
  if (number >= roundSize || layerOffset)
    return fail(step, "expected the number of a layer of a round of " + Twine(roundSize) +
                          " layers, in no other layer, but found " + Twine(number));
  mlir::Value first = layer;
  if (number) {
    mlir::Value offset = mlir::arith::ConstantIndexOp::create(b, loc, number);
    layer = mlir::arith::AddIOp::create(b, loc, first, offset);
  }
  layerOffset = true;
  layerInRound = number;
  bool fine = build(step.body);
  layerOffset = false;
  layerInRound = 0;
  layer = first;
  return fine;
}

/// Whether one of |steps| reads a weight that some layers do not have.
bool StepBuilder::usesSomeLayers(ArrayRef<Step> steps) const {
  return any_of(steps, [&](const Step &step) {
    for (const auto &[name, value] : step.fields)
      if (auto *text = std::get_if<std::string>(&value))
        if (const Weight *weight = description.weight(*text); weight && !weight->layers.empty())
          return true;
    return usesSomeLayers(step.body);
  });
}

mlir::Value StepBuilder::placeOf(const Step &step, const Weight &weight) {
  auto refuse = [&](const Twine &why) -> mlir::Value {
    fail(step, "weight '" + weight.name + "' is there in " + Twine(weight.layers.size()) +
                   " layers only, " + why);
    return nullptr;
  };
  if (!layer)
    return refuse("but there is no repeat around the step");
  if (weight.layers.back() >= layerCount)
    return refuse("of which the repeat around the step has not all");
  // Its places in the stack, round by round: they have to be evenly apart.
  SmallVector<int64_t> places;
  for (int64_t number = firstLayer + layerInRound; number < endLayer; number += roundSize) {
    auto found = llvm::lower_bound(weight.layers, number);
    if (found == weight.layers.end() || *found != number)
      return refuse("and layer " + Twine(number) + " is none of them");
    places.push_back(found - weight.layers.begin());
  }
  int64_t apart = places.size() > 1 ? places[1] - places[0] : 1;
  for (size_t i = 1; i < places.size(); ++i)
    if (places[i] - places[i - 1] != apart)
      return refuse("and those of the repeat around the step are not evenly apart");
  auto index = [&](int64_t number) -> mlir::Value {
    return mlir::arith::ConstantIndexOp::create(b, loc, number);
  };
  mlir::Value place = round;
  if (apart != 1)
    place = mlir::arith::MulIOp::create(b, loc, place, index(apart));
  if (places.front() != 0)
    place = mlir::arith::AddIOp::create(b, loc, place, index(places.front()));
  return place;
}

bool StepBuilder::buildRepeat(const Step &step) {
  if (layer)
    return fail(step, "a repeat inside a repeat is not built");
  SmallVector<mlir::Value> carried;
  for (const std::string &name : step.names("carry"))
    carried.push_back(lookup(name));
  int64_t layers = step.integer("layers"), first = step.integer("first", 0),
          last = step.integer("end", layers), every = step.integer("every", 1);
  if (first >= last || last > layers || (last - first) % every != 0)
    return fail(step, "expected whole rounds of " + Twine(every) + " of the layers from " +
                          Twine(first) + " to " + Twine(last) + ", which are at most " +
                          Twine(layers));
  auto index = [&](int64_t number) -> mlir::Value {
    return mlir::arith::ConstantIndexOp::create(b, loc, number);
  };
  // Layers are counted, unless a weight is there in some of them only: then rounds are.
  bool counts = usesSomeLayers(step.body);
  mlir::Value zero = index(counts ? 0 : first);
  mlir::Value end = index(counts ? (last - first) / every : last);
  mlir::Value one = index(counts ? 1 : every);
  auto loop = mlir::scf::ForOp::create(b, loc, zero, end, one, carried);

  StringMap<mlir::Value> outer = values;
  mlir::Location outerLoc = loc;
  bool fine;
  {
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    layer = loop.getInductionVar();
    if (counts) {
      round = layer;
      if (every != 1)
        layer = mlir::arith::MulIOp::create(b, loc, layer, index(every));
      if (first != 0)
        layer = mlir::arith::AddIOp::create(b, loc, layer, index(first));
    }
    firstLayer = first, endLayer = last;
    layerCount = layers;
    roundSize = every;
    for (auto [name, value] : zip(step.names("carry"), loop.getRegionIterArgs()))
      define(name, value);
    fine = build(step.body);
    if (fine) {
      SmallVector<mlir::Value> next;
      for (auto [name, before] : zip(step.names("carry"), carried)) {
        mlir::Value value = lookup(name);
        if (value.getType() != before.getType())
          fine = fail(step, "'" + name + "' is not of the same type after a layer as before it");
        next.push_back(value);
      }
      if (fine)
        mlir::scf::YieldOp::create(b, outerLoc, next);
    }
  }
  layer = round = nullptr;
  layerCount = roundSize = 0;
  values = std::move(outer);
  if (!fine)
    return false;
  for (auto [name, value] : zip(step.names("carry"), loop.getResults()))
    define(name, value);
  return true;
}

bool StepBuilder::buildSplit(const Step &step) {
  mlir::Value x = rows(step, "x", 2);
  if (!x)
    return false;
  auto type = cast<mlir::RankedTensorType>(x.getType());
  const auto &pieces = std::get<std::vector<Piece>>(*step.find("to"));
  int64_t columns = 0;
  for (const Piece &piece : pieces) {
    int64_t width = 1;
    for (int64_t size : piece.shape)
      width = SaturatingMultiply<uint64_t>(width, size) > INT32_MAX ? INT32_MAX : width * size;
    columns += width;
    if (piece.shape.size() > 2)
      return fail(step, "expected pieces of one or two sizes, but '" + piece.name + "' has " +
                            Twine(piece.shape.size()));
  }
  if (columns != type.getDimSize(1))
    return fail(step, "the pieces have " + Twine(columns) + " numbers together, but a row of '" +
                          step.text("x") + "' has " + Twine(type.getDimSize(1)));
  mlir::OpFoldResult rowCount = mlir::tensor::getMixedSize(b, loc, x, 0);
  mlir::OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  int64_t offset = 0;
  for (const Piece &piece : pieces) {
    int64_t width = piece.shape[0] * (piece.shape.size() == 2 ? piece.shape[1] : 1);
    mlir::Value part = mlir::tensor::ExtractSliceOp::create(
        b, loc, shaped({mlir::ShapedType::kDynamic, width}, type.getElementType()), x,
        {zero, b.getIndexAttr(offset)}, {rowCount, b.getIndexAttr(width)}, {one, one});
    if (piece.shape.size() == 2)
      part = mlir::tensor::ExpandShapeOp::create(
          b, loc,
          shaped({mlir::ShapedType::kDynamic, piece.shape[0], piece.shape[1]},
                 type.getElementType()),
          part, ArrayRef<mlir::ReassociationIndices>{{0}, {1, 2}},
          ArrayRef<mlir::OpFoldResult>{rowCount, b.getIndexAttr(piece.shape[0]),
                                       b.getIndexAttr(piece.shape[1])});
    define(piece.name, part);
    offset += width;
  }
  return true;
}

bool StepBuilder::buildAttention(const Step &step) {
  mlir::Value query = rows(step, "query", 3), key = rows(step, "key", 3),
              value = rows(step, "value", 3), pages, layerNumber;
  if (!query || (step.has("key") && !key) || (step.has("value") && !value))
    return false;
  if (step.has("key") != step.has("value") || step.has("key") == step.has("pages"))
    return fail(step, "expected either 'key' and 'value' or 'pages'");
  int64_t width;
  if (step.has("pages")) {
    pages = plain(step, "pages");
    if (!(layerNumber = layerOf(step, pages)))
      return false;
    width = description.memory(cast<PagesType>(pages.getType()).getSymbol().getValue())->value;
  } else {
    width = cast<mlir::RankedTensorType>(value.getType()).getDimSize(2);
  }
  mlir::MLIRContext *context = b.getContext();
  mlir::Attribute mask = AllAttr::get(context);
  if (step.text("mask") == "causal")
    mask = CausalAttr::get(context);
  if (step.has("window"))
    mask = AndAttr::get(context, {mask, WindowAttr::get(context, step.integer("window"))});
  mlir::Value sinks = weight(step, "sinks");
  if (step.has("sinks") && !sinks)
    return false;
  auto queryType = cast<mlir::RankedTensorType>(query.getType());
  return give(
      step,
      AttentionOp::create(
          b, loc,
          shaped({mlir::ShapedType::kDynamic, queryType.getDimSize(1), width}, resultElement(step)),
          query, key, value, pages, layerNumber, /*tiles=*/nullptr, plain(step, "batch"),
          /*window=*/nullptr, /*segments=*/nullptr, /*parents=*/nullptr, /*prefixes=*/nullptr,
          /*slopes=*/nullptr, /*bias=*/nullptr, sinks, mlir::ValueRange(),
          cast<MaskAttrInterface>(mask), b.getF64FloatAttr(step.number("scale")),
          numberAttr(step, "softcap"), /*kv_heads=*/nullptr, /*value_size=*/nullptr,
          /*round=*/nullptr)
          .getResult());
}

RopeScalingAttrInterface StepBuilder::scalingAttr(const Step &step) {
  const auto &scaling = std::get<Scaling>(*step.find("scaling"));
  auto number = [&](StringRef name) { return APFloat(scaling.item(name).numbers.front()); };
  auto count = [&](StringRef name) { return int64_t(scaling.item(name).numbers.front()); };
  auto list = [&](StringRef name) { return b.getDenseF64ArrayAttr(scaling.item(name).numbers); };
  mlir::MLIRContext *context = b.getContext();
  auto error = [&] { return mlir::emitError(loc) << "step 'rope': 'scaling' "; };
  if (scaling.kind == "linear")
    return RopeLinearAttr::getChecked(error, context, number("factor"));
  if (scaling.kind == "ntk")
    return RopeNtkAttr::getChecked(error, context, number("factor"));
  if (scaling.kind == "dynamic")
    return RopeDynamicAttr::getChecked(error, context, number("factor"), count("original"));
  if (scaling.kind == "llama3")
    return RopeLlama3Attr::getChecked(error, context, number("factor"), number("low"),
                                      number("high"), count("original"));
  if (scaling.kind == "yarn")
    return RopeYarnAttr::getChecked(error, context, number("factor"), number("fast"),
                                    number("slow"), count("original"),
                                    *symbolizeYarnCorners(scaling.item("corners").word));
  assert(scaling.kind == "longrope" && "the table of kinds and this function list the same");
  return RopeLongropeAttr::getChecked(error, context, list("short"), list("long"),
                                      count("original"));
}

bool StepBuilder::build(const Step &step) {
  loc = locationOf(b.getContext(), step.at);
  StringRef op = step.schema->op;
  constexpr int64_t dynamic = mlir::ShapedType::kDynamic;
  mlir::MLIRContext *context = b.getContext();
  auto sizeOf = [](mlir::Value value, unsigned dim) {
    return cast<mlir::RankedTensorType>(value.getType()).getDimSize(dim);
  };

  if (op == "repeat")
    return buildRepeat(step);
  if (op == "layer")
    return buildLayer(step);
  if (op == "split")
    return buildSplit(step);
  if (op == "attention")
    return buildAttention(step);
  if (op == "route")
    return buildRoute(step);
  if (op == "experts")
    return buildExperts(step);
  if (op == "combine")
    return buildCombine(step);
  if (op == "embed" || op == "gather") {
    bool isWeight = op == "gather" || !lookup(step.text("table"));
    mlir::Value table = isWeight ? weight(step, "table") : rows(step, "table", 2);
    mlir::Value ids = table ? rows(step, "ids", 1) : nullptr;
    if (!ids)
      return false;
    auto tableType = cast<mlir::RankedTensorType>(table.getType());
    if (tableType.getRank() != 2)
      return fail(step, "expected 'table' to have two sizes");
    if (op == "gather") {
      auto value = shaped({dynamic, tableType.getDimSize(1)}, tableType.getElementType());
      return give(step, GatherOp::create(b, loc, FutureType::get(context, value), table, ids,
                                         step.text("home")));
    }
    return give(
        step,
        EmbedOp::create(b, loc, shaped({dynamic, tableType.getDimSize(1)}, b.getF32Type()), table,
                        ids, mlir::ValueRange(),
                        step.has("offset") ? b.getI64IntegerAttr(step.integer("offset")) : nullptr)
            .getResult());
  }
  if (op == "await") {
    mlir::Value future = plain(step, "x");
    auto type = dyn_cast<FutureType>(future.getType());
    if (!type)
      return fail(step, "expected 'x' to come from 'gather'");
    mlir::Value value = AwaitOp::create(b, loc, type.getValue(), future);
    // Rows are f32 from here on, as those of `embed` are.
    if (!type.getValue().getElementType().isF32())
      value = mlir::arith::ExtFOp::create(b, loc, type.getValue().clone(b.getF32Type()), value);
    return give(step, value);
  }
  if (op == "positions")
    return give(step, BatchPositionsOp::create(b, loc, shaped({dynamic}, b.getI32Type()),
                                               plain(step, "batch")));
  if (op == "norm") {
    mlir::Value x = rows(step, "x");
    if (!x)
      return false;
    mlir::Value scale = weight(step, "weight"), shift = weight(step, "bias");
    if ((step.has("weight") && !scale) || (step.has("bias") && !shift))
      return false;
    auto type = cast<mlir::RankedTensorType>(x.getType()).clone(resultElement(step));
    auto kind = *symbolizeNormKind(step.text("kind"));
    return give(step,
                NormOp::create(b, loc, type, NormKindAttr::get(context, kind), x, scale, shift,
                               mlir::ValueRange(), b.getF64FloatAttr(step.number("eps")),
                               numberAttr(step, "offset"), nullptr)
                    .getResult());
  }
  if (op == "linear") {
    mlir::Value x = rows(step, "x", 2);
    mlir::Value matrix = x ? weight(step, "weight") : nullptr;
    mlir::Value bias = matrix ? weight(step, "bias") : nullptr;
    if (!matrix || (step.has("bias") && !bias))
      return false;
    if (cast<mlir::RankedTensorType>(matrix.getType()).getRank() != 2)
      return fail(step, "expected 'weight' to have two sizes");
    return give(step, LinearOp::create(b, loc, shaped({dynamic, sizeOf(matrix, 0)}, b.getF32Type()),
                                       x, matrix, bias, nullptr, mlir::ValueRange(), nullptr,
                                       nullptr, nullptr, nullptr)
                          .getResult());
  }
  if (op == "activation") {
    mlir::Value x = rows(step, "x");
    if (!x)
      return false;
    bool gated = step.has("gated");
    SmallVector<int64_t> shape(cast<mlir::RankedTensorType>(x.getType()).getShape());
    if (shape.size() < 2)
      return fail(step, "expected 'x' to be rows of numbers, but '" + step.text("x") + "' is not");
    int64_t width = shape.back();
    if (gated && width % 2 != 0)
      return fail(step, "expected an even number of columns to gate, but found " + Twine(width));
    shape.back() = gated ? width / 2 : width;
    auto function = *symbolizeFunction(step.text("function"));
    return give(step, ActivationOp::create(
                          b, loc, shaped(shape, resultElement(step)),
                          FunctionAttr::get(context, function), x, mlir::ValueRange(),
                          gated ? b.getUnitAttr() : nullptr, numberAttr(step, "input_scale"),
                          numberAttr(step, "output_scale"), numberAttr(step, "limit"),
                          numberAttr(step, "up_offset"), nullptr)
                          .getResult());
  }
  if (op == "add") {
    mlir::Value x = rows(step, "x"), y = x ? rows(step, "y") : nullptr;
    if (!y)
      return false;
    if (x.getType() != y.getType())
      return fail(step, "expected rows of one type, but '" + step.text("x") + "' and '" +
                            step.text("y") + "' differ");
    return give(step, mlir::arith::AddFOp::create(b, loc, x, y));
  }
  if (op == "clamp") {
    mlir::Value x = rows(step, "x", 2);
    bool isWeight = !lookup(step.text("width"));
    mlir::Value width = !x ? nullptr : isWeight ? weight(step, "width") : rows(step, "width");
    if (!width)
      return false;
    auto rule = *symbolizeNanRule(step.text("nan"));
    return give(step, ClampOp::create(b, loc, x.getType(), x, width, mlir::ValueRange(),
                                      NanRuleAttr::get(context, rule))
                          .getResult());
  }
  if (op == "merge") {
    mlir::Value x = rows(step, "x", 3);
    if (!x)
      return false;
    auto type = cast<mlir::RankedTensorType>(x.getType());
    return give(
        step, mlir::tensor::CollapseShapeOp::create(
                  b, loc,
                  shaped({dynamic, type.getDimSize(1) * type.getDimSize(2)}, type.getElementType()),
                  x, ArrayRef<mlir::ReassociationIndices>{{0}, {1, 2}}));
  }
  if (op == "round") {
    mlir::Value x = rows(step, "x");
    if (!x)
      return false;
    auto type = cast<mlir::RankedTensorType>(x.getType());
    mlir::Type element = resultElement(step);
    if (element == type.getElementType())
      return give(step, x);
    if (!type.getElementType().isF32() || element.isF32())
      return fail(step, "expected f32 rows to be rounded to fewer bits");
    return give(step, mlir::arith::TruncFOp::create(b, loc, type.clone(element), x));
  }
  if (op == "rope") {
    mlir::Value x = rows(step, "x", 3), positions = x ? rows(step, "positions", 1) : nullptr;
    if (!positions)
      return false;
    auto pairing = *symbolizeRopePairing(step.text("pairing"));
    RopeScalingAttrInterface scaling;
    if (step.has("scaling") && !(scaling = scalingAttr(step)))
      return false;
    // All of a head is what the op means without `dims`.
    int64_t dims = step.integer("dims", sizeOf(x, 2));
    mlir::IntegerAttr part = dims == sizeOf(x, 2) ? nullptr : b.getI64IntegerAttr(dims);
    mlir::Value batch;
    if (scaling && scaling.needsLength() && !(batch = plain(step, "batch")))
      return fail(step,
                  "expected 'batch', because the scaling depends on the length of a sequence");
    return give(step, RopeOp::create(b, loc, x.getType(), RopePairingAttr::get(context, pairing), x,
                                     positions, batch, mlir::ValueRange(),
                                     b.getF64FloatAttr(step.number("theta")), part, scaling,
                                     numberAttr(step, "amplitude"))
                          .getResult());
  }
  if (op == "append") {
    mlir::Value key = rows(step, "key", 3), value = key ? rows(step, "value", 3) : nullptr;
    mlir::Value pages = plain(step, "pages");
    mlir::Value layerNumber = value ? layerOf(step, pages) : nullptr;
    if (!layerNumber)
      return false;
    return give(step, CacheAppendOp::create(b, loc, pages.getType(), key, value, pages, layerNumber,
                                            plain(step, "batch"))
                          .getResult());
  }
  if (op == "pool") {
    mlir::Value x = rows(step, "x", 2);
    if (!x)
      return false;
    auto kind = *symbolizePoolKind(step.text("kind"));
    return give(step, PoolOp::create(b, loc, x.getType(), PoolKindAttr::get(context, kind), x,
                                     plain(step, "batch"), mlir::ValueRange())
                          .getResult());
  }
  if (op == "argmax") {
    mlir::Value logits = rows(step, "logits", 2);
    if (!logits)
      return false;
    return give(step, SampleArgmaxOp::create(b, loc, shaped({dynamic}, b.getI32Type()), logits,
                                             mlir::ValueRange())
                          .getResult());
  }
  assert(op == "draw" && "the schema table and this function list the same steps");
  mlir::Value logits = rows(step, "logits", 2), temperature = rows(step, "temperature", 1),
              rng = rows(step, "rng", 1);
  if (!logits || !temperature || !rng)
    return false;
  ArrayRef<std::string> names = step.names("to");
  if (names.size() != 2)
    return fail(step, "expected 'to' to name the tokens and the random state");
  auto draw = SampleDrawOp::create(
      b, loc, mlir::TypeRange{shaped({dynamic}, b.getI32Type()), shaped({dynamic}, b.getI64Type())},
      logits, temperature, rng, mlir::ValueRange());
  define(names[0], draw.getDrawn()[0]);
  define(names[1], draw.getDrawn()[1]);
  return true;
}

bool StepBuilder::build(ArrayRef<Step> steps) {
  for (const Step &step : steps)
    if (!build(step))
      return false;
  return true;
}

} // namespace sluice::model
