// SPDX-License-Identifier: Apache-2.0

#include "Inputs.h"
#include "dialects/Sluice/Sluice.h"
#include "sluice/Reference/RandomWeights.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace sluice;
using namespace sluice::check;
using namespace sluice::reference;

int64_t Sizes::total() const { return std::accumulate(rows.begin(), rows.end(), int64_t(0)); }

std::string check::argumentName(func::FuncOp function, unsigned index) {
  if (auto name = function.getArgAttrOfType<StringAttr>(index, "sluice.name"))
    return name.str();
  return "argument" + std::to_string(index);
}

std::string check::resultName(func::FuncOp function, unsigned index) {
  if (auto name = function.getResultAttrOfType<StringAttr>(index, "sluice.name"))
    return name.str();
  return "result" + std::to_string(index);
}

bool check::hasPages(func::FuncOp function) {
  return llvm::any_of(function.getArgumentTypes(), llvm::IsaPred<PagesType>);
}

bool check::hasDynamicSizes(func::FuncOp function) {
  return llvm::any_of(llvm::enumerate(function.getArgumentTypes()), [&](auto argument) {
    if (isa<BatchType>(argument.value()))
      return true;
    auto type = dyn_cast<RankedTensorType>(argument.value());
    return type && !type.hasStaticShape() && !function.getArgAttr(argument.index(), "check.value");
  });
}

std::optional<Sizes> check::fixedSizes(func::FuncOp function) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto rows = function.getArgAttrOfType<DenseI64ArrayAttr>(i, "check.rows");
    if (!rows)
      continue;
    Sizes sizes;
    sizes.rows = rows.asArrayRef().vec();
    sizes.past.assign(sizes.rows.size(), 0);
    if (auto past = function.getArgAttrOfType<DenseI64ArrayAttr>(i, "check.past"))
      sizes.past = past.asArrayRef().vec();
    sizes.asked = std::min<int64_t>(sizes.total(), static_cast<int64_t>(sizes.rows.size()));
    return sizes;
  }
  return std::nullopt;
}

namespace {

/// Makes the arguments of one case.
class Maker {
public:
  explicit Maker(Case &made)
      : made(made), function(made.function), functionName(function.getName()) {}

  LogicalResult make() {
    if (made.sizes.past.size() != made.sizes.rows.size())
      return function.emitError()
             << "expects one number of cached keys per sequence, but there are "
             << made.sizes.rows.size() << " sequences and " << made.sizes.past.size() << " numbers";
    if (failed(makeBatch()))
      return failure();
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      name = argumentName(function, i);
      Type type = function.getArgumentTypes()[i];
      if (isa<BatchType>(type)) {
        made.arguments.push_back(made.batch);
      } else if (auto pages = dyn_cast<PagesType>(type)) {
        if (failed(makePages(i, pages)))
          return failure();
      } else if (failed(makeTensor(i, type))) {
        return failure();
      }
    }
    return success();
  }

private:
  /// A raw number in [-1, 1) that depends on the seed, the function, the argument and `index`.
  double raw(StringRef purpose, int64_t index) const {
    return randomValue(made.seed, (functionName + "/" + name + "/" + purpose).str(), index);
  }
  int64_t below(StringRef purpose, int64_t index, int64_t bound) const {
    return static_cast<int64_t>((raw(purpose, index) + 1) / 2 * static_cast<double>(bound));
  }

  LogicalResult makeBatch() {
    Batch batch = Batch::ragged(made.sizes.rows, made.sizes.past);
    name = "batch";
    int64_t pagesNeeded = 0;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      if (auto positions = function.getArgAttrOfType<DenseI64ArrayAttr>(i, "check.positions")) {
        if (positions.size() != batch.rows())
          return function.emitError() << "expects " << batch.rows()
                                      << " check.positions, but found " << positions.size();
        batch.position = positions.asArrayRef().vec();
      }
      if (auto pages = dyn_cast<PagesType>(function.getArgumentTypes()[i]))
        if (auto kv = SymbolTable::lookupNearestSymbolFrom<KVOp>(function, pages.getSymbol()))
          pagesNeeded = givePages(batch, kv.getPage());
    }
    // Spare pages lie between those in use, and the order of the pages has nothing to do with that
    // of the keys.
    poolSize = pagesNeeded + 3;
    std::vector<int64_t> order(poolSize);
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = poolSize - 1; i > 0; --i)
      std::swap(order[i], order[below("order", i, i + 1)]);
    for (int64_t i = 0; i < pagesNeeded; ++i)
      batch.pageTable.push_back(order[i]);
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto table = function.getArgAttrOfType<DenseI64ArrayAttr>(i, "check.pages")) {
        if (table.size() != pagesNeeded)
          return function.emitError()
                 << "expects " << pagesNeeded << " check.pages, but found " << table.size();
        batch.pageTable = table.asArrayRef().vec();
      }
    made.batch = std::make_shared<const Batch>(std::move(batch));
    return success();
  }

  static int64_t givePages(Batch &batch, int64_t slots) {
    batch.pageStart = {0};
    for (int64_t s = 0; s < batch.seqs(); ++s) {
      int64_t keys = batch.past[s] + batch.rowStart[s + 1] - batch.rowStart[s];
      batch.pageStart.push_back(batch.pageStart.back() + (keys + slots - 1) / slots);
    }
    return batch.pageStart.back();
  }

  LogicalResult makePages(unsigned index, PagesType type) {
    auto kv = SymbolTable::lookupNearestSymbolFrom<KVOp>(function, type.getSymbol());
    if (!kv)
      return function.emitError() << "expects pages of a sluice.kv, but there is no '"
                                  << type.getSymbol().getValue() << "'";
    int64_t count = poolSize;
    if (auto fixed = function.getArgAttrOfType<IntegerAttr>(index, "check.page_count"))
      count = fixed.getInt();
    Pages pages(kv.getLayers(), kv.getHeads(), kv.getKey(), kv.getValue(), kv.getPage(),
                kv.getElement(), count, kv.getShared());
    const Batch &batch = *made.batch;
    int64_t number = 0;
    for (int64_t s = 0; s < batch.seqs(); ++s)
      for (int64_t j = 0; j < batch.past[s]; ++j) {
        int64_t page = batch.pageTable[batch.pageStart[s] + j / pages.slots()],
                slot = j % pages.slots();
        if (page < 0 || page >= count)
          continue; // a test of the trap
        for (int64_t l = 0; l < pages.layers(); ++l)
          for (int64_t g = 0; g < pages.heads(); ++g) {
            for (int64_t d = 0; d < pages.keySize(); ++d)
              pages.setKey(l, page, g, slot, d, plain(number++));
            for (int64_t e = 0; !pages.isShared() && e < pages.valueSize(); ++e)
              pages.setValue(l, page, g, slot, e, plain(number++));
          }
      }
    made.arguments.push_back(std::make_shared<const Pages>(std::move(pages)));
    return success();
  }

  LogicalResult makeTensor(unsigned index, Type type) {
    auto ranked = dyn_cast<RankedTensorType>(type);
    Type element = ranked ? ranked.getElementType() : type;
    if (auto value = function.getArgAttrOfType<DenseElementsAttr>(index, "check.value")) {
      if (value.getElementType() != element)
        return function.emitError() << "expects check.value of " << element << " for '" << name
                                    << "', but found " << value.getElementType();
      made.arguments.push_back(std::make_shared<const Tensor>(Tensor::constant(value)));
      return success();
    }
    if (!isa<FloatType, IntegerType, IndexType>(element))
      return function.emitError()
             << "expects arguments that are tensors, scalars, a batch or pages, but '" << name
             << "' is " << type;
    SmallVector<int64_t> shape;
    if (ranked)
      for (auto [i, size] : llvm::enumerate(ranked.getShape())) {
        FailureOr<int64_t> chosen =
            ShapedType::isDynamic(size) ? dynamicSize(index, i) : FailureOr<int64_t>(size);
        if (failed(chosen))
          return failure();
        shape.push_back(*chosen);
      }
    Tensor tensor(element, shape);
    return tensor.isFloat() ? fillFloats(index, tensor) : fillIntegers(index, tensor);
  }

  FailureOr<int64_t> dynamicSize(unsigned index, unsigned dim) {
    if (dim != 0)
      return FailureOr<int64_t>(function.emitError()
                                << "expects dynamic sizes in front only, but dim " << dim << " of '"
                                << name << "' is dynamic; give it a check.value");
    StringRef letter = name == "ask" ? "asked" : "rows";
    if (auto given = function.getArgAttrOfType<StringAttr>(index, "check.dim"))
      letter = given.getValue();
    if (letter == "rows")
      return made.sizes.total();
    if (letter == "seqs")
      return static_cast<int64_t>(made.sizes.rows.size());
    if (letter == "asked")
      return made.sizes.asked;
    return FailureOr<int64_t>(
        function.emitError()
        << "expects check.dim to be \"rows\", \"seqs\" or \"asked\", but found \"" << letter
        << "\"");
  }

  /// Not symmetric about zero, so that a lost sign shows.
  double plain(int64_t index) const { return 1.5 * raw("plain", index) + 0.25; }

  LogicalResult fillFloats(unsigned index, Tensor &tensor) {
    StringRef kind = "plain";
    if (auto given = function.getArgAttrOfType<StringAttr>(index, "check.values"))
      kind = given.getValue();
    double infinity = std::numeric_limits<double>::infinity();
    auto semantics = &cast<FloatType>(tensor.element).getFloatSemantics();
    double largest = llvm::APFloat::getLargest(*semantics).convertToDouble();
    double normal = llvm::APFloat::getSmallestNormalized(*semantics).convertToDouble();
    double denormal = llvm::APFloat::getSmallest(*semantics).convertToDouble();
    const double special[] = {std::nan(""), infinity,  -infinity,  0.0,     -0.0,
                              denormal,     -denormal, normal / 2, -normal, largest,
                              -largest,     1.0,       -1.0};
    const double few[] = {-1.0, -0.5, -0.0, 0.0, 0.5, 1.0};
    for (int64_t i = 0; i < tensor.count(); ++i) {
      if (kind == "plain")
        tensor.put(i, plain(i));
      else if (kind == "special")
        tensor.put(i, raw("choice", i) < 0 ? plain(i)
                                           : special[below("special", i, std::size(special))]);
      else if (kind == "ties")
        tensor.put(i, few[below("few", i, std::size(few))]);
      else
        return function.emitError()
               << "expects check.values to be \"plain\", \"special\" or \"ties\", but found \""
               << kind << "\"";
    }
    made.arguments.push_back(std::make_shared<const Tensor>(std::move(tensor)));
    return success();
  }

  LogicalResult fillIntegers(unsigned index, Tensor &tensor) {
    if (tensor.element.isInteger(64) && !function.getArgAttr(index, "check.below")) {
      for (int64_t i = 0; i < tensor.count(); ++i) // random states: all bits
        tensor.integers[i] = (below("high", i, int64_t(1) << 24) << 40) ^
                             (below("low", i, int64_t(1) << 24) << 16) ^ i;
      made.arguments.push_back(std::make_shared<const Tensor>(std::move(tensor)));
      return success();
    }
    FailureOr<int64_t> bound = boundOf(index);
    if (failed(bound))
      return failure();
    for (int64_t i = 0; i < tensor.count(); ++i)
      tensor.integers[i] = below("integer", i, *bound);
    made.arguments.push_back(std::make_shared<const Tensor>(std::move(tensor)));
    return success();
  }

  /// What integers must be below: as the file says, else what the ops that take them say.
  FailureOr<int64_t> boundOf(unsigned index) {
    if (auto given = function.getArgAttrOfType<IntegerAttr>(index, "check.below"))
      return given.getInt();
    for (Operation *user : function.getArgument(index).getUsers()) {
      Value table;
      if (auto embed = dyn_cast<EmbedOp>(user))
        table = embed.getTable();
      if (auto gather = dyn_cast<GatherOp>(user))
        table = gather.getTable();
      if (table) {
        int64_t size = cast<ShapedType>(table.getType()).getDimSize(0);
        return ShapedType::isDynamic(size) ? made.sizes.total() : size;
      }
      if (isa<RopeOp>(user))
        return 5000;
    }
    return FailureOr<int64_t>(function.emitError()
                              << "expects check.below = N : i64 on '" << name
                              << "': the ops that take it do not say what its numbers are below");
  }

  Case &made;
  func::FuncOp function;
  StringRef functionName;
  std::string name;
  int64_t poolSize = 0;
};

} // namespace

FailureOr<Case> check::makeCase(func::FuncOp function, Sizes sizes, uint64_t seed) {
  Case made;
  made.function = function;
  made.sizes = std::move(sizes);
  made.seed = seed;
  if (failed(Maker(made).make()))
    return failure();
  return made;
}
