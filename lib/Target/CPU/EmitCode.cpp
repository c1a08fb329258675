// SPDX-License-Identifier: Apache-2.0
//
// Target stage -> LLVM dialect -> LLVM IR -> code of one machine. Arithmetic is what the kernels
// wrote: contraction is off, no fast-math flag exists anywhere, and nothing is ever reassociated.
#include "sluice/Target/CPU/Emit.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace sluice::cpu {

void registerTargetStage(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, scf::SCFDialect, ub::UBDialect,
                  vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

//===-- LLVM dialect --------------------------------------------------------------------------===//

/// bf16 and f16 are storage formats, yet masked moves of them are computed in f32 where the machine
/// has no such registers, with calls to rounding functions. As i16 they are what they are: moves.
static void moveHalvesAsIntegers(ModuleOp module) {
  auto integerFor = [](Type type) -> VectorType {
    auto vector = dyn_cast<VectorType>(type);
    if (!vector || !(vector.getElementType().isBF16() || vector.getElementType().isF16()))
      return {};
    return vector.clone(IntegerType::get(type.getContext(), 16));
  };
  module.walk([&](LLVM::MaskedLoadOp load) {
    VectorType type = integerFor(load.getType()), old = cast<VectorType>(load.getType());
    if (!type)
      return;
    OpBuilder b(load);
    for (OpOperand &through : load.getPassThruMutable())
      through.set(LLVM::BitcastOp::create(b, load.getLoc(), type, through.get()));
    load.getResult().setType(type);
    b.setInsertionPointAfter(load);
    auto value = LLVM::BitcastOp::create(b, load.getLoc(), old, load.getResult());
    load.getResult().replaceAllUsesExcept(value, value);
  });
  module.walk([&](LLVM::MaskedStoreOp store) {
    VectorType type = integerFor(store.getValue().getType());
    if (!type)
      return;
    OpBuilder b(store);
    store.getValueMutable().set(LLVM::BitcastOp::create(b, store.getLoc(), type, store.getValue()));
  });
}

static LogicalResult lowerToLLVMDialect(ModuleOp module) {
  PassManager pm(module.getContext());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions vectorOptions;
  vectorOptions.force32BitVectorIndices = true;
  pm.addPass(createConvertVectorToLLVMPass(vectorOptions));
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCSEPass());
  if (failed(pm.run(module)))
    return failure();
  moveHalvesAsIntegers(module);
  // Conversion leaves what it cannot convert where it was; translation would only say that it does
  // not know the op.
  WalkResult left = module.walk([&](Operation *op) {
    if (isa<ModuleOp>(op) || isa<LLVM::LLVMDialect>(op->getDialect()))
      return WalkResult::advance();
    op->emitOpError("has no lowering to the LLVM dialect");
    return WalkResult::interrupt();
  });
  return failure(left.wasInterrupted());
}

//===-- LLVM IR -------------------------------------------------------------------------------===//

static std::unique_ptr<llvm::TargetMachine> createTargetMachine(ModuleOp module,
                                                                const CPUMachine &machine) {
  static const bool initialized = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    return true;
  }();
  (void)initialized;
  std::string error;
  llvm::Triple triple(machine.triple);
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) {
    module.emitError("no code generator for ") << machine.triple << ": " << error;
    return nullptr;
  }
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, machine.cpu, machine.features, options, llvm::Reloc::PIC_,
                                  llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
}

static void setAttributes(llvm::Module &code, const CPUMachine &machine) {
  for (llvm::Function &function : code) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.cpu);
    function.addFnAttr("target-features", machine.features);
    if (machine.vectorBytes == 64)
      function.addFnAttr("prefer-vector-width", "512");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

static void optimize(llvm::Module &code, llvm::TargetMachine &target) {
  llvm::PipelineTuningOptions tuning;
  // Kernels say themselves which values are vectors; packing their scalars only costs registers.
  tuning.SLPVectorization = false;
  // Likewise they are unrolled as far as it pays; more makes the scheduler run out of registers.
  tuning.LoopUnrolling = false;
  llvm::PassBuilder builder(&target, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  // There is no library to call: loops must not become calls other than the three that emitCode
  // allows.
  llvm::TargetLibraryInfoImpl library(target.getTargetTriple());
  library.disableAllFunctions();
  library.setAvailable(llvm::LibFunc_memcpy);
  library.setAvailable(llvm::LibFunc_memmove);
  library.setAvailable(llvm::LibFunc_memset);
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(code, modules);
}

/// A masked store whose one lane is known (a tail of one element, once sizes were propagated)
/// becomes a plain store. LLVM 22.1 for x86 would make the same of it, but where the lanes are
/// truncated numbers its store is as wide as they were before: it writes past the end.
static void storeSingleLanesPlainly(llvm::Module &code) {
  llvm::SmallVector<llvm::IntrinsicInst *> stores;
  for (llvm::Function &function : code)
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction))
        if (call->getIntrinsicID() == llvm::Intrinsic::masked_store)
          stores.push_back(call);
  for (llvm::IntrinsicInst *store : stores) {
    auto *mask = llvm::dyn_cast<llvm::Constant>(store->getArgOperand(store->arg_size() - 1));
    auto *type = llvm::dyn_cast<llvm::FixedVectorType>(store->getArgOperand(0)->getType());
    if (!mask || !type)
      continue;
    llvm::SmallVector<unsigned> lanes;
    bool known = true;
    for (unsigned i = 0; i < type->getNumElements(); ++i) {
      llvm::Constant *lane = mask->getAggregateElement(i);
      known &= lane && llvm::isa<llvm::ConstantInt>(lane);
      if (known && lane->isOneValue())
        lanes.push_back(i);
    }
    if (!known || lanes.size() != 1)
      continue;
    llvm::IRBuilder<> builder(store);
    llvm::Value *value = builder.CreateExtractElement(store->getArgOperand(0), lanes.front());
    llvm::Value *address = builder.CreateConstInBoundsGEP1_64(
        type->getElementType(), store->getArgOperand(1), lanes.front());
    builder.CreateAlignedStore(
        value, address, llvm::Align(code.getDataLayout().getTypeAllocSize(type->getElementType())));
    store->eraseFromParent();
  }
}

static LogicalResult generate(ModuleOp module, llvm::Module &code, llvm::TargetMachine &target,
                              CodeForm form, llvm::SmallVectorImpl<char> &out) {
  llvm::raw_svector_ostream stream(out);
  llvm::legacy::PassManager passes;
  auto type = form == CodeForm::Assembly ? llvm::CodeGenFileType::AssemblyFile
                                         : llvm::CodeGenFileType::ObjectFile;
  if (target.addPassesToEmitFile(passes, stream, nullptr, type))
    return module.emitError("the code generator for ")
           << target.getTargetCPU() << " cannot emit this form";
  passes.run(code);
  return success();
}

/// The library may leave itself only for what every C library has and the code generator assumes.
static LogicalResult checkUndefinedSymbols(ModuleOp module, StringRef object) {
  auto parsed = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "object"));
  if (!parsed)
    return module.emitError("the code generator wrote an unreadable object: ")
           << llvm::toString(parsed.takeError());
  for (const llvm::object::SymbolRef &symbol : (*parsed)->symbols()) {
    auto flags = symbol.getFlags();
    auto name = symbol.getName();
    if (!flags || !name)
      return module.emitError("the code generator wrote an object with an unreadable symbol table");
    if (!(*flags & llvm::object::SymbolRef::SF_Undefined) || name->empty())
      continue;
    if (*name == "memcpy" || *name == "memmove" || *name == "memset")
      continue;
    return module.emitError("compiled code would call '")
           << *name
           << "', which is not part of it; expected only memcpy, memmove and memset (lower the op "
              "that calls it)";
  }
  return success();
}

FailureOr<std::string> emitCode(ModuleOp module, const CPUMachine &machine, CodeForm form) {
  if (failed(checkTargetStage(module)))
    return failure();
  std::unique_ptr<llvm::TargetMachine> target = createTargetMachine(module, machine);
  if (!target)
    return failure();

  // Known by name: the conversion to the LLVM dialect keeps neither.
  llvm::StringSet<> exported, apart;
  for (auto function : module.getOps<func::FuncOp>())
    if (function.getNoInline())
      apart.insert(function.getName());
  for (auto symbol : module.getOps<SymbolOpInterface>())
    if (symbol.isPublic())
      exported.insert(symbol.getName());

  OwningOpRef<ModuleOp> lowered = module.clone();
  std::string layout = target->createDataLayout().getStringRepresentation();
  (*lowered)->setAttr(LLVM::LLVMDialect::getDataLayoutAttrName(),
                      StringAttr::get(module.getContext(), layout));
  (*lowered)->setAttr(LLVM::LLVMDialect::getTargetTripleAttrName(),
                      StringAttr::get(module.getContext(), machine.triple));
  if (failed(lowerToLLVMDialect(*lowered)))
    return failure();

  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(*lowered, context, "sluice");
  if (!code)
    return failure();
  code->setDataLayout(target->createDataLayout());
  code->setTargetTriple(target->getTargetTriple());
  for (llvm::GlobalObject &object : code->global_objects())
    if (!object.isDeclaration() && !exported.contains(object.getName()))
      object.setLinkage(llvm::GlobalValue::InternalLinkage);
  for (llvm::Function &function : *code)
    if (apart.contains(function.getName()))
      function.addFnAttr(llvm::Attribute::NoInline);
  setAttributes(*code, machine);
  optimize(*code, *target);
  storeSingleLanesPlainly(*code);

  if (form == CodeForm::Llvm) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    code->print(stream, nullptr);
    return text;
  }
  llvm::SmallVector<char, 0> bytes;
  if (failed(generate(module, *code, *target, form, bytes)))
    return failure();
  StringRef result(bytes.data(), bytes.size());
  if (form == CodeForm::Object && failed(checkUndefinedSymbols(module, result)))
    return failure();
  return result.str();
}

} // namespace sluice::cpu
