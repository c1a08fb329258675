// SPDX-License-Identifier: Apache-2.0
//
// Passes of the placed stage. Those called choose write an attribute, the others obey it.

#ifndef SLUICE_PLACE_PASSES_TD
#define SLUICE_PLACE_PASSES_TD

include "mlir/Pass/PassBase.td"

class MachinePass<string flag> : Pass<flag, "mlir::ModuleOp"> {
  let options = [Option<"cpu", "cpu", "std::string", /*default=*/"\"native\"",
                        "the machine: native, x86-64-v3, x86-64-v4 or a name that LLVM knows">];
}

def ChooseLayoutsPass : MachinePass<"place-choose-layouts"> {
  let summary = "chooses how the bytes of weights and of rounded rows lie";
  let description = [{
    Writes `layout` on every param: `panel` where a linear layer reads it (also when it is a table as well), else `rows`.
    Writes `round = bf16` on an op whose bf16 rows only feed linear layers, when the machine multiplies bf16 by fma: the
    rows are then kept as f32 that is already rounded, so that no kernel widens them again for every panel.
  }];
  let dependentDialects = ["::sluice::SluiceDialect"];
}

def ChooseSchedulesPass : MachinePass<"place-choose-schedules"> {
  let summary = "chooses register tiles and blocking of linear layers";
  let description = [{
    Writes `schedule = #place.panels<...>` on every linear layer that has none, from the numbers of the machine. `dot` is
    `dpbf16` where the weight is bf16 and the machine has it, else `fma`.
  }];
  let dependentDialects = ["::sluice::place::PlaceDialect"];
}

def BufferizePass : Pass<"place-bufferize", "mlir::ModuleOp"> {
  let summary = "gives every tensor a buffer and every op a phase";
  let description = [{
    Functions on tensors become functions on memrefs with one `place.team`; results become trailing arguments (`sluice.out`).
    Each op becomes its buffer form in a phase of its own, with the share of its family. Tensors that are never needed at
    the same time and may be written over one another share a buffer: what a loop carries stays in one, a residual is
    added in place, and results are made where the caller wants them. Where that cannot be, `place.copy` says so.

    Before: the tensor stage, with layouts and schedules. After: the placed stage without barriers or addresses.
    Fails, naming the op, on what has no buffer form.
  }];
  let dependentDialects = ["::sluice::place::PlaceDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def MergePhasesPass : Pass<"place-merge-phases", "mlir::func::FuncOp"> {
  let summary = "joins neighbouring phases that divide the same rows";
  let description = [{
    ```mlir
    place.phase "rope" share rows { A }                place.phase "rope+append" share rows { A B }
    place.phase "append" share rows { B }       ==>
    ```
    Only where every buffer that both touch is touched row by row: then no worker needs another's rows, and a barrier is
    saved. Leaves alone shares that are not rows (`columns`, `heads`, `one`).
  }];
}

def InsertBarriersPass : Pass<"place-insert-barriers", "mlir::func::FuncOp"> {
  let summary = "separates phases that conflict";
  let description = [{
    Puts a `place.barrier` before each phase that touches memory which an earlier phase touched since the last barrier on
    some path, when one of the two writes. Back edges of loops are paths.
  }];
  let dependentDialects = ["::sluice::place::PlaceDialect"];
}

def PlanMemoryPass : Pass<"place-plan-memory", "mlir::func::FuncOp"> {
  let summary = "gives every buffer an address in the arena";
  let description = [{
    Buffers whose lifetimes a barrier separates share a slot. A slot is as large as its largest buffer in each of `row`,
    `seq` and `fixed`; slots follow one another. Writes `at` on buffers and `place.arena` on the function.
  }];
  let dependentDialects = ["::sluice::place::PlaceDialect"];
  let statistics = [Statistic<"bufferCount", "buffers", "buffers placed">,
                    Statistic<"slotCount", "slots", "slots of all arenas">];
}

def CheckPlacedStagePass : Pass<"check-placed-stage", "mlir::ModuleOp"> {
  let summary = "states the contract of the placed stage";
  let description = [{
    Changes nothing. Fails with a sentence unless

    - nothing is in tensor form but weights, and every param has a layout;
    - an exported function has one team; every buffer has an aligned address inside the arena;
    - phases that conflict, by buffer or by address, are separated by a barrier on every path, back edges included;
    - inside a phase, what two ops touch they touch item by item, with a share that divides rows;
    - every linear layer has a schedule, and rows of the element type that its `dot` reads.
  }];
}

#endif // SLUICE_PLACE_PASSES_TD
