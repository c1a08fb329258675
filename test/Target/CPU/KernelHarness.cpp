// SPDX-License-Identifier: Apache-2.0
#include "test/Target/CPU/KernelHarness.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/TargetParser/Host.h"

#include <dlfcn.h>

using namespace mlir;

namespace sluice::cpu {

MLIRContext &kernelContext() {
  static MLIRContext *context = [] {
    DialectRegistry registry;
    registerTargetStage(registry);
    auto *made = new MLIRContext(registry);
    made->loadAllAvailableDialects();
    return made;
  }();
  return *context;
}

[[noreturn]] static void die(const llvm::Twine &message) {
  llvm::errs() << message << "\n";
  std::exit(70);
}

CPUMachine machineOrDie(llvm::StringRef cpu) {
  auto machine = describeCPU(cpu);
  if (!machine)
    die(llvm::toString(machine.takeError()));
  return *machine;
}

bool canRun(const CPUMachine &machine) {
  auto host = llvm::sys::getHostCPUFeatures();
  for (const std::string &feature : machine.required)
    if (!host.lookup(feature))
      return false;
  return true;
}

LoadedKernel::LoadedKernel(
    const CPUMachine &machine, llvm::ArrayRef<Type> types,
    llvm::function_ref<void(KernelBuilder &, ModuleOp, llvm::ArrayRef<Val>)> emit)
    : machine(machine) {
  MLIRContext &context = kernelContext();
  OpBuilder builder(&context);
  module = ModuleOp::create(builder.getUnknownLoc());
  Type pointer = LLVM::LLVMPointerType::get(&context);
  func::FuncOp function = getOrCreateKernel(
      *module, "entry", {pointer}, [&](KernelBuilder &k, llvm::ArrayRef<Val> args) {
        llvm::SmallVector<Val> values;
        for (auto [i, type] : llvm::enumerate(types)) {
          int64_t at = static_cast<int64_t>(i) * 8;
          if (auto array = dyn_cast<MemRefType>(type))
            values.push_back(k.arrayAt(k.fieldAt(args[0], at, pointer), array.getElementType()));
          else
            values.push_back(k.toIndex(k.fieldAt(args[0], at, builder.getI64Type())));
        }
        emit(k, *module, values);
      });
  function.setPublic();

  FailureOr<std::string> object = emitCode(*module, machine, CodeForm::Object);
  llvm::SmallString<128> path;
  if (failed(object) || llvm::sys::fs::createTemporaryFile("kernel", "so", path) ||
      failed(linkLibrary(*module, *object, path)))
    die("the kernel does not compile");
  library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  llvm::sys::fs::remove(path);
  if (!library)
    die(dlerror());
  entry = reinterpret_cast<void (*)(const int64_t *)>(dlsym(library, "entry"));
  if (!entry)
    die(dlerror());
}

std::string LoadedKernel::assembly() const {
  FailureOr<std::string> text = emitCode(*module, machine, CodeForm::Assembly);
  if (failed(text))
    die("the kernel has no listing");
  return *text;
}

LoadedKernel::~LoadedKernel() { dlclose(library); }

} // namespace sluice::cpu
