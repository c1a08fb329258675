# SPDX-License-Identifier: Apache-2.0
"""Python helpers of Sluice: seeded weights, running the tools, comparing with a reference."""
