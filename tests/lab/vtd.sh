#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --edu --append intel_iommu=off --append intremap=off --append iomem=relaxed --timeout 300
#
# Our own VT-d driver on the emulated unit, in legacy mode: the kernel leaves it alone.
vtd_settings="legacy second"
. tests/lab/vtd-lib.sh
