#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology nvme --timeout 420
#
# NVMe VFs: the controller lets its spare queues go, a VF gets queues and interrupts and goes online,
# and a guest that it is handed to writes and reads back 100 MiB.
. tests/lab/lib.sh

modprobe nvme
check "the controller has a disk" wait_for 30 test -b /dev/nvme0n1
pf=$(sluice pf list --json | jq -r '.[] | select(.driver == "nvme") | .address')
pf_show() { # KEY
	sluice pf show "$pf" --json | jq -r ".$1"
}
vf_show() { # KEY [VF]
	sluice vf show "$pf/${2:-0}" --json | jq -r ".$1"
}

check "the controller is a PF" test -n "$pf"
sluice pf show "$pf" >"$work/show"
sed 's/^/# /' "$work/show"
check_text "its settings are asked of it" "settings of VFs +nvme-interrupts,nvme-queues" "$work/show"
check_text "network settings are not possible" "not possible .*mac" "$work/show"
check_text "its identity has a serial number" "identity .*nvme:lab0|identity .*dsn:" "$work/show"
check "its 8 spare queues are free" test "$(pf_show nvme_queues)/$(pf_show nvme_queues_free)" = 8/8

# ---- what the controller keeps for itself changes by a reset, which a disk in use forbids ----
disk=nvme0n1
mkdir "$work/mnt"
check "a disk is made" mkfs.ext4 -q /dev/$disk
check "and mounted" mount /dev/$disk "$work/mnt"
refused 1 "mounted on $work/mnt" "a mounted disk is not reset" sluice pf set "$pf" --nvme-keep 6
check "the disk is unmounted" umount "$work/mnt"
check "the controller keeps 6" sluice pf set "$pf" --nvme-keep 6
check "2 are free" test "$(pf_show nvme_queues_free)/$(pf_show nvme_interrupts_free)" = 2/2
check "the disk is still there" sh -c "dd if=/dev/$disk bs=4096 count=1 iflag=direct 2>/dev/null | wc -c | grep -qx 4096"

# ---- a VF gets what it needs ----
check "VFs are made" sluice vf create "$pf" --count 2
refused 1 "at most 2" "more queues than a VF can have" sluice vf set "$pf/0" --nvme-queues 3
check "queues and interrupts" sluice vf set "$pf/1" --nvme-queues 2 --nvme-interrupts 2
refused 1 "0 of 8 can be had: other VFs have 2, the controller itself keeps 6 until" "more than are left" \
	sluice vf set "$pf/0" --nvme-queues 2
refused 1 "keeps what it has while it has VFs" "no reset under VFs" sluice pf set "$pf" --nvme-keep 0
check "VFs are removed" sluice vf destroy "$pf"
check "the controller keeps none" sluice pf set "$pf" --nvme-keep 0
check "VFs are made again" sluice vf create "$pf" --count 2
check "queues and interrupts" sluice vf set "$pf/0" --nvme-queues 2 --nvme-interrupts 2
check "they are told" test "$(vf_show nvme_queues)/$(vf_show nvme_interrupts)" = 2/2
sluice vf show "$pf/0" | sed 's/^/# /'

# ---- a guest works with it ----
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module button --module evdev --module nvme --init tests/guest/nvme.sh "$work/guest.cpio"
made=$(host_state)
LAB_INITRD=$work/guest.cpio
guest store "" --memory 192M --vf "$pf/0" >"$work/out" 2>&1
check "the guest ends, status 0" test $? = 0
check_text "the guest wrote and read back 100 MiB" "SLUICE-GUEST: read back 100 MiB" "$work/out"
check_text "by the VF" "SLUICE-GUEST: disk model QEMU NVMe" "$work/out"
unchanged "everything is as before the VM" "$made"
check "what the guest wrote is on the disk" sh -c \
	"dd if=/dev/$disk bs=1M skip=90 count=1 iflag=direct 2>/dev/null | grep -q 'part 9 of what the guest wrote'"
check "its queues are taken back" sluice vf set "$pf/0" --nvme-queues 0 --nvme-interrupts 0
check "all are free" test "$(pf_show nvme_queues_free)" = 8
check "VFs are destroyed" sluice vf destroy "$pf"
finish
