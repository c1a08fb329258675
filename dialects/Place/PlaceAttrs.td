// SPDX-License-Identifier: Apache-2.0
//
// Decisions as attributes: one pass writes them, another obeys.

#ifndef PLACE_ATTRS_TD
#define PLACE_ATTRS_TD

include "dialects/Place/PlaceDialect.td"

class Place_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::sluice::place";
  let genSpecializedAttr = 0;
}

def Place_Share : Place_Enum<"Share", "what the work items of a phase are", [
  I32EnumAttrCase<"Rows", 0, "rows">,
  I32EnumAttrCase<"Columns", 1, "columns">,
  I32EnumAttrCase<"Heads", 2, "heads">,
  I32EnumAttrCase<"Seqs", 3, "seqs">,
  I32EnumAttrCase<"Asked", 4, "asked">,
  I32EnumAttrCase<"One", 5, "one">]>;
def Place_ShareAttr : EnumAttr<Place_Dialect, Place_Share, "share">;

def Place_Dot : Place_Enum<"Dot", "how one step of a linear layer's chain is done", [
  I32EnumAttrCase<"Fma", 0, "fma">,
  I32EnumAttrCase<"Dpbf16", 1, "dpbf16">]>;

class Place_Attr<string name, string mnemonic_> : AttrDef<Place_Dialect, name> { let mnemonic = mnemonic_; }

def Place_ExtentAttr : Place_Attr<"Extent", "extent"> {
  let summary = "bytes as an affine function of what a session was made for";
  let description = [{
    `row * max_rows + seq * max_seqs + fixed` bytes; a size or an offset. All three are multiples of 64 where it is an
    offset (max_rows is a multiple of 16, so `row` need be a multiple of 4).
  }];
  let parameters = (ins "int64_t":$row, "int64_t":$seq, "int64_t":$fixed);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Place_PanelsAttr : Place_Attr<"Panels", "panels"> {
  let summary = "how the linear kernel walks a packed weight";
  let description = [{
    `rows`: row classes, descending; each is a register tile of that many rows by `panels` panels of 16 outputs.
    `stream`: panels in flight when there is one row. `kblock`: inputs between two spills of the accumulators (0: never).
    `dot`: how a step of the chain is done. Any schedule gives the same bits as any other with the same `dot`.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$rows, "int64_t":$panels, "int64_t":$stream, "int64_t":$kblock,
                        EnumParameter<Place_Dot>:$dot);
  let assemblyFormat = [{
    `<` `rows` `=` `[` $rows `]` `,` `panels` `=` $panels `,` `stream` `=` $stream `,` `kblock` `=` $kblock `,`
        `dot` `=` $dot `>`
  }];
}

#endif // PLACE_ATTRS_TD
