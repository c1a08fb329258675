# SPDX-License-Identifier: Apache-2.0
"""Sluice beside the engines a user would otherwise pick; `bench/peers.py` is the command."""
