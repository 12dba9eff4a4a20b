#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology no-iommu
#
# A host whose IOMMU is off: VFs can be made, but none is handed out; a VM without devices runs.
. tests/lab/lib.sh

pf=$(pf)
check "VFs are made" sluice vf create "$pf" --count 1
refused 1 "IOMMU" "no IOMMU" sluice vm run bad --memory 64M --kernel "$LAB_KERNEL" --vf "$pf/0"
sluice host show >"$work/host"
check_text "host show says so" "IOMMU.*(off|no)" "$work/host"
timeout 60 sluice vm run tiny --memory 64M --kernel "$SLUICE_BUILD/guest/tiny" </dev/null >"$work/out" 2>&1
check_text "a VM without devices runs" "tiny guest: up" "$work/out"
finish
