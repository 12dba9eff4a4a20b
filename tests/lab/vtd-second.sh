#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --edu --iommu scalable-mode=on --append intel_iommu=off --append intremap=off --append iomem=relaxed --timeout 300
#
# Our own VT-d driver on the emulated unit, in scalable mode with second-stage tables.
vtd_settings="scalable second"
. tests/lab/vtd-lib.sh
