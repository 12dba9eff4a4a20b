#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 900
#
# A disk comes to a running guest and goes again, SLUICE_ROUNDS times (6), while it is read: its lock, its
# descriptors and its slot are free afterwards.
. tests/lab/lib.sh

rounds=${SLUICE_ROUNDS:-6}
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module button --module evdev --module virtio_pci --module virtio_blk \
	--init tests/guest/disk-hotplug.sh "$work/guest.cpio"
export LAB_INITRD=$work/guest.cpio
truncate -s 8M "$work/data.img" "$work/other.img"
said_all() {
	grep -qF "SLUICE-GUEST: $1" "$work/out"
}
descriptors() {
	find "/proc/$(pgrep -x sluice-vmm)/fd" -mindepth 1 | wc -l
}

before=$(host_state)
sluice vm run web --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" --append "console=ttyS0 quiet panic=-1" \
	--cpus 2 --memory 256M </dev/null >"$work/out" 2>&1 &
job=$!
check "the guest is up" wait_for 60 said_all "memory"
sleep 2
sluice vm events web >"$work/events" 2>&1 &
failed=0
for ((i = 1; i <= rounds; i++)); do
	sluice vm attach web --disk "$work/data.img,serial=ROUND$i" >"$work/said" 2>&1 || failed=$((failed + 1))
	sed "s/^/#: round $i: /" "$work/said"
	wait_for 10 said_all "disk $i ROUND$i 16384" || failed=$((failed + 1))
	wait_for 10 said_all "pattern $i ok" || failed=$((failed + 1))
	if [ $i = 1 ]; then
		refused 1 "in use by" "attached: its image is locked" sluice vm attach web --disk "$work/data.img"
		check "attached: vm show has it" sh -c "sluice vm show web --json | jq -e '.disks | length == 1'"
	fi
	sluice vm detach web "ROUND$i" >"$work/said" 2>&1 || failed=$((failed + 1))
	sed "s/^/#: round $i: /" "$work/said"
	wait_for 10 said_all "gone $i" || failed=$((failed + 1))
	[ $i != 1 ] || held=$(descriptors)
done
check "all $rounds rounds went well" test $failed = 0
check "no descriptor is left" test "$(descriptors)" = "$held"
refused 1 "no disk" "detach of what is not there" sluice vm detach web "$work/other.img"
check "events tell of it" sh -c "test \$(grep -c plugged $work/events) -ge $rounds -a \$(grep -c ejected $work/events) -ge $rounds"

# As many as there are slots, and no more; then all at once.
for ((i = 1; i <= 4; i++)); do
	truncate -s 8M "$work/disk$i.img"
	check "slot $i is filled" sluice vm attach web --disk "$work/disk$i.img"
done
refused 1 "hotplug-ports" "a fifth finds none" sluice vm attach web --disk "$work/other.img"
check "vm stop" sluice vm stop web
wait $job
unchanged "everything is as before" "$before"
finish
