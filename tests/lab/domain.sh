#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --edu --timeout 120
#
# An I/O address space on the kernel's backends, with a device that does as it is told: QEMU's `edu` on vfio-pci.
# The VFIO container, and iommufd.
. tests/lab/lib.sh

tool=$SLUICE_BUILD/tests/tools/vfio_edu
device=$(basename "$(dirname "$(grep -l 0x11e8 /sys/bus/pci/devices/*/device)")")
echo vfio-pci >"/sys/bus/pci/devices/$device/driver_override"
echo "$device" >/sys/bus/pci/drivers_probe
check "the device is on vfio-pci" test "$(driver_of "$device")" = vfio-pci

"$tool" "$device" vfio-type1 || tests_failed=1

# The same over iommufd, with modules that lab/iommufd.sh made of the kernel's source.
modules=$(dirname "$(dirname "$LAB_KERNEL")")/iommufd
if [ -e "$modules/iommufd.ko" ]; then
	echo "$device" >/sys/bus/pci/drivers/vfio-pci/unbind
	check "the kernel's own VFIO goes" rmmod vfio_pci vfio_pci_core vfio_iommu_type1 vfio
	for module in iommufd vfio vfio_iommu_type1 vfio-pci-core vfio-pci; do
		check "$module.ko comes" insmod "$modules/$module.ko"
	done
	echo "$device" >/sys/bus/pci/drivers_probe
	"$tool" "$device" iommufd || tests_failed=1
else
	echo "ok - iommufd # SKIP Debian's kernel has none, and it could not be built: $modules/log"
fi
finish
