# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: a real three-node cluster, its BMCs and its guests on one machine."""
