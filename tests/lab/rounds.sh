#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 600
#
# A hundred starts and stops with a VF: no group, descriptor, VF, process or byte of locked memory may
# be left behind. The guest is tests/guest/tiny.S: it prints a line and powers off.
. tests/lab/lib.sh

rounds=100
pf=$(pf)
check "VFs are made" sluice vf create "$pf" --count 1
vf=$(vf_bdf "$pf" 0)
group=$(basename "$(readlink "/sys/bus/pci/devices/$vf/iommu_group")")
round() {
	timeout 60 sluice vm run tiny --memory 64M --kernel "$SLUICE_BUILD/guest/tiny" \
		--vf "$pf/0:mac=02:00:00:00:03:01" </dev/null
}
locked() {
	awk '/^(Mlocked|Unevictable):/ { n += $2 } END { print n }' /proc/meminfo
}
# The kernel counts per processor and adds up once a second; stat_refresh makes it add up now.
pinned() {
	echo 1 >/proc/sys/vm/stat_refresh
	awk '$1 ~ /^nr_foll_pin_(acquired|released)$/ { v[$1] = $2 }
		END { print v["nr_foll_pin_acquired"] - v["nr_foll_pin_released"] }' /proc/vmstat
}
# MemFree leaves out the pages that each processor keeps on its own list of free ones: up to an eighth
# of a zone (6.7 and newer), so after a guest of 64 MiB that is what moves.
free_kib() {
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/stat_refresh
	awk '/^MemFree:/ { n += $2 } $1 == "count:" { n += 4 * $2 } END { print n }' \
		/proc/meminfo /proc/zoneinfo
}
# What the kernel frees later (RCU, work queues) is not leaked: what is leaked stays gone.
little_is_gone() {
	for ((i = 0; i < 20; i++)); do
		[ $((free_before - $(free_kib))) -lt 4096 ] && return 0
		sleep 0.5
	done
	diff "$work/meminfo" /proc/meminfo
	return 1
}

check "the first round works" round
before=$(host_state) locked_before=$(locked) pinned_before=$(pinned) free_before=$(free_kib)
cp /proc/meminfo "$work/meminfo"
files_before=$(cut -f 1 /proc/sys/fs/file-nr)
failed=0
for ((i = 0; i < rounds; i++)); do
	round >"$work/out" 2>&1 || failed=$((failed + 1))
	grep -q 'tiny guest: up' "$work/out" || failed=$((failed + 1))
done
check "all $rounds rounds ran" test $failed = 0
[ $failed = 0 ] || sed 's/^/#   /' "$work/out"
unchanged "the host is as before" "$before"
check "no locked memory is left" test "$(locked)" = "$locked_before"
check "no page is left pinned" test "$(pinned)" = "$pinned_before"
# A leaked guest would be 64 MiB, one leaked page a round 400 KiB; the noise seen is 0.5 MiB.
check "less than 4 MiB of free memory is gone" little_is_gone
echo "# free memory before $free_before KiB, after $(free_kib) KiB; pinned pages $pinned_before, $(pinned)"
check "no file is left open" test $(($(cut -f 1 /proc/sys/fs/file-nr) - files_before)) -lt 64
check "nobody has the group open" test -z "$(find /proc/[0-9]*/fd -lname "/dev/vfio/$group" 2>/dev/null)"
check "the group can be opened" sh -c "exec 3<>/dev/vfio/vfio"
check "VFs are destroyed" sluice vf destroy "$pf"
finish
