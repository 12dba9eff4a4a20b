#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 420
#
# Guests with many CPUs, and what a kernel says about our ACPI tables.
. tests/lab/lib.sh

# It needs no modules but that of the power button.
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module button --module evdev "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio
before=$(host_state)

# ---- what a kernel says about us ----
boot "4 CPUs" timeout 120 sluice vm run facts --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" \
	--append "console=ttyS0 panic=-1" --cpus 4 --memory 256M </dev/null
check_text "every CPU is found" "Brought up 1 node, 4 CPUs" "$work/out"
check_text "and is there in user space" "SLUICE-GUEST: cpus 4" "$work/out"
check_text "the ECAM window is found" "PCI: ECAM \[mem 0x[0-9a-f]+-0x[0-9a-f]+\].*bus 00" "$work/out"
check_text "and is reserved" "system 00:.*mem 0xe0000000-0xefffffff\] has been reserved" "$work/out"
check_text "_OSC hands PCI Express over" "_OSC: OS now controls \[.*PCIe" "$work/out"
check_text "the power button is found" "Power Button \[PWR" "$work/out"
check "no complaint about firmware" sh -c \
	"! grep -E 'ACPI (BIOS )?(Error|Warning)|Firmware Bug' $work/out >&2"

# ---- Debian 12's kernel, which is older than the lab's ----
check "a guest of Debian 12 is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--kernel kernel-6.1 --bare --module button --module evdev --module virtio_pci --module virtio_blk \
	--init tests/guest/old-kernel.sh "$work/old.cpio"
truncate -s 64M "$work/disk"
boot "Linux 6.1" timeout 120 sluice vm run old --kernel "$LAB_OLD_KERNEL" --initrd "$work/old.cpio" \
	--append "console=ttyS0 panic=-1" --cpus 2 --memory 256M --disk "$work/disk" --numa any,cpus=0 \
	--numa any,cpus=1 </dev/null
check_text "it is that kernel" "SLUICE-GUEST: kernel 6\.1\." "$work/out"
check_text "with both CPUs" "SLUICE-GUEST: cpus 2" "$work/out"
check_text "and both NUMA nodes" "SLUICE-GUEST: nodes 0-1" "$work/out"
check_text "and the disk, which it reads" "SLUICE-GUEST: disk 131072 sectors, read 1048576" "$work/out"
check "no complaint about firmware from it" sh -c \
	"! grep -E 'ACPI (BIOS )?(Error|Warning)|Firmware Bug' $work/out >&2"

# ---- many CPUs ----
# tiny does not wake the other CPUs, but all 64 threads wait in KVM when it ends.
timeout 60 sluice vm run many --kernel "$SLUICE_BUILD/guest/tiny" --cpus 64 --memory 512M \
	</dev/null >"$work/out" 2>&1
check "64 CPUs, tiny guest: status 0" test $? = 0
check_text "64 CPUs, tiny guest: it ran" "tiny guest: up" "$work/out"
# Linux wakes each: on an emulated host 64 of them need more than two minutes, so 16 must do.
boot "16 CPUs" guest crowd "" --cpus 16 --memory 512M
check_text "16 CPUs: the guest has them all" "SLUICE-GUEST: cpus 16" "$work/out"
unchanged "everything is as before the VMs" "$before"
finish
