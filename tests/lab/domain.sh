#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --edu --timeout 120
#
# An I/O address space on the kernel's backends, with a device that does as it is told: QEMU's `edu` on vfio-pci.
# The VFIO container here; iommufd where the kernel has it.
. tests/lab/lib.sh

tool=$SLUICE_BUILD/tests/tools/vfio_edu
device=$(basename "$(dirname "$(grep -l 0x11e8 /sys/bus/pci/devices/*/device)")")
echo vfio-pci >"/sys/bus/pci/devices/$device/driver_override"
echo "$device" >/sys/bus/pci/drivers_probe
check "the device is on vfio-pci" test "$(driver_of "$device")" = vfio-pci

modprobe iommufd 2>/dev/null
if [ -e /dev/iommu ] && [ -e /dev/vfio/devices ]; then
	"$tool" "$device" iommufd || tests_failed=1
elif [ -e /dev/iommu ]; then
	echo "ok - iommufd # SKIP this kernel has /dev/iommu, but no VFIO device files (CONFIG_VFIO_DEVICE_CDEV)"
else
	echo "ok - iommufd # SKIP this kernel has no /dev/iommu (CONFIG_IOMMUFD, which Debian leaves out)"
fi
if [ -e "/dev/vfio/$(basename "$(readlink "/sys/bus/pci/devices/$device/iommu_group")")" ] && [ ! -e /dev/vfio/devices ]; then
	"$tool" "$device" vfio-type1 || tests_failed=1
fi
finish
