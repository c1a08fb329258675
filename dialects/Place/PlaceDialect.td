// SPDX-License-Identifier: Apache-2.0
//
// The dialect itself.

#ifndef PLACE_DIALECT_TD
#define PLACE_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/CommonTypeConstraints.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialects/Sluice/SluiceTypes.td"

def Place_Dialect : Dialect {
  let name = "place";
  let cppNamespace = "::sluice::place";
  let summary = "pieces of work and memories with a home, and the moves between them";
  let description = [{
    What the placed stage adds to `sluice`: a team of workers that enters once per step, phases that divide work among
    them, barriers, buffers with a planned address, and requests to other homes. Nothing here names an instruction set.
  }];
  let useDefaultAttributePrinterParser = 1;
}

class Place_Op<string mnemonic, list<Trait> traits = []> : Op<Place_Dialect, mnemonic, traits>;

#endif // PLACE_DIALECT_TD
