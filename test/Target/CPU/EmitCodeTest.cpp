// SPDX-License-Identifier: Apache-2.0
//
// CPUs by name, and what emitted code may and may not be: deterministic, without calls that leave
// the library, without sums that spill in a tile's loop, and with target intrinsics named in one
// file only.
#include "lib/Target/CPU/LinearKernels.h"
#include "test/Target/CPU/KernelHarness.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace sluice;
using namespace sluice::cpu;

namespace {

std::string errorOf(llvm::StringRef cpu) {
  auto machine = describeCPU(cpu);
  return machine ? "" : llvm::toString(machine.takeError());
}

TEST(Machine, RefusesWhatCannotGiveTheSameBits) {
  EXPECT_NE(errorOf("x86-64").find("fused multiply-add"), std::string::npos);
  EXPECT_NE(errorOf("x86-64-v2").find("expected x86-64-v3 or newer"), std::string::npos);
  EXPECT_NE(errorOf("saphirerapids").find("did you mean 'sapphirerapids'?"), std::string::npos);
  EXPECT_NE(errorOf("").find("unknown cpu ''"), std::string::npos);
  EXPECT_EQ(errorOf("native"), "");
}

TEST(Machine, KnowsWhatItsNameSays) {
  CPUMachine v3 = machineOrDie("x86-64-v3"), v4 = machineOrDie("x86-64-v4");
  EXPECT_EQ(v3.vectorBytes, 32);
  EXPECT_EQ(v4.vectorBytes, 64);
  EXPECT_FALSE(v4.hasDpbf16);
  CPUMachine zen = machineOrDie("znver4"), rapids = machineOrDie("sapphirerapids");
  EXPECT_EQ(zen.bf16Dot, Dot::Dpbf16);
  EXPECT_TRUE(rapids.hasDpbf16);
  EXPECT_EQ(rapids.bf16Dot, Dot::Fma);
  CPUMachine neoverse = machineOrDie("neoverse-v2");
  EXPECT_TRUE(neoverse.isAArch64());
  for (const CPUMachine &machine : {v3, v4, zen, rapids, neoverse}) {
    EXPECT_EQ(machine.rowClasses.back().rows, 1) << machine.cpu;
    for (const RowClass &rowClass : machine.rowClasses)
      EXPECT_EQ(rowClass.panels.back(), 1) << machine.cpu;
    EXPECT_TRUE(llvm::is_sorted(machine.required)) << machine.cpu;
  }
}

/// A module with the linear kernel of |variant|.
OwningOpRef<ModuleOp> linearModule(const CPUMachine &machine, const LinearVariant &variant) {
  MLIRContext *context = &kernelContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  Type index = IndexType::get(context);
  Type types[] = {arrayOf(variant.weightType(context)),
                  arrayOf(variant.rowType(context)),
                  arrayOf(variant.destType(context)),
                  index,
                  index,
                  index};
  getOrCreateKernel(*module, "entry", types, [&](KernelBuilder &k, ArrayRef<Val> v) {
    LinearOperands o;
    o.rows = v[1], o.dest = v[2];
    o.rowCount = v[3], o.inputs = v[4], o.outputs = v[5];
    o.rowStride = o.inputs, o.destStride = o.outputs;
    o.firstPanel = k.index(0), o.endPanel = k.ceilDiv(o.outputs, kLanes);
    callLinear(k, *module, machine, variant, v[0], o);
  }).setPublic();
  return module;
}

LinearVariant withWeights(LinearVariant::Weights weights) {
  LinearVariant variant;
  variant.weights = weights;
  return variant;
}

const LinearVariant::Weights allWeights[] = {
    LinearVariant::Weights::F32, LinearVariant::Weights::Bf16, LinearVariant::Weights::F16};

TEST(EmitCode, IsDeterministic) {
  CPUMachine machine = machineOrDie("x86-64-v4");
  auto once = emitCode(*linearModule(machine, {}), machine, CodeForm::Object);
  auto again = emitCode(*linearModule(machine, {}), machine, CodeForm::Object);
  ASSERT_TRUE(succeeded(once) && succeeded(again));
  EXPECT_EQ(*once, *again);
}

TEST(EmitCode, CompilesForAnotherArchitecture) {
  CPUMachine machine = machineOrDie("neoverse-v2");
  for (LinearVariant::Weights weights : allWeights) {
    LinearVariant variant = withWeights(weights);
    variant.activation = Activation::GeluErf;
    OwningOpRef<ModuleOp> module = linearModule(machine, variant);
    ASSERT_TRUE(succeeded(emitCode(*module, machine, CodeForm::Object))) << variant.name();
    auto text = emitCode(*module, machine, CodeForm::Assembly);
    ASSERT_TRUE(succeeded(text));
    EXPECT_NE(text->find("fmla"), std::string::npos) << variant.name();
  }
}

/// Innermost loops of |text| that multiply and add, and those of them that touch the stack with a
/// vector.
struct LoopCount {
  int64_t loops = 0, spilling = 0;
  std::string first;
};

LoopCount countLoops(llvm::StringRef text) {
  LoopCount count;
  llvm::SmallVector<llvm::StringRef> lines;
  text.split(lines, '\n');
  llvm::StringMap<size_t> labels;
  std::string function;
  for (size_t i = 0; i < lines.size(); ++i) {
    llvm::StringRef line = lines[i].trim();
    if (lines[i].starts_with(".LBB") || (!lines[i].empty() && std::isalpha(lines[i][0]))) {
      labels[line.split(':').first] = i;
      if (std::isalpha(lines[i][0]))
        function = line.split(':').first.str();
      continue;
    }
    if (!line.starts_with("j"))
      continue;
    auto label = labels.find(line.split('\t').second.trim());
    if (label == labels.end())
      continue;
    bool isInnermost = true, multiplies = false, spills = false;
    for (size_t j = label->second + 1; j < i; ++j) {
      isInnermost &= !lines[j].starts_with(".LBB");
      multiplies |= lines[j].contains("fmadd") || lines[j].contains("dpbf16ps");
      spills |=
          lines[j].contains("(%rsp)") && (lines[j].contains("%zmm") || lines[j].contains("%ymm"));
    }
    if (!isInnermost || !multiplies)
      continue;
    ++count.loops;
    if (spills && !count.spilling++)
      count.first = function + ", line " + std::to_string(i);
  }
  return count;
}

TEST(EmitCode, KeepsTheSumsOfATileInRegisters) {
  for (const char *cpu : {"x86-64-v3", "x86-64-v4", "sapphirerapids", "znver4"}) {
    CPUMachine machine = machineOrDie(cpu);
    std::vector<LinearVariant> variants;
    for (LinearVariant::Weights weights : allWeights)
      variants.push_back(withWeights(weights));
    if (machine.hasDpbf16) {
      variants.push_back(withWeights(LinearVariant::Weights::Bf16));
      variants.back().dot = Dot::Dpbf16;
    }
    for (const LinearVariant &variant : variants) {
      auto text = emitCode(*linearModule(machine, variant), machine, CodeForm::Assembly);
      ASSERT_TRUE(succeeded(text));
      LoopCount count = countLoops(*text);
      EXPECT_GE(count.loops, 8) << variant.name() << " on " << cpu;
      EXPECT_EQ(count.spilling, 0)
          << variant.name() << " on " << cpu << ": first in " << count.first;
    }
  }
}

/// The diagnostics of a kernel that must not compile.
std::string refusal(llvm::function_ref<void(KernelBuilder &, Val array)> emit) {
  MLIRContext *context = &kernelContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  Type array = arrayOf(Float32Type::get(context));
  getOrCreateKernel(*module, "entry", {array}, [&](KernelBuilder &k, ArrayRef<Val> v) {
    emit(k, v[0]);
  }).setPublic();
  std::string text;
  ScopedDiagnosticHandler handler(context,
                                  [&](Diagnostic &diagnostic) { text += diagnostic.str(); });
  auto code = emitCode(*module, machineOrDie("x86-64-v3"), CodeForm::Object);
  return succeeded(code) ? "compiled" : text;
}

TEST(EmitCode, RefusesWhatWouldBeSlowOrLeaveTheLibrary) {
  EXPECT_EQ(refusal([](KernelBuilder &k, Val a) { k.store(k.sqrt(k.load(a, 0)), a, 1); }),
            "compiled");
  EXPECT_NE(refusal([](KernelBuilder &k, Val a) {
              Val log = k.val(math::LogOp::create(k.builder(), k.location(), k.load(a, 0)));
              k.store(log, a, 1);
            }).find("would call 'logf'"),
            std::string::npos);
  EXPECT_NE(refusal([](KernelBuilder &k, Val a) {
              k.forLoop(0, 4, 1, [&](Val i) { k.store(k.f32(1), k.scratch(k.f32Type(), 16), i); });
            }).find("is inside a loop"),
            std::string::npos);
  EXPECT_NE(refusal([](KernelBuilder &k, Val a) {
              Val x = k.loadVector(a, 0);
              k.store(k.val(vector::FMAOp::create(k.builder(), k.location(), x, x, x)), a, 0);
            }).find("may be rounded twice"),
            std::string::npos);
  EXPECT_NE(refusal([](KernelBuilder &k, Val a) {
              k.reductionLoop(0, 4, 1, {k.splat(0)}, [&](Val, ArrayRef<Val> sums) {
                k.store(sums[0], a, 0);
                return llvm::SmallVector<Val>(sums);
              });
            }).find("its sums belong in iter_args"),
            std::string::npos);
}

TEST(EmitCode, NamesIntrinsicsInOneFile) {
  int64_t files = 0;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator entry(SLUICE_CPU_TARGET_DIR, error), end;
       !error && entry != end; entry.increment(error)) {
    llvm::StringRef name = llvm::sys::path::filename(entry->path());
    if (!name.ends_with(".cpp") && !name.ends_with(".h"))
      continue;
    ++files;
    auto text = llvm::MemoryBuffer::getFile(entry->path());
    ASSERT_TRUE(bool(text)) << name.str();
    for (llvm::StringRef word :
         {"llvm.x86.", "llvm.aarch64.", "InlineAsmOp", "x86vector::", "CallIntrinsicOp"})
      EXPECT_EQ((*text)->getBuffer().contains(word),
                name == "Intrinsics.cpp" && (word == "llvm.x86." || word == "CallIntrinsicOp" ||
                                             word == "InlineAsmOp")) // without an instruction
          << name.str() << ": " << word.str();
  }
  EXPECT_GT(files, 5);
}

} // namespace
