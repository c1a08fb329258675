// SPDX-License-Identifier: Apache-2.0
//
// Table of contents of the `place` dialect.

#ifndef PLACE_TD
#define PLACE_TD

include "dialects/Place/PlaceDialect.td"
include "dialects/Place/PlaceAttrs.td"
include "dialects/Place/TeamOps.td"
include "dialects/Place/MoveOps.td"

#endif // PLACE_TD
