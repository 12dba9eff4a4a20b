#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology two-nics --timeout 420
#
# A whole function, the second PF, handed to a VM by its address: once with a guest that knows no
# message interrupts, so that every interrupt is a level on a wire that VFIO masks and we unmask, and
# once with MSI-X. Afterwards it is back on the host's driver.
. tests/lab/lib.sh

nic=$(basename "$(readlink "/sys/class/net/$(sluice pf list --json |
	sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | tail -n 1)/device")")
echo "# the device: $nic"
check "it is on the host's driver" test "$(driver_of "$nic")" = igb
check "a guest with its driver is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" \
	lab/guest-initrd --bare --module igb --module button --module evdev "$work/igb.cpio"
LAB_INITRD=$work/igb.cpio
before=$(host_state)

# whole MODE CPUS APPEND OPTION...: starts the VM, waits for its pings, leaves its console and stat in $work.
whole() {
	local mode=$1 cpus=$2 append=$3
	shift 3
	check "$mode: a VM gets the whole function" guest whole \
		"guest.ip=10.0.2.15/24 guest.ping=10.0.2.2,50 guest.wait $append" \
		--cpus "$cpus" --memory 256M --device "$nic" --detach "$@"
	check "$mode: the guest's pings end" wait_for 90 waiting whole
	said whole >"$work/out"
	grep SLUICE-GUEST "$work/out" | sed 's/^/#   /'
	check_text "$mode: igb drives it" "SLUICE-GUEST: nic .* driver igb mac" "$work/out"
	check_text "$mode: ping through it" "SLUICE-GUEST: ping ok 10.0.2.2 .*received 50" "$work/out"
	check "$mode: the host's driver has let go" test "$(driver_of "$nic")" = vfio-pci
	sluice vm stat whole --json >"$work/stat"
	check "$mode: vm stat says so" test "$(jq -r '.devices[0].mode' "$work/stat")" = "$mode"
	check "$mode: and counts" test "$(jq '.devices[0].interrupts' "$work/stat")" -gt 50
}

back() { # MODE
	check "$1: vm stop" sluice vm stop whole
	check "$1: it is back on the host's driver" test "$(driver_of "$nic")" = igb
	unchanged "$1: everything is as before the VM" "$before"
}

whole intx 1 pci=nomsi
check_text "intx: the host has one wire for it" "vfio-intx\($nic\)" /proc/interrupts
check_text "intx: so has the guest" "SLUICE-GUEST: irq eth0 [1-9]" "$work/out"
check "intx: the guest's ends of interrupts reach us" test "$(jq '.exits.eoi' "$work/stat")" -gt 50
back intx

# The same with the I/O APIC in the kernel: the level goes from VFIO to KVM, its end from KVM to VFIO.
whole intx 1 pci=nomsi --irqchip kernel
check_text "intx, KVM's I/O APIC: so has the guest" "SLUICE-GUEST: irq eth0 [1-9]" "$work/out"
check "intx, KVM's I/O APIC: no end of interrupt reaches us" test "$(jq '.exits.eoi' "$work/stat")" = 0
check "intx, KVM's I/O APIC: nor does a level" test "$(jq '.devices[0].intx' "$work/stat")" = 0
check "intx, KVM's I/O APIC: vm stat says so" test "$(jq -r '.devices[0].path' "$work/stat")" = remapped
back intx

whole msi-x 2 ""
check_text "msi-x: the host has vectors for it" "IR-PCI-MSIX.*vfio-msix\[1\]\($nic\)" /proc/interrupts
check_text "msi-x: so has the guest" "SLUICE-GUEST: irq eth0-.* [1-9]" "$work/out"
check "msi-x: no interrupt takes the way through us" test "$(jq '.exits.eoi' "$work/stat")" -lt 50
back msi-x
finish
