# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# disk-hotplug: /run.sh of a guest whose disk comes and goes: for each it says what came, writes and reads back a
# pattern, reads on until it is gone, and says so.

say() {
	echo "SLUICE-GUEST: $*"
}

round=0
while :; do
	if [ ! -b /dev/vda ]; then
		usleep 10000
		continue
	fi
	round=$((round + 1))
	say "disk $round $(cat /sys/block/vda/serial) $(cat /sys/block/vda/size)"
	dd if=/dev/urandom of=/pattern bs=64k count=4 2>/dev/null
	dd if=/pattern of=/dev/vda bs=64k seek=8 conv=fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	dd if=/dev/vda of=/again bs=64k skip=8 count=4 2>/dev/null
	if cmp /pattern /again; then
		say "pattern $round ok"
	else
		say "pattern $round failed"
	fi
	while [ -b /dev/vda ]; do
		dd if=/dev/vda of=/dev/null bs=64k count=64 2>/dev/null
		echo 3 >/proc/sys/vm/drop_caches
	done
	say "gone $round"
done
