// SPDX-License-Identifier: Apache-2.0
//
// Table of contents of the `sluice` dialect, in reading order.

#ifndef SLUICE_TD
#define SLUICE_TD

include "dialects/Sluice/SluiceDialect.td"
include "dialects/Sluice/SluiceInterfaces.td"
include "dialects/Sluice/SluiceAttrs.td"
include "dialects/Sluice/SluiceTypes.td"

include "dialects/Sluice/ParamOps.td"
include "dialects/Sluice/BatchOps.td"
include "dialects/Sluice/LinearOps.td"
include "dialects/Sluice/NormOps.td"
include "dialects/Sluice/RopeOps.td"
include "dialects/Sluice/EmbedOps.td"
include "dialects/Sluice/ActivationOps.td"
include "dialects/Sluice/AttentionOps.td"
include "dialects/Sluice/CacheOps.td"
include "dialects/Sluice/PoolOps.td"
include "dialects/Sluice/SampleOps.td"
include "dialects/Sluice/ClampOps.td"
include "dialects/Sluice/RouteOps.td"
include "dialects/Sluice/HeadsOps.td"

#endif // SLUICE_TD
