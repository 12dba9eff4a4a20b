#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The part of bench/iommu.sh that runs on the emulated host. The device does nothing; it is there because
# a container needs one.
set -euo pipefail

device=$(basename "$(dirname "$(grep -l 0x11e8 /sys/bus/pci/devices/*/device)")")
echo vfio-pci >"/sys/bus/pci/devices/$device/driver_override"
echo "$device" >/sys/bus/pci/drivers_probe
"$SLUICE_BUILD/bench/iommu_walker" "walker, lab"
echo "with 4 GiB of memory, the lab maps the same 512 MiB (1 GiB of pages of 1 GiB) again and again:"
"$SLUICE_BUILD/bench/iommu_vfio" "lab, " "$device"
