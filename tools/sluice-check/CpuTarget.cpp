// SPDX-License-Identifier: Apache-2.0
//
// Compiled code for this machine, called over kernel_abi.h without the runtime: the call record is
// filled here, so that every buffer has red zones and everything unwritten is poison. Each case
// runs on one worker and on two.

#include "GuardedMemory.h"
#include "PackedMemory.h"
#include "Target.h"
#include "sluice-rt/kernel_abi.h"
#include "sluice/Machine/Machine.h"
#include "sluice/Pipeline/Pipeline.h"
#include "sluice/Reference/RandomWeights.h"
#include "sluice/Target/CPU/Emit.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"

#include <condition_variable>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <thread>

using namespace mlir;
using namespace sluice;
using namespace sluice::check;
using namespace sluice::reference;

namespace {

/// Where workers wait for one another.
class Barrier {
public:
  explicit Barrier(int32_t workers) : workers(workers) {}
  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    int64_t mine = generation;
    if (++waiting == workers) {
      waiting = 0;
      ++generation;
      all.notify_all();
      return;
    }
    all.wait(lock, [&] { return generation != mine; });
  }
  static void enter(void *team, int32_t) { static_cast<Barrier *>(team)->wait(); }

private:
  std::mutex mutex;
  std::condition_variable all;
  int32_t workers, waiting = 0;
  int64_t generation = 0;
};

/// A home that answers late: rows are copied when they are waited for, so that code which does not
/// wait reads poison.
class LateHome {
public:
  explicit LateHome(uint8_t *const *tables) : tables(tables) {}
  sluice_home_t interface() { return {this, submit, await}; }

private:
  struct Request {
    int32_t table;
    std::vector<int32_t> ids;
    int64_t rowBytes, stride;
    uint8_t *dest;
  };
  static int64_t submit(void *self, int32_t table, const int32_t *ids, int64_t count,
                        int64_t rowBytes, uint8_t *dest, int64_t stride) {
    auto &requests = static_cast<LateHome *>(self)->requests;
    requests.push_back({table, std::vector<int32_t>(ids, ids + count), rowBytes, stride, dest});
    return static_cast<int64_t>(requests.size()) - 1;
  }
  static int32_t await(void *self, int64_t token) {
    auto &home = *static_cast<LateHome *>(self);
    const Request &request = home.requests[token];
    for (size_t i = 0; i < request.ids.size(); ++i)
      std::memcpy(request.dest + i * request.stride,
                  home.tables[request.table] + request.ids[i] * request.rowBytes, request.rowBytes);
    return SLUICE_TRAP_NONE;
  }

  uint8_t *const *tables;
  std::vector<Request> requests;
};

int64_t integerOf(DictionaryAttr dictionary, StringRef key) {
  auto attribute = dictionary.getAs<IntegerAttr>(key);
  return attribute ? attribute.getInt() : 0;
}

std::vector<int32_t> narrow(const std::vector<int64_t> &wide) {
  return std::vector<int32_t>(wide.begin(), wide.end());
}

class CpuTarget : public Target {
public:
  ~CpuTarget() override {
    if (library)
      dlclose(library);
  }
  StringRef name() const override { return "cpu"; }
  std::vector<std::string> variants() const override { return {"1 worker", "2 workers"}; }
  int prepare(ModuleOp module, uint64_t weightSeed) override;
  FailureOr<Outcome> run(const Case &input, unsigned variant) override;
  bool sabotage(StringRef kind) override {
    broken = kind.str();
    return kind == "redzone" || kind == "input";
  }

  bool compileFor(StringRef name) override {
    cpu = name.str();
    return true;
  }

private:
  LogicalResult packWeights(ModuleOp module, uint64_t seed);
  LogicalResult load(StringRef object);

  OwningOpRef<ModuleOp> compiled;
  DictionaryAttr manifest;
  void *library = nullptr;
  std::vector<GuardedMemory> weights;
  std::string broken, cpu = "native";
};

/// A feature that code for `machine` needs and this machine lacks; empty: none.
std::string lackingFeature(const CPUMachine &machine) {
  llvm::Expected<CPUMachine> host = describeCPU("native");
  if (!host) {
    llvm::consumeError(host.takeError());
    return "everything";
  }
  if (host->triple != machine.triple)
    return machine.triple;
  for (const std::string &feature : machine.required)
    if (!llvm::is_contained(host->required, feature))
      return feature;
  return "";
}

/// A copy, to change the dictionary's owner by.
SmallVector<NamedAttribute> attributesOf(DictionaryAttr dictionary) {
  return dictionary ? SmallVector<NamedAttribute>(dictionary.getValue())
                    : SmallVector<NamedAttribute>();
}

/// Makes every public function an exported one whose arguments and results have names, and takes
/// the test's own attributes away.
void exportFunctions(ModuleOp module) {
  Builder builder(module.getContext());
  auto isOfTest = [](NamedAttribute attribute) {
    return attribute.getName().getValue().starts_with("check.");
  };
  if (!module->hasAttr("sluice.kind"))
    module->setAttr("sluice.kind", builder.getStringAttr("op"));
  if (!module->hasAttr("sluice.name"))
    module->setAttr("sluice.name", builder.getStringAttr("check"));
  for (auto function : module.getOps<func::FuncOp>()) {
    for (NamedAttribute attribute : attributesOf(function->getDiscardableAttrDictionary()))
      if (isOfTest(attribute))
        function->removeAttr(attribute.getName());
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      for (NamedAttribute attribute : attributesOf(function.getArgAttrDict(i)))
        if (isOfTest(attribute))
          function.removeArgAttr(i, attribute.getName());
      if (!function.isPrivate())
        function.setArgAttr(i, "sluice.name", builder.getStringAttr(argumentName(function, i)));
    }
    for (unsigned i = 0; i < function.getNumResults(); ++i) {
      for (NamedAttribute attribute : attributesOf(function.getResultAttrDict(i)))
        if (isOfTest(attribute))
          function.removeResultAttr(i, attribute.getName());
      if (!function.isPrivate())
        function.setResultAttr(i, "sluice.name", builder.getStringAttr(resultName(function, i)));
    }
    if (!function.isPrivate())
      function->setAttr("sluice.export", builder.getUnitAttr());
  }
}

int CpuTarget::prepare(ModuleOp module, uint64_t weightSeed) {
  constexpr int kCannotCompile = 3, kRunFailed = 4;
  llvm::Expected<CPUMachine> machine = describeCPU(cpu);
  if (!machine) {
    llvm::errs() << "sluice-check: " << llvm::toString(machine.takeError()) << "\n";
    return kCannotCompile;
  }
  if (std::string feature = lackingFeature(*machine); !feature.empty()) {
    llvm::errs() << "sluice-check: cannot run code for " << machine->cpu
                 << ": this machine is without " << feature << "\n";
    return kCannotCompile;
  }
  compiled = module.clone();
  exportFunctions(*compiled);
  if (failed(runStages(*compiled, Stage::Model, Stage::Target, {cpu})))
    return kCannotCompile;
  manifest = (*compiled)->getAttrOfType<DictionaryAttr>("sluice.manifest");
  FailureOr<std::string> object = cpu::emitCode(*compiled, *machine, cpu::CodeForm::Object);
  if (failed(object))
    return kCannotCompile;
  return failed(load(*object)) || failed(packWeights(module, weightSeed)) ? kRunFailed : 0;
}

LogicalResult CpuTarget::load(StringRef object) {
  llvm::SmallString<128> path;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("sluice-check", "so", path)) {
    llvm::errs() << "sluice-check: cannot make a file for the library: " << code.message() << "\n";
    return failure();
  }
  LogicalResult linked = cpu::linkLibrary(*compiled, object, path);
  if (succeeded(linked))
    library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  llvm::sys::fs::remove(path);
  if (succeeded(linked) && !library)
    llvm::errs() << "sluice-check: cannot load the library: " << dlerror() << "\n";
  return success(library != nullptr);
}

/// Element `index` of the first dimension.
static Tensor partOf(const Tensor &all, int64_t index) {
  Tensor part(all.element, ArrayRef<int64_t>(all.shape).drop_front());
  for (int64_t i = 0, count = part.count(); i < count; ++i)
    part.move(i, all, index * count + i);
  return part;
}

LogicalResult CpuTarget::packWeights(ModuleOp module, uint64_t seed) {
  RandomWeights source(seed);
  auto described = manifest.getAs<ArrayAttr>("weights");
  for (auto entry : described.getAsRange<DictionaryAttr>()) {
    auto param = module.lookupSymbol<ParamOp>(entry.getAs<StringAttr>("name"));
    if (!param)
      return module.emitError()
             << "expects the params of the manifest in the module, but there is no "
             << entry.get("name");
    weights.emplace_back(integerOf(entry, "bytes"));
    std::memset(weights.back().data(), 0, weights.back().size());
    for (int64_t layer = 0; layer < static_cast<int64_t>(param.getStack().value_or(1)); ++layer) {
      FailureOr<Tensor> tensor = source.read(param, layer);
      if (failed(tensor))
        return failure();
      int64_t experts = param.getBlocksOfLayer();
      for (int64_t expert = 0; expert < experts; ++expert) {
        uint8_t *at =
            weights.back().data() + (layer * experts + expert) * integerOf(entry, "stride");
        Tensor block = param.getExperts() ? partOf(*tensor, expert) : *tensor;
        if (BlocksAttr blocks = blocksOf(param.getTensorType()))
          packCodes(at, encodeBlocks(block, blocks), blocks);
        else
          packWeight(at, block, entry.getAs<StringAttr>("layout").getValue());
      }
    }
    weights.back().freeze();
  }
  return success();
}

/// The memory and the call record of one run.
class Call {
public:
  Call(const Case &input, DictionaryAttr manifest, std::vector<GuardedMemory> &weights)
      : input(input), manifest(manifest), weights(weights) {}

  LogicalResult prepare();
  LogicalResult run(void *library, int32_t workers);
  Outcome collect();
  /// See Target::sabotage.
  void damage(StringRef kind) {
    for (auto [arg, buffer] :
         llvm::zip(function.getAs<ArrayAttr>("args").getAsRange<DictionaryAttr>(), buffers))
      if ((arg.getAs<StringAttr>("io").getValue() == "in") == (kind == "input")) {
        buffer->data()[kind == "input" ? 0 : buffer->size()] ^= 1;
        return;
      }
  }

private:
  LogicalResult bindArguments();
  int64_t sizeOf(Attribute dim) const {
    if (auto number = dyn_cast<IntegerAttr>(dim))
      return number.getInt();
    auto found = letters.find(cast<StringAttr>(dim).getValue());
    return found == letters.end() ? 0 : found->second;
  }
  GuardedMemory &memory(const llvm::Twine &name, size_t bytes) {
    names.push_back(name.str());
    return *buffers.emplace_back(std::make_unique<GuardedMemory>(bytes));
  }

  const Case &input;
  DictionaryAttr manifest, function;
  std::vector<GuardedMemory> &weights;
  llvm::StringMap<int64_t> letters;
  std::vector<std::unique_ptr<GuardedMemory>> buffers;
  std::vector<std::string> names;

  std::shared_ptr<const Batch> batch;
  std::vector<int32_t> rowStart, past, rowSeq, position, pageStart, pageTable;
  sluice_batch_t batchRecord = {};
  std::vector<sluice_pages_t> pools;
  llvm::StringMap<std::pair<GuardedMemory *, std::shared_ptr<const Pages>>> poolOf;
  llvm::StringMap<GuardedMemory *> outputs;
  std::vector<uint8_t *> weightPointers, tablePointers;
  std::vector<void *> args;
  std::vector<int64_t> dims, tokens;
  sluice_call_t record = {};
};

LogicalResult Call::bindArguments() {
  func::FuncOp func = input.function;
  // Sizes that the inputs fix come first; results follow them.
  for (bool in : {true, false})
    for (auto arg : function.getAs<ArrayAttr>("args").getAsRange<DictionaryAttr>()) {
      if ((arg.getAs<StringAttr>("io").getValue() == "in") != in)
        continue;
      StringRef name = arg.getAs<StringAttr>("name").getValue();
      auto shape = arg.getAs<ArrayAttr>("shape").getValue();
      Type element;
      std::shared_ptr<const Tensor> tensor;
      if (in) {
        for (unsigned i = 0; i < func.getNumArguments(); ++i)
          if (argumentName(func, i) == name)
            tensor = std::get<std::shared_ptr<const Tensor>>(input.arguments[i]);
        if (!tensor)
          return func.emitError() << "expects an argument '" << name
                                  << "' as the manifest says, but there is none";
        element = tensor->element;
        if (auto letter = dyn_cast<StringAttr>(shape.front())) {
          auto [entry, fresh] = letters.try_emplace(letter.getValue(), tensor->dim(0));
          if (!fresh && entry->second != tensor->dim(0))
            return func.emitError()
                   << "expects one size of '" << letter.getValue() << "', but it is "
                   << entry->second << " and, as '" << name << "' has it, " << tensor->dim(0)
                   << "; say what its dim is with check.dim";
        }
      } else {
        for (unsigned i = 0; i < func.getNumResults(); ++i)
          if (resultName(func, i) == name)
            element = getElementTypeOrSelf(func.getResultTypes()[i]);
        if (!element)
          return func.emitError() << "expects a result '" << name
                                  << "' as the manifest says, but there is none";
      }
      size_t bytes = elementBytes(element);
      for (Attribute dim : shape)
        bytes *= sizeOf(dim);
      GuardedMemory &buffer = memory("'" + name + "'", bytes);
      if (in) {
        storeTensor(buffer.data(), *tensor);
        buffer.freeze();
      } else {
        outputs[name] = &buffer;
      }
      args.push_back(buffer.data());
      dims.push_back(sizeOf(shape.front()));
    }
  return success();
}

LogicalResult Call::prepare() {
  func::FuncOp func = input.function;
  for (auto entry : manifest.getAs<ArrayAttr>("functions").getAsRange<DictionaryAttr>())
    if (entry.getAs<StringAttr>("name").getValue() == func.getName())
      function = entry;
  if (!function)
    return func.emitError("expects the function in the manifest, but it is not there");

  bool hasBatch = llvm::any_of(func.getArgumentTypes(), llvm::IsaPred<BatchType>);
  letters["seqs"] = input.batch->seqs();
  letters["asked"] = input.sizes.asked;
  if (hasBatch)
    letters["rows"] = input.batch->rows();
  else
    letters.erase("asked"); // the arguments say
  if (failed(bindArguments()))
    return failure();
  letters.try_emplace("rows", input.batch->rows());

  // A function without a batch is one sequence.
  batch = hasBatch ? input.batch : std::make_shared<const Batch>(Batch::ragged({letters["rows"]}));
  rowStart = narrow(batch->rowStart);
  past = narrow(batch->past);
  position = narrow(batch->position);
  pageStart = narrow(batch->pageStart);
  pageTable = narrow(batch->pageTable);
  for (int64_t r = 0; r < batch->rows(); ++r)
    rowSeq.push_back(static_cast<int32_t>(batch->sequenceOf(r)));
  batchRecord = {static_cast<int32_t>(batch->rows()),
                 static_cast<int32_t>(batch->seqs()),
                 rowStart.data(),
                 past.data(),
                 rowSeq.data(),
                 position.data(),
                 pageStart.empty() ? nullptr : pageStart.data(),
                 pageStart.empty() ? nullptr : pageTable.data()};

  for (auto kv : manifest.getAs<ArrayAttr>("kv").getAsRange<DictionaryAttr>()) {
    StringRef name = kv.getAs<StringAttr>("name").getValue();
    sluice_pages_t pool = {nullptr, 0};
    for (auto [type, datum] : llvm::zip(func.getArgumentTypes(), input.arguments)) {
      auto pagesType = dyn_cast<PagesType>(type);
      if (!pagesType || pagesType.getSymbol().getValue() != name)
        continue;
      auto pages = std::get<std::shared_ptr<const Pages>>(datum);
      GuardedMemory &buffer = memory("pages '" + name + "'", poolBytes(*pages));
      packPages(buffer.data(), *pages);
      poolOf[name] = {&buffer, pages};
      pool = {buffer.data(), pages->count()};
    }
    pools.push_back(pool);
  }

  for (auto [weight, entry] :
       llvm::zip(weights, manifest.getAs<ArrayAttr>("weights").getAsRange<DictionaryAttr>())) {
    tablePointers.push_back(weight.data());
    weightPointers.push_back(entry.get("home") ? nullptr : weight.data());
  }
  // Only what the step needs, rounded as a session rounds it.
  record.max_rows = std::max<int64_t>(16, (batch->rows() + 15) / 16 * 16);
  record.max_seqs = std::max<int64_t>(1, batch->seqs());
  auto extent = function.getAs<DictionaryAttr>("arena");
  GuardedMemory &arena = memory("the arena", integerOf(extent, "row") * record.max_rows +
                                                 integerOf(extent, "seq") * record.max_seqs +
                                                 integerOf(extent, "fixed"));
  tokens.assign(integerOf(function, "gathers"), -1);
  record.batch = &batchRecord;
  record.arena = arena.data();
  record.weights = weightPointers.data();
  record.pages = pools.data();
  record.args = args.data();
  record.dims = dims.data();
  record.tokens = tokens.data();
  record.trap.location = -1;
  return success();
}

LogicalResult Call::run(void *library, int32_t workers) {
  StringRef symbol = function.getAs<StringAttr>("symbol").getValue();
  auto entry = reinterpret_cast<sluice_entry_fn>(dlsym(library, symbol.str().c_str()));
  if (!entry)
    return const_cast<Case &>(input).function.emitError()
           << "expects the symbol '" << symbol << "' in the library, but it is not there";
  Barrier barrier(workers);
  LateHome home(tablePointers.data());
  sluice_home_t interface = home.interface();
  record.barrier = Barrier::enter;
  record.team = &barrier;
  record.home = &interface;
  std::vector<std::thread> others;
  for (int32_t me = 1; me < workers; ++me)
    others.emplace_back([&, me] { entry(&record, me, workers); });
  entry(&record, 0, workers);
  for (std::thread &other : others)
    other.join();
  return success();
}

Outcome Call::collect() {
  func::FuncOp func = input.function;
  Outcome outcome;
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    if (auto type = dyn_cast<PagesType>(func.getResultTypes()[i])) {
      auto &[buffer, before] = poolOf[type.getSymbol().getValue()];
      outcome.results.push_back(
          std::make_shared<const Pages>(unpackPages(buffer->data(), *before)));
      continue;
    }
    std::string name = resultName(func, i);
    for (auto arg : function.getAs<ArrayAttr>("args").getAsRange<DictionaryAttr>()) {
      if (arg.getAs<StringAttr>("name").getValue() != name ||
          arg.getAs<StringAttr>("io").getValue() != "out")
        continue;
      SmallVector<int64_t> shape;
      for (Attribute dim : arg.getAs<ArrayAttr>("shape"))
        shape.push_back(sizeOf(dim));
      outcome.results.push_back(std::make_shared<const Tensor>(loadTensor(
          outputs[name]->data(), getElementTypeOrSelf(func.getResultTypes()[i]), shape)));
    }
  }
  if (record.trap.code != SLUICE_TRAP_NONE)
    outcome.trap = Trap{static_cast<Trap::Code>(record.trap.code), record.trap.value,
                        record.trap.bound, func.getLoc()};
  for (auto [name, buffer] : llvm::zip(names, buffers))
    if (auto text = buffer->damage())
      outcome.damage.push_back(name + ": " + *text);
  for (auto [weight, entry] :
       llvm::zip(weights, manifest.getAs<ArrayAttr>("weights").getAsRange<DictionaryAttr>()))
    if (auto text = weight.damage())
      outcome.damage.push_back("weight '" + entry.getAs<StringAttr>("name").str() + "': " + *text);
  return outcome;
}

FailureOr<Outcome> CpuTarget::run(const Case &input, unsigned variant) {
  Call call(input, manifest, weights);
  if (failed(call.prepare()) || failed(call.run(library, static_cast<int32_t>(variant) + 1)))
    return failure();
  if (!broken.empty())
    call.damage(broken);
  return call.collect();
}

} // namespace

std::unique_ptr<Target> check::makeCpuTarget() { return std::make_unique<CpuTarget>(); }
