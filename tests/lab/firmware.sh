#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 180
#
# Booting by firmware: files that are no whole firmware, or no whole store of variables, are refused by
# name and reason; SeaBIOS finds its machine (memory, processors, ACPI and SMBIOS tables, clock) and
# looks for a disk.
. tests/lab/lib.sh

code=/usr/share/OVMF/OVMF_CODE_4M.fd
vars=/usr/share/OVMF/OVMF_VARS_4M.fd
bios=/usr/share/seabios/bios-256k.bin
if ! [ -e $code ] || ! [ -e $bios ]; then
	echo "ok - # SKIP ovmf and seabios are not installed"
	finish
fi

# A byte of a copy is changed: FILE COPY OFFSET
spoil() {
	cp "$1" "$2"
	printf '\1' | dd of="$2" bs=1 seek="$3" conv=notrunc status=none
}

head -c 3000000 $code >"$work/short_CODE.fd"
spoil $code "$work/spoilt_CODE.fd" 20
head -c 100000 $vars >"$work/short.fd"
spoil $vars "$work/spoilt.fd" $((0x5d))
head -c 100000 $bios >"$work/short.bin"

starts_not() { # FIRMWARE
	timeout 30 sluice vm run refused --memory 64M --firmware "$1" </dev/null
}

check_refusal() { # DESCRIPTION REGEX FIRMWARE
	starts_not "$3" >"$work/out" 2>&1
	check "$1: status 1" test $? = 1
	check_text "$1: name and reason" "$2" "$work/out"
	sluice vm stop refused >/dev/null 2>&1
}
check_refusal "truncated UEFI firmware" "short_CODE.fd: refused as firmware: .*truncated" \
	"$work/short_CODE.fd,vars=$vars"
check_refusal "corrupt UEFI firmware" "spoilt_CODE.fd: refused as firmware: .*corrupt" \
	"$work/spoilt_CODE.fd,vars=$vars"
check_refusal "truncated store of variables" "short.fd: refused as store .*truncated" \
	"uefi,vars=$work/short.fd"
check_refusal "corrupt store of variables" "spoilt.fd: refused as store .*corrupt" \
	"uefi,vars=$work/spoilt.fd"
check_refusal "truncated BIOS" "short.bin: refused as firmware: .*truncated" "$work/short.bin"
check_refusal "no such firmware" "/nowhere not opened: No such file" /nowhere
starts_not() {
	timeout 30 sluice vm run refused --memory 64M --firmware "$1" --kernel "$LAB_KERNEL" </dev/null
}
check_refusal "a BIOS and a kernel" "a BIOS starts disks, no kernel" bios

SLUICE_LOG=debug sluice vm run legacy --firmware bios --memory 256M --cpus 2 --detach >/dev/null 2>&1
check "SeaBIOS: started" test $? = 0
log=/run/sluice/vm/legacy/vmm.log
check "SeaBIOS: looks for a disk, and finds none" wait_for 60 grep -q "No bootable device" $log
check_text "SeaBIOS: knows its machine" "Running on QEMU \(q35\)" $log
check_text "SeaBIOS: reads fw_cfg by DMA" "fw_cfg DMA interface supported" $log
check_text "SeaBIOS: has both processors" "Found 2 cpu\(s\)" $log
check_text "SeaBIOS: took the ACPI tables" "table\(50434146\)=.*xsdt" $log
check_text "SeaBIOS: took the SMBIOS tables" "Copying SMBIOS" $log
check "SeaBIOS: vm stop --force" sluice vm stop legacy --force
finish
