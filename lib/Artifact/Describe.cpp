//===- Describe.cpp - what the artefact says about the module -------------===//
// SPDX-License-Identifier: Apache-2.0
//
//   sluice.param @n role scale layout rows : tensor<24xf32> from ["norm"] rows [24]
//     ==>  sluice.manifest = {..., weights = [{name = "n", dtype = "f32", shape = [24], layout =
//     "rows", bytes = 128, ...}]}
//
// Before: check-placed-stage holds. After: the same, with the attribute, from which lib/Artifact
// writes manifest.json. Leaves alone: a module that has the attribute.
//===----------------------------------------------------------------------===//
#include "dialects/Place/Place.h"
#include "lib/Artifact/DescribeOps.h"
#include "lib/Artifact/WeightLayout.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "sluice/Artifact/Passes.h"

using namespace mlir;

namespace sluice::artifact {
#define GEN_PASS_DEF_DESCRIBEPASS
#include "sluice/Artifact/Passes.h.inc"
namespace {

/// The manifest's name of an element type; empty: it has none.
StringRef dtypeName(Type type) {
  if (type.isF32())
    return "f32";
  if (type.isBF16())
    return "bf16";
  if (type.isF16())
    return "f16";
  if (type.isInteger(4))
    return "i4";
  if (type.isInteger(8))
    return "i8";
  if (type.isInteger(16))
    return "i16";
  if (type.isInteger(32))
    return "i32";
  if (type.isInteger(64))
    return "i64";
  return "";
}

class Describer {
public:
  explicit Describer(ModuleOp module) : module(module), builder(module.getContext()) {}

  FailureOr<DictionaryAttr> describe() {
    SmallVector<Attribute> functions;
    for (auto func : module.getOps<func::FuncOp>()) {
      if (!func->hasAttr("sluice.export"))
        continue;
      FailureOr<DictionaryAttr> described = describe(func);
      if (failed(described))
        return failure();
      functions.push_back(*described);
    }
    if (functions.empty())
      return module.emitError(
          "expects an exported function (sluice.export) to make an artefact of, but there is none");

    llvm::SmallDenseSet<StringRef> remote;
    bool pairs = false;
    module.walk([&](Operation *op) {
      if (auto submit = dyn_cast<place::SubmitOp>(op))
        remote.insert(submit.getParam());
      else if (auto linear = dyn_cast<LinearOp>(op))
        if (auto schedule = dyn_cast_or_null<place::PanelsAttr>(linear.getScheduleAttr()))
          pairs |= schedule.getDot() == place::Dot::Dpbf16;
    });
    SmallVector<Attribute> weights, kvs;
    for (auto param : module.getOps<ParamOp>())
      weights.push_back(describe(param, remote.contains(param.getSymName())));
    for (auto kv : module.getOps<KVOp>())
      kvs.push_back(describe(kv));

    NamedAttrList all;
    all.set("dot", builder.getStringAttr(pairs ? "dpbf16" : "fma"));
    all.set("functions", builder.getArrayAttr(functions));
    all.set("weights", builder.getArrayAttr(weights));
    all.set("kv", builder.getArrayAttr(kvs));
    all.set("ops", describeOps(module));
    return all.getDictionary(module.getContext());
  }

private:
  Attribute number(int64_t value) { return builder.getI64IntegerAttr(value); }

  FailureOr<DictionaryAttr> describe(func::FuncOp func) {
    auto arena = func->getAttrOfType<place::ExtentAttr>("place.arena");
    if (!arena)
      return func.emitOpError("expects 'place.arena'; run place-plan-memory");
    SmallVector<Attribute> args;
    for (BlockArgument argument : func.getArguments())
      if (isa<MemRefType>(argument.getType())) {
        FailureOr<DictionaryAttr> described = describe(func, argument);
        if (failed(described))
          return failure();
        args.push_back(*described);
      }
    int64_t gathers = 0;
    func.walk([&](place::SubmitOp submit) {
      gathers = std::max<int64_t>(gathers, submit.getToken() + 1);
    });

    NamedAttrList bytes, all;
    bytes.set("row", number(arena.getRow()));
    bytes.set("seq", number(arena.getSeq()));
    bytes.set("fixed", number(arena.getFixed()));
    all.set("name", builder.getStringAttr(func.getName()));
    all.set("symbol", builder.getStringAttr("sluice_fn_" + func.getName()));
    all.set("arena", bytes.getDictionary(module.getContext()));
    all.set("args", builder.getArrayAttr(args));
    if (gathers)
      all.set("gathers", number(gathers));
    return all.getDictionary(module.getContext());
  }

  FailureOr<DictionaryAttr> describe(func::FuncOp func, BlockArgument argument) {
    unsigned index = argument.getArgNumber();
    auto type = cast<MemRefType>(argument.getType());
    auto name = func.getArgAttrOfType<StringAttr>(index, "sluice.name");
    auto extent = func.getArgAttrOfType<StringAttr>(index, "place.extent");
    StringRef dtype = dtypeName(type.getElementType());
    if (!name || dtype.empty() || (type.isDynamicDim(0) && !extent))
      return func.emitOpError()
             << "expects argument " << index
             << " to have 'sluice.name', a number type that programs can "
             << "give, and 'place.extent' where its leading dim is dynamic, but it is a " << type;
    SmallVector<Attribute> shape;
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      shape.push_back(dim == 0 && ShapedType::isDynamic(size) ? Attribute(extent) : number(size));
    NamedAttrList all;
    all.set("name", name);
    all.set("io", builder.getStringAttr(func.getArgAttr(index, "sluice.out") ? "out" : "in"));
    all.set("dtype", builder.getStringAttr(dtype));
    all.set("shape", builder.getArrayAttr(shape));
    if (Attribute bound = func.getArgAttr(index, "place.bound"))
      all.set("bound", bound);
    return all.getDictionary(module.getContext());
  }

  DictionaryAttr describe(ParamOp param, bool remote) {
    RankedTensorType type = param.getTensorType();
    WeightLayout layout = layoutOf(param);
    NamedAttrList all;
    all.set("name", param.getSymNameAttr());
    all.set("dtype", builder.getStringAttr(dtypeName(type.getElementType())));
    all.set("shape", builder.getI64ArrayAttr(type.getShape()));
    if (param.getStack())
      all.set("stack", number(*param.getStack()));
    if (param.getExperts())
      all.set("experts", number(*param.getExperts()));
    if (param.getLayers())
      all.set("layers", builder.getI64ArrayAttr(*param.getLayers()));
    all.set("layout",
            builder.getStringAttr(stringifyLayout(param.getLayout().value_or(Layout::Rows))));
    all.set("bytes", number(layout.count * layout.stride));
    all.set("stride", number(layout.stride));
    all.set("role", builder.getStringAttr(stringifyRole(param.getRole())));
    if (BlocksAttr blocks = blocksOf(type)) {
      NamedAttrList encoding;
      encoding.set("element", builder.getStringAttr(dtypeName(blocks.getElement())));
      encoding.set("scale", builder.getStringAttr(dtypeName(blocks.getScale())));
      encoding.set("rows", number(blocks.getRows()));
      encoding.set("columns", number(blocks.getColumns()));
      all.set("encoding", encoding.getDictionary(module.getContext()));
    }
    SmallVector<Attribute> sources;
    for (auto [source, rows] :
         llvm::zip_equal(param.getSources().getAsRange<StringAttr>(), param.getSourceRows())) {
      NamedAttrList entry;
      entry.set("name", source);
      entry.set("rows", number(rows));
      sources.push_back(entry.getDictionary(module.getContext()));
    }
    all.set("sources", builder.getArrayAttr(sources));
    if (param.getTransposed())
      all.set("transposed", number(1));
    if (param.getAlternating())
      all.set("alternating", number(1));
    if (auto seed = module->getAttrOfType<IntegerAttr>("sluice.random_seed"))
      all.set("random_seed", seed);
    if (remote)
      all.set("home", builder.getStringAttr("host"));
    return all.getDictionary(module.getContext());
  }

  DictionaryAttr describe(KVOp kv) {
    NamedAttrList all;
    all.set("name", kv.getSymNameAttr());
    all.set("layers", number(kv.getLayers()));
    all.set("kv_heads", number(kv.getHeads()));
    all.set("k", number(kv.getKey()));
    all.set("v", number(kv.getValue()));
    if (kv.getShared())
      all.set("shared", number(1));
    all.set("page", number(kv.getPage()));
    all.set("dtype", builder.getStringAttr(dtypeName(kv.getElement())));
    return all.getDictionary(module.getContext());
  }

  ModuleOp module;
  Builder builder;
};

struct Describe : impl::DescribePassBase<Describe> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (module->hasAttr("sluice.manifest"))
      return;
    FailureOr<DictionaryAttr> manifest = Describer(module).describe();
    if (failed(manifest))
      return signalPassFailure();
    module->setAttr("sluice.manifest", *manifest);
  }
};
} // namespace
} // namespace sluice::artifact
