// SPDX-License-Identifier: Apache-2.0
//
// Where the values of a step lie: loads from the call record, offsets in the arena, weights by
// number, and views as pointer arithmetic.
#include "lib/Target/CPU/StepContext.h"
#include "sluice-rt/kernel_abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

#include "lib/Target/CPU/KernelInterface.cpp.inc"

namespace sluice::cpu {

StepContext::StepContext(KernelBuilder &k, func::FuncOp function, func::FuncOp entry,
                         const CPUMachine &machine)
    : k(k), function(function), entry(entry), target(machine) {}

//===-- The call record
//---------------------------------------------------------------------------===//

Val StepContext::inPrologue(llvm::function_ref<Val()> make) {
  OpBuilder &b = k.builder();
  OpBuilder::InsertionGuard guard(b);
  if (prologueEnd)
    b.setInsertionPointAfter(prologueEnd);
  else
    b.setInsertionPointToStart(&entry.getBody().front());
  Val made = make();
  if (b.getInsertionPoint() != b.getBlock()->begin())
    prologueEnd = &*std::prev(b.getInsertionPoint());
  return made;
}

Val StepContext::pointerAt(Val pointer, size_t byte) {
  OpBuilder &b = k.builder();
  return k.val(LLVM::GEPOp::create(b, k.location(), k.pointerType(), b.getI8Type(), pointer,
                                   ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(byte)}));
}

Val StepContext::advance(Val pointer, Idx bytes) {
  OpBuilder &b = k.builder();
  Value offset = k.toI64(k.index(bytes));
  return k.val(LLVM::GEPOp::create(b, k.location(), k.pointerType(), b.getI8Type(), pointer,
                                   ArrayRef<LLVM::GEPArg>{offset}));
}

Val StepContext::field(Val pointer, size_t byte, Type type) {
  Value &loaded = fields[{pointer, byte}];
  if (!loaded)
    loaded = inPrologue([&] { return k.fieldAt(pointer, static_cast<int64_t>(byte), type); });
  return k.val(loaded);
}

Val StepContext::callField(size_t byte, Type type) { return field(call(), byte, type); }

Val StepContext::maxRows() {
  Val loaded = callField(offsetof(sluice_call_t, max_rows), k.builder().getI64Type());
  return k.toIndex(loaded);
}

Val StepContext::maxSeqs() {
  Val loaded = callField(offsetof(sluice_call_t, max_seqs), k.builder().getI64Type());
  return k.toIndex(loaded);
}

Val StepContext::trapRecord() { return pointerAt(call(), offsetof(sluice_call_t, trap)); }

void StepContext::barrier() {
  OpBuilder &b = k.builder();
  Val function = callField(offsetof(sluice_call_t, barrier), k.pointerType());
  Val team = callField(offsetof(sluice_call_t, team), k.pointerType());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                          {k.pointerType(), b.getI32Type()});
  LLVM::CallOp::create(b, k.location(), type, ValueRange{function, team, me()});
}

void StepContext::mark(int32_t what) {
  OpBuilder &b = k.builder();
  Val tracer = callField(offsetof(sluice_call_t, tracer), k.pointerType());
  Val wanted = inPrologue([&] {
    Value none = LLVM::ZeroOp::create(b, k.location(), k.pointerType());
    return k.val(LLVM::ICmpOp::create(b, k.location(), LLVM::ICmpPredicate::ne, tracer, none));
  });
  k.ifThen(wanted, [&] {
    auto load = [&](size_t byte) -> Value {
      Value at = LLVM::GEPOp::create(b, k.location(), k.pointerType(), b.getI8Type(), tracer,
                                     ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(byte)});
      return LLVM::LoadOp::create(b, k.location(), k.pointerType(), at);
    };
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(b.getContext()),
        {k.pointerType(), k.pointerType(), b.getI32Type(), b.getI32Type()});
    LLVM::CallOp::create(b, k.location(), type,
                         ValueRange{load(offsetof(sluice_tracer_t, mark)),
                                    load(offsetof(sluice_tracer_t, self)), call(), me(),
                                    k.i32(what)});
  });
}

BatchView StepContext::batch() {
  OpBuilder &b = k.builder();
  Val record = callField(offsetof(sluice_call_t, batch), k.pointerType());
  BatchView view;
  view.rows = k.toIndex(field(record, offsetof(sluice_batch_t, rows), b.getI32Type()));
  view.seqs = k.toIndex(field(record, offsetof(sluice_batch_t, seqs), b.getI32Type()));
  auto array = [&](size_t byte) {
    return k.arrayAt(field(record, byte, k.pointerType()), b.getI32Type());
  };
  view.rowStart = array(offsetof(sluice_batch_t, row_start));
  view.past = array(offsetof(sluice_batch_t, past));
  view.rowSeq = array(offsetof(sluice_batch_t, row_seq));
  view.position = array(offsetof(sluice_batch_t, position));
  view.pageStart = array(offsetof(sluice_batch_t, page_start));
  view.pageTable = array(offsetof(sluice_batch_t, page_table));
  return view;
}

PagesView StepContext::pages(Value pages) {
  OpBuilder &b = k.builder();
  StringRef symbol = cast<PagesType>(pages.getType()).getSymbol().getValue();
  size_t at = static_cast<size_t>(kvNumber(symbol)) * sizeof(sluice_pages_t);
  Val all = callField(offsetof(sluice_call_t, pages), k.pointerType());
  Val base = field(all, at + offsetof(sluice_pages_t, base), k.pointerType());
  Val count = field(all, at + offsetof(sluice_pages_t, page_count), b.getI64Type());
  PagesView view;
  view.kv = module().lookupSymbol<KVOp>(symbol);
  view.pointer = base;
  view.pageCount = k.toIndex(count);
  return view;
}

//===-- Weights
//-----------------------------------------------------------------------------------===//

template <typename OpTy>
static int64_t numberOf(ModuleOp module, StringRef symbol) {
  int64_t number = 0;
  for (OpTy op : module.getOps<OpTy>()) {
    if (op.getSymName() == symbol)
      return number;
    ++number;
  }
  llvm_unreachable("verified to be there");
}

int64_t StepContext::paramNumber(StringRef symbol) { return numberOf<ParamOp>(module(), symbol); }
int64_t StepContext::kvNumber(StringRef symbol) { return numberOf<KVOp>(module(), symbol); }

static int64_t groupOf(Type element) { return element.isF32() ? 1 : 2; }

int64_t weightBlockBytes(ParamOp param) {
  RankedTensorType type = param.getBlockType();
  if (BlocksAttr blocks = blocksOf(type))
    return blocks.getLayerBytes(type.getDimSize(0), type.getDimSize(1));
  int64_t elements = type.getNumElements();
  if (param.getLayout() == Layout::Panel) {
    int64_t g = groupOf(type.getElementType());
    elements = llvm::divideCeil(type.getDimSize(0), kLanes) * kLanes *
               llvm::divideCeil(type.getDimSize(1), g) * g;
  }
  return llvm::alignTo(elements * type.getElementTypeBitWidth() / 8, 64);
}

WeightView StepContext::weight(Value tensor) {
  auto use = tensor.getDefiningOp<ParamUseOp>();
  assert(use && "weights are values of sluice.param.use");
  ParamOp param = paramOf(tensor);
  Val table = callField(offsetof(sluice_call_t, weights), k.pointerType());
  Val pointer = field(table, static_cast<size_t>(paramNumber(param.getSymName())) * sizeof(void *),
                      k.pointerType());
  int64_t bytes = weightBlockBytes(param);
  if (Value layer = use.getLayer())
    pointer = advance(pointer, scalar(layer) * (bytes * param.getBlocksOfLayer()));
  RankedTensorType type = param.getBlockType();
  WeightView view;
  view.blockBytes = bytes;
  view.pointer = pointer;
  view.blocks = blocksOf(type);
  view.array = k.arrayAt(pointer, view.blocks ? k.i32Type() : type.getElementType());
  if (view.blocks)
    view.scales = k.arrayAt(pointer, view.blocks.getScale());
  view.layout = param.getLayout().value_or(Layout::Rows);
  view.type = type;
  return view;
}

//===-- Buffers and their views
//-------------------------------------------------------------------===//

size_t StepContext::argumentNumber(BlockArgument argument) {
  size_t number = 0;
  for (unsigned i = 0; i < argument.getArgNumber(); ++i)
    number += isa<MemRefType>(function.getArgumentTypes()[i]);
  return number;
}

Val StepContext::askedRows() {
  // The rows asked for are what the argument `ask` lists; where there is none, what the first
  // argument has (sampling gets one row of logits per asked row).
  BlockArgument first, named;
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type || type.getRank() == 0 || !type.isDynamicDim(0))
      continue;
    if (!first)
      first = argument;
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "sluice.name");
    if (name && name.getValue() == "ask")
      named = argument;
  }
  assert(first && "checked by the pass: a function with asked rows has an argument that has them");
  return address(named ? named : first).sizes[0];
}

Val StepContext::leadingSize(StringRef extent) {
  bool hasBatch = llvm::any_of(function.getArgumentTypes(), llvm::IsaPred<BatchType>);
  if (extent == "rows" && hasBatch)
    return batch().rows;
  if (extent == "seqs" && hasBatch)
    return batch().seqs;
  return askedRows();
}

Val StepContext::extentCount(place::ExtentAttr extent) {
  Val bytes = k.index(extent.getFixed());
  if (extent.getRow())
    bytes = bytes + maxRows() * extent.getRow();
  if (extent.getSeq())
    bytes = bytes + maxSeqs() * extent.getSeq();
  return bytes;
}

StepContext::Address StepContext::addressOfArgument(BlockArgument argument, MemRefType type) {
  OpBuilder &b = k.builder();
  size_t number = argumentNumber(argument);
  Address result;
  Val pointers = callField(offsetof(sluice_call_t, args), k.pointerType());
  result.pointer = field(pointers, number * sizeof(void *), k.pointerType());
  for (auto [i, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size)) {
      result.sizes.push_back(k.index(size));
      continue;
    }
    assert(i == 0 && "checked by the pass: only the leading dim of an argument is dynamic");
    Val dims = callField(offsetof(sluice_call_t, dims), k.pointerType());
    Val loaded = field(dims, number * sizeof(int64_t), b.getI64Type());
    result.sizes.push_back(k.toIndex(loaded));
  }
  for (int64_t stride : type.getStridesAndOffset().first)
    result.strides.push_back(k.index(stride));
  return result;
}

StepContext::Address StepContext::addressOfBuffer(place::BufferOp buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  Address result;
  Val arena = callField(offsetof(sluice_call_t, arena), k.pointerType());
  result.pointer = advance(arena, extentCount(*buffer.getAt()));
  for (int64_t size : type.getShape())
    if (!ShapedType::isDynamic(size))
      result.sizes.push_back(k.index(size));
    else if (buffer.getExtent() == "bytes")
      result.sizes.push_back(extentCount(buffer.getSize()));
    else
      result.sizes.push_back(leadingSize(buffer.getExtent()));
  for (int64_t stride : type.getStridesAndOffset().first)
    result.strides.push_back(k.index(stride));
  return result;
}

StepContext::Address StepContext::addressOfGlobal(memref::GetGlobalOp op) {
  OpBuilder &b = k.builder();
  MemRefType type = op.getType();
  Value array = memref::GetGlobalOp::create(b, k.location(), type, op.getName());
  Val number = k.val(memref::ExtractAlignedPointerAsIndexOp::create(b, k.location(), array));
  Address result;
  result.pointer = k.val(LLVM::IntToPtrOp::create(b, k.location(), TypeRange{k.pointerType()},
                                                  ValueRange{k.toI64(number)}));
  for (int64_t size : type.getShape())
    result.sizes.push_back(k.index(size));
  for (int64_t stride : type.getStridesAndOffset().first)
    result.strides.push_back(k.index(stride));
  return result;
}

StepContext::Address StepContext::addressOfSubview(memref::SubViewOp op) {
  Address source = address(op.getSource());
  auto mixed = [&](OpFoldResult size) {
    if (auto attr = dyn_cast<Attribute>(size))
      return k.index(cast<IntegerAttr>(attr).getInt());
    return scalar(cast<Value>(size));
  };
  Val offset = k.index(0);
  for (auto [at, stride] : llvm::zip(op.getMixedOffsets(), source.strides))
    offset = offset + mixed(at) * stride;
  int64_t bytes = op.getType().getElementTypeBitWidth() / 8;
  Address result;
  result.pointer = advance(source.pointer, offset * bytes);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (unsigned i = 0; i < source.strides.size(); ++i) {
    if (dropped.test(i))
      continue;
    result.sizes.push_back(mixed(op.getMixedSizes()[i]));
    result.strides.push_back(source.strides[i] * mixed(op.getMixedStrides()[i]));
  }
  return result;
}

StepContext::Address StepContext::addressOfExpand(memref::ExpandShapeOp op) {
  Address source = address(op.getSrc());
  ArrayRef<int64_t> shape = op.getResultType().getShape();
  Address result;
  result.pointer = source.pointer;
  result.sizes.resize(shape.size());
  result.strides.resize(shape.size());
  for (auto [from, group] : llvm::enumerate(op.getReassociationIndices())) {
    Val stride = source.strides[from];
    Val rest = source.sizes[from];
    for (int64_t to : llvm::reverse(group)) {
      // One size of a group may be dynamic: what the others leave.
      int64_t inner = 1;
      for (int64_t other : group)
        inner *= other == to || ShapedType::isDynamic(shape[other]) ? 1 : shape[other];
      Val size = ShapedType::isDynamic(shape[to]) ? rest / k.index(inner) : k.index(shape[to]);
      result.sizes[to] = size;
      result.strides[to] = stride;
      stride = stride * size;
    }
  }
  return result;
}

StepContext::Address StepContext::addressOfCollapse(memref::CollapseShapeOp op) {
  Address source = address(op.getSrc());
  Address result;
  result.pointer = source.pointer;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    Val size = source.sizes[group.front()];
    for (int64_t from : ArrayRef(group).drop_front())
      size = size * source.sizes[from];
    result.sizes.push_back(size);
    result.strides.push_back(source.strides[group.back()]);
  }
  return result;
}

StepContext::Address StepContext::address(Value memref) {
  if (auto argument = dyn_cast<BlockArgument>(memref))
    return addressOfArgument(argument, cast<MemRefType>(memref.getType()));
  Operation *op = memref.getDefiningOp();
  if (auto global = dyn_cast<memref::GetGlobalOp>(op))
    return addressOfGlobal(global);
  if (auto buffer = dyn_cast<place::BufferOp>(op))
    return addressOfBuffer(buffer);
  if (auto subview = dyn_cast<memref::SubViewOp>(op))
    return addressOfSubview(subview);
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(op))
    return addressOfExpand(expand);
  if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op))
    return addressOfCollapse(collapse);
  if (auto cast = dyn_cast<memref::CastOp>(op))
    return address(cast.getSource());
  auto positions = cast<BatchPositionsOp>(op);
  (void)positions;
  Val record = callField(offsetof(sluice_call_t, batch), k.pointerType());
  Address result;
  result.pointer = field(record, offsetof(sluice_batch_t, position), k.pointerType());
  result.sizes = {batch().rows};
  result.strides = {k.index(1)};
  return result;
}

View StepContext::view(Value memref) {
  Address at = address(memref);
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  return View{k.arrayAt(at.pointer, element), at.sizes, at.strides};
}

Val StepContext::arrayAs(Value memref, Type element) {
  return k.arrayAt(address(memref).pointer, element);
}

//===-- Shares
//------------------------------------------------------------------------------------===//

Range StepContext::range(Val items) {
  Val workers = k.val(entry.getArgument(2));
  if (share() == place::Share::One)
    return {k.index(0), k.select(me() == k.i32(0), items, k.index(0))};
  Val number = k.toIndex(me()), count = k.toIndex(workers);
  return {number * items / count, (number + 1) * items / count};
}

LogicalResult StepContext::expectShare(Operation *op, ArrayRef<place::Share> allowed) {
  if (share() == place::Share::One || llvm::is_contained(allowed, share()))
    return success();
  auto error = op->emitOpError("expects its phase to share ");
  for (auto [i, each] : llvm::enumerate(allowed))
    error << (i ? ", '" : "'") << place::stringifyShare(each) << "'";
  return error << " or 'one' on the cpu, but phase \"" << phase.getName() << "\" shares '"
               << place::stringifyShare(share()) << "'";
}

//===-- Traps
//-------------------------------------------------------------------------------------===//

/// "file:line:column" of the first place in a file that |loc| knows.
static std::string placeInFile(Location loc) {
  std::string text;
  loc->walk([&](Location part) {
    auto file = dyn_cast<FileLineColLoc>(part);
    if (!file)
      return WalkResult::advance();
    text = (file.getFilename().getValue() + ":" + Twine(file.getLine()) + ":" +
            Twine(file.getColumn()))
               .str();
    return WalkResult::interrupt();
  });
  return text;
}

Val StepContext::locationNumber(Operation *op) {
  std::string text = placeInFile(op->getLoc());
  if (text.empty())
    return k.i32(-1);
  OpBuilder &b = k.builder();
  constexpr StringLiteral name = "sluice.locations";
  SmallVector<Attribute> known;
  if (auto before = module()->getAttrOfType<ArrayAttr>(name))
    known.assign(before.begin(), before.end());
  Attribute wanted = b.getStringAttr(text);
  auto found = llvm::find(known, wanted);
  auto number = static_cast<int32_t>(found - known.begin());
  if (found == known.end()) {
    known.push_back(wanted);
    module()->setAttr(name, b.getArrayAttr(known));
  }
  return k.i32(number);
}

void emitTrap(KernelBuilder &k, ModuleOp module, Val record, Val code, Val location, Val value,
              Val bound) {
  OpBuilder &b = k.builder();
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  func::FuncOp trap = getOrCreateKernel(
      module, "trap", {pointer, i32, i32, i64, i64}, [&](KernelBuilder &k, ArrayRef<Val> a) {
        OpBuilder &b = k.builder();
        Location loc = k.location();
        auto at = [&](size_t byte) -> Value {
          return LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), a[0],
                                     ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(byte)});
        };
        // The first one stays: only who turns 0 into a code writes the rest.
        Value swap = LLVM::AtomicCmpXchgOp::create(b, loc, at(offsetof(sluice_trap_t, code)),
                                                   k.i32(0), a[1], LLVM::AtomicOrdering::acq_rel,
                                                   LLVM::AtomicOrdering::monotonic);
        Value won = LLVM::ExtractValueOp::create(b, loc, swap, ArrayRef<int64_t>{1});
        k.ifThen(k.val(won), [&] {
          LLVM::StoreOp::create(b, loc, a[2], at(offsetof(sluice_trap_t, location)));
          LLVM::StoreOp::create(b, loc, a[3], at(offsetof(sluice_trap_t, value)));
          LLVM::StoreOp::create(b, loc, a[4], at(offsetof(sluice_trap_t, bound)));
        });
      });
  k.call(trap, {record, code, location, k.toI64(value), k.toI64(bound)});
}

} // namespace sluice::cpu
