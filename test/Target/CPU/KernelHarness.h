// SPDX-License-Identifier: Apache-2.0
//
// One kernel at a time: emits a function, compiles it for a machine, links and loads it, and lets
// C++ call it. For the kernels' own tests and benchmarks; nothing of the rest of the compiler is
// involved.
#ifndef SLUICE_TEST_TARGET_CPU_KERNELHARNESS_H
#define SLUICE_TEST_TARGET_CPU_KERNELHARNESS_H

#include "lib/Target/CPU/KernelBuilder.h"
#include "sluice/Machine/Machine.h"
#include "sluice/Target/CPU/Emit.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace sluice::cpu {

/// The context in which test kernels are built, with the dialects of the target stage.
mlir::MLIRContext &kernelContext();

/// The machine called |cpu|; ends the program with its message when there is none.
CPUMachine machineOrDie(llvm::StringRef cpu);

/// Whether this computer can run code for |machine|.
bool canRun(const CPUMachine &machine);

/// An argument of a loaded kernel.
class Argument {
public:
  template <typename T>
  Argument(std::vector<T> &array) : bits(reinterpret_cast<int64_t>(array.data())) {}
  template <typename T>
  Argument(T *array) : bits(reinterpret_cast<int64_t>(array)) {}
  Argument(int64_t index) : bits(index) {}
  Argument(int index) : bits(index) {}
  int64_t bits;
};

/// A loaded function. Unloaded with its object.
class LoadedKernel {
public:
  /// |types| are memref<?xT> and index; |emit| writes the body and may add kernels to the module.
  /// Ends the program with the diagnostics when anything fails: a test cannot go on without its
  /// kernel.
  LoadedKernel(const CPUMachine &machine, llvm::ArrayRef<mlir::Type> types,
               llvm::function_ref<void(KernelBuilder &, mlir::ModuleOp, llvm::ArrayRef<Val>)> emit);
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel &) = delete;
  LoadedKernel &operator=(const LoadedKernel &) = delete;

  template <typename... Args>
  void operator()(Args &&...args) const {
    int64_t slots[] = {Argument(args).bits...};
    entry(slots);
  }

  /// What was loaded, as text.
  std::string assembly() const;

private:
  CPUMachine machine;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  void (*entry)(const int64_t *slots) = nullptr;
  void *library = nullptr;
};

} // namespace sluice::cpu

#endif
