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

# The same over iommufd, with modules that lab/iommufd.sh made of the kernel's source, in place of the kernel's own.
modules=$(dirname "$(dirname "$LAB_KERNEL")")/iommufd
swap_modules() {
	echo "$device" >/sys/bus/pci/drivers/vfio-pci/unbind
	rmmod vfio_pci vfio_pci_core vfio_iommu_type1 vfio || return
	for module in iommufd vfio vfio_iommu_type1 vfio-pci-core vfio-pci; do
		insmod "$modules/$module.ko" || return
	done
	echo "$device" >/sys/bus/pci/drivers_probe
}
if [ ! -e "$modules/iommufd.ko" ]; then
	echo "ok - iommufd # SKIP Debian's kernel has none, and it could not be built: $modules/log"
elif ! swap_modules >"$work/swap" 2>&1; then
	echo "ok - iommufd # SKIP its modules do not take the place of the kernel's: $(tail -n 1 "$work/swap")"
else
	"$tool" "$device" iommufd || tests_failed=1
fi
finish
