#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --disk --timeout 1800
#
# A disk with an installed Debian, as people have them, boots unattended to its login prompt: by SeaBIOS
# and GRUB from its boot sector, by OVMF and GRUB from its EFI partition. What UEFI has written
# into its variables is there afterwards; a machine with firmware is saved and restored as any other.
# SLUICE_CPUS="1 2 4" boots by UEFI with each of these numbers of CPUs.
. tests/lab/lib.sh

modprobe virtio_blk
check "the disk is there" wait_for 10 test -b "$LAB_DISK"

says() { # NAME TEXT: somewhere on the guest's console
	[[ $(said "$1") == *"$2"* ]]
}

# type_in DESCRIPTION NAME LINE TEXT: on the guest's console, and waits for the answer.
type_in() {
	echo "$3" | timeout 20 sluice vm console "$2" >/dev/null 2>&1
	check "$1" wait_for 90 says "$2" "$4"
}

# A VM that was told to turn itself off: its supervisor has gone, and so has its entry.
gone() { # NAME
	! sluice vm list --json | jq -e --arg name "$1" '.[] | select(.name == $name)'
}

boot_disk() { # NAME OPTION...
	local name=$1 start=$SECONDS
	shift
	check "$name: started" sluice vm run "$name" --memory 512M --disk "$LAB_DISK" --detach "$@"
	check "$name: login prompt" wait_for 400 says "$name" "login: "
	check "$name: GRUB was there" says "$name" "GRUB: starting Debian"
	check "$name: ACPI's fixed events are there" test -z "$(said "$name" | grep "ACPI Error")"
	echo "#: $name: $((SECONDS - start)) s to the login prompt"
	type_in "$name: root logs in" "$name" root "root@sluice-disk"
}

boot_disk bios --firmware bios
echo poweroff | timeout 20 sluice vm console bios >/dev/null 2>&1
check "bios: turned off from inside" wait_for 90 gone bios

vars=$work/vars.fd
cp /usr/share/OVMF/OVMF_VARS_4M.fd "$vars"
for cpus in ${SLUICE_CPUS:-2}; do
	uefi=uefi-$cpus
	boot_disk "$uefi" --firmware "uefi,vars=$vars" --cpus "$cpus"
	type_in "$uefi: it has its CPUs" "$uefi" "echo it-has \$(nproc)" "it-has $cpus"
	check "$uefi: saved" sluice vm save "$uefi" "$work/saved"
	check "$uefi: boot options are in the store of variables" \
		env LC_ALL=C grep -qaP 'B\0o\0o\0t\0O\0r\0d\0e\0r' "$vars"
	check "$uefi: restored" sluice vm restore "$work/saved" --detach
	type_in "$uefi: it goes on, and distrusts no clock" "$uefi" \
		"echo unstable=\$(dmesg | grep -c -i unstable)" "unstable=0"
	type_in "$uefi: runtime services are there" "$uefi" "ls /sys/firmware/efi/efivars | grep Order" "BootOrder-"
	check "$uefi: vm stop --force" sluice vm stop "$uefi" --force
	rm "$work/saved"
done
finish
