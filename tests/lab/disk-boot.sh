#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --disk --timeout 400
#
# A disk with an installed Debian, as people have them, boots unattended to its login prompt: by SeaBIOS
# and GRUB from its boot sector, by OVMF and GRUB from its EFI partition. What UEFI has written
# into its variables is there afterwards; a machine with firmware is saved and restored as any other.
. tests/lab/lib.sh

modprobe virtio_blk
wait_for 10 test -b "$LAB_DISK"

at_login() { # NAME
	[[ $(said "$1") == *"login: "* ]]
}

# type NAME TEXT...: on the guest's console, as a person does who waits for each answer.
type_in() {
	local name=$1 line
	shift
	for line; do
		printf '%s\n' "$line"
		sleep 1
	done | timeout 60 sluice vm console "$name" >>"$work/typed" 2>&1
}

ends() { # NAME
	! sluice vm list | grep -q "$1 .*running"
}

say_so() { # TEXT NAME
	[[ $(said "$2") == *"$1"* ]]
}

boot_disk() { # NAME OPTION...
	local name=$1 start=$SECONDS
	shift
	check "$name: started" sluice vm run "$name" --memory 512M --disk "$LAB_DISK" --detach "$@"
	check "$name: login prompt" wait_for 180 at_login "$name"
	said "$name" >"$work/console"
	check_text "$name: GRUB was there" "GRUB: starting Debian" "$work/console"
	echo "#: $name: $((SECONDS - start)) s to the login prompt"
}

boot_disk bios --firmware bios
type_in bios root "poweroff"
check "bios: a command typed at the prompt turns it off" wait_for 60 ends bios

vars=$work/vars.fd
cp /usr/share/OVMF/OVMF_VARS_4M.fd "$vars"
boot_disk uefi --firmware "uefi,vars=$vars" --cpus 2
check "uefi: boot options are in the store of variables" grep -q "B.o.o.t.O.r.d.e.r" "$vars"
check "uefi: saved" sluice vm save uefi "$work/saved"
check "uefi: restored" sluice vm restore "$work/saved" --detach
type_in uefi root "nproc; cat /sys/devices/system/clocksource/*/current_clocksource" \
	"dmesg | grep -c unstable; ls /sys/firmware"
said uefi >"$work/console"
check_text "uefi: goes on after the restore, with UEFI's tables" "efi" "$work/console"
cat -v "$work/console" | tail -20 | sed 's/^/# /'
sluice vm stop uefi --force >/dev/null 2>&1
finish
