// SPDX-License-Identifier: Apache-2.0
//
// Values that are not tensors: the ragged batch, memories, and rows that are on their way.

#ifndef SLUICE_TYPES_TD
#define SLUICE_TYPES_TD

include "dialects/Sluice/SluiceDialect.td"

class Sluice_Type<string name, string mnemonic_> : TypeDef<Sluice_Dialect, name> {
  let mnemonic = mnemonic_;
}

def Sluice_BatchType : Sluice_Type<"Batch", "batch"> {
  let summary = "which rows belong to which sequence";
  let description = [{
    One value that says how a step's rows are divided into sequences: row offsets, cached lengths, positions and page
    tables. All ops of a function take the same batch, so no two of them can disagree about raggedness.
    At run time: `sluice_batch_t` of kernel_abi.h.
  }];
}

def Sluice_PagesType : Sluice_Type<"Pages", "pages"> {
  let summary = "the keys and values remembered in the pages of one pool";
  let description = [{
    The state of the memory that `symbol` (a `sluice.kv`) declares. A *linear* value: it has exactly one consuming use
    (an append, a yield or a return), which `check-tensor-stage` verifies; reading uses come before it.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$symbol);
  let assemblyFormat = "`<` $symbol `>`";
}

def Sluice_FutureType : Sluice_Type<"Future", "future"> {
  let summary = "rows that were asked for and have not been waited for";
  let parameters = (ins "::mlir::RankedTensorType":$value);
  let assemblyFormat = "`<` $value `>`";
}

// Rows in either form (see ComputeOpInterface).
def Sluice_Rows : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef]>;
def Sluice_FloatRows : AnyTypeOf<[RankedTensorOf<[F32, BF16, F16]>, StridedMemRefRankOf<[F32, BF16, F16], [1, 2, 3]>]>;
def Sluice_IndexRows : AnyTypeOf<[1DTensorOf<[I32]>, StridedMemRefRankOf<[I32], [1]>]>;
def Sluice_StateRows : AnyTypeOf<[1DTensorOf<[I64]>, StridedMemRefRankOf<[I64], [1]>]>;
// What a param declares and a linear layer or a table reads: dense numbers, or codes with scales (#sluice.blocks).
def Sluice_StoredWeight : RankedTensorOf<[F32, BF16, F16]>;
def Sluice_Weight : Type<
    And<[Sluice_StoredWeight.predicate, CPred<"!::llvm::cast<::mlir::RankedTensorType>($_self).getEncoding()">]>,
    "dense ranked tensor of 32-bit float or bfloat16 type or 16-bit float values", "::mlir::RankedTensorType">;

#endif // SLUICE_TYPES_TD
