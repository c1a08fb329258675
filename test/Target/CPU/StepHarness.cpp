// SPDX-License-Identifier: Apache-2.0
#include "test/Target/CPU/StepHarness.h"
#include "dialects/Place/Place.h"
#include "dialects/Sluice/Sluice.h"
#include "sluice/Target/CPU/Emit.h"
#include "sluice/Target/CPU/Passes.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileSystem.h"

#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <thread>

using namespace mlir;

namespace sluice::cpu {

//===-- Numbers
//-----------------------------------------------------------------------------------===//

uint64_t Random::bits() {
  uint64_t z = (state += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

float Random::uniform() { return static_cast<float>(bits() >> 40) * 0x1p-23f - 1.0f; }

std::vector<float> Random::floats(int64_t n, float scale) {
  std::vector<float> values(n);
  for (float &value : values)
    value = uniform() * scale;
  return values;
}

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::vector<uint32_t> bitsOf(const std::vector<float> &values) {
  std::vector<uint32_t> bits;
  for (float value : values)
    bits.push_back(bitsOf(value));
  return bits;
}

//===-- Batches
//-----------------------------------------------------------------------------------===//

Batch::Batch(std::vector<Sequence> sequences) {
  rowStart.push_back(0);
  for (auto [s, sequence] : llvm::enumerate(sequences)) {
    past.push_back(sequence.past);
    for (int32_t i = 0; i < sequence.rows; ++i) {
      rowSeq.push_back(static_cast<int32_t>(s));
      position.push_back(sequence.past + i);
    }
    rowStart.push_back(static_cast<int32_t>(rowSeq.size()));
  }
}

sluice_batch_t Batch::record() const {
  sluice_batch_t record = {};
  record.rows = static_cast<int32_t>(rows());
  record.seqs = static_cast<int32_t>(seqs());
  record.row_start = rowStart.data();
  record.past = past.data();
  record.row_seq = rowSeq.data();
  record.position = position.data();
  record.page_start = pageStart.empty() ? nullptr : pageStart.data();
  record.page_table = pageTable.empty() ? nullptr : pageTable.data();
  return record;
}

//===-- Steps
//-------------------------------------------------------------------------------------===//

[[noreturn]] static void die(const llvm::Twine &message) {
  llvm::errs() << message << "\n";
  std::exit(70);
}

LoadedStep::LoadedStep(llvm::StringRef text, llvm::StringRef cpu) {
  DialectRegistry registry;
  registerTargetStage(registry);
  registerCPUKernels(registry);
  registry.insert<SluiceDialect, place::PlaceDialect>();
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context, "step.mlir");
  if (!module)
    die("the module does not parse");
  PassManager pm(&context);
  ConvertPlaceToCPUPassOptions options;
  options.cpu = cpu.str();
  pm.addPass(createConvertPlaceToCPUPass(options));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createCheckTargetStagePass());
  if (failed(pm.run(*module)))
    die("the module does not lower");
  auto machine = describeCPU(cpu);
  if (!machine)
    die(llvm::toString(machine.takeError()));
  FailureOr<std::string> object = emitCode(*module, *machine, CodeForm::Object);
  llvm::SmallString<128> path;
  if (failed(object) || llvm::sys::fs::createTemporaryFile("step", "so", path) ||
      failed(linkLibrary(*module, *object, path)))
    die("the module does not compile");
  library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  llvm::sys::fs::remove(path);
  if (!library)
    die(dlerror());
}

LoadedStep::~LoadedStep() { dlclose(library); }

namespace {

/// Workers that meet by counting.
struct Team {
  explicit Team(int workers) : workers(workers) {}
  static void barrier(void *self, int32_t) {
    auto *team = static_cast<Team *>(self);
    int round = team->round.load();
    if (team->arrived.fetch_add(1) + 1 == team->workers) {
      team->arrived = 0;
      team->round = round + 1;
      return;
    }
    while (team->round.load() == round)
      std::this_thread::yield();
  }
  int workers;
  std::atomic<int> arrived{0}, round{0};
};

/// 64-byte aligned bytes between red zones.
class GuardedBytes {
public:
  explicit GuardedBytes(size_t size, uint8_t fill = 0xff) : size(size) {
    size_t whole = (size + 2 * kZone + 63) / 64 * 64;
    memory = static_cast<uint8_t *>(std::aligned_alloc(64, whole));
    std::memset(memory, kRed, whole);
    std::memset(data(), fill, size);
  }
  ~GuardedBytes() {
    for (size_t i = 0; i < kZone; ++i)
      if (memory[i] != kRed || memory[kZone + size + i] != kRed)
        die("a kernel wrote outside of its memory");
    std::free(memory);
  }
  GuardedBytes(const GuardedBytes &) = delete;
  GuardedBytes &operator=(const GuardedBytes &) = delete;
  uint8_t *data() { return memory + kZone; }

private:
  static constexpr size_t kZone = 256;
  static constexpr uint8_t kRed = 0xa5;
  size_t size;
  uint8_t *memory;
};

} // namespace

sluice_entry_fn LoadedStep::entry(const char *function) const {
  std::string symbol = std::string("sluice_fn_") + function;
  auto entry = reinterpret_cast<sluice_entry_fn>(dlsym(library, symbol.c_str()));
  if (!entry)
    die(dlerror());
  return entry;
}

void LoadedStep::run(const char *function, CallData &data, int workers) const {
  sluice_entry_fn entry = this->entry(function);

  std::vector<std::unique_ptr<GuardedBytes>> weights;
  std::vector<uint8_t *> weightPointers;
  for (const std::vector<uint8_t> &bytes : data.weights) {
    weights.push_back(std::make_unique<GuardedBytes>(bytes.size()));
    std::memcpy(weights.back()->data(), bytes.data(), bytes.size());
    weightPointers.push_back(weights.back()->data());
  }
  Team team(workers);
  sluice_batch_t batch = {};
  int64_t tokens[16] = {};
  sluice_call_t call = {};
  if (data.batch) {
    batch = data.batch->record();
    call.batch = &batch;
  }
  int64_t rows = data.batch ? batch.rows : data.dims.empty() ? 0 : data.dims[0];
  call.max_rows = std::max<int64_t>(16, (rows + 15) / 16 * 16);
  call.max_seqs = std::max<int64_t>(1, batch.seqs);
  GuardedBytes arena(data.arenaRow * call.max_rows + data.arenaSeq * call.max_seqs +
                     data.arenaFixed);
  call.arena = arena.data();
  call.weights = weightPointers.data();
  call.pages = data.pages.data();
  call.args = data.args.data();
  call.dims = data.dims.data();
  call.barrier = Team::barrier;
  call.team = &team;
  call.home = data.home;
  call.tokens = tokens;
  std::vector<std::thread> threads;
  for (int me = 1; me < workers; ++me)
    threads.emplace_back(entry, &call, me, workers);
  entry(&call, 0, workers);
  for (std::thread &thread : threads)
    thread.join();
  data.trap = call.trap;
}

} // namespace sluice::cpu
