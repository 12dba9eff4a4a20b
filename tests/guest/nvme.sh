# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# nvme: /run.sh of a guest with an NVMe disk: writes 100 MiB, forgets what it has in memory, and reads them back.

say() {
	echo "SLUICE-GUEST: $*"
}
# 10 MiB that are like no other part's
part() {
	printf '%-4096s' "part $1 of what the guest wrote"
	cat /base
}

tries=600
until [ -b /dev/nvme0n1 ]; do
	tries=$((tries - 1))
	if [ $tries = 0 ]; then
		say "disk missing"
		dmesg | grep -i nvme | tail -n 5
		exit
	fi
	usleep 50000
done
yes "and what all parts have" | head -c 10481664 >/base
say "disk model $(cat /sys/class/nvme/nvme0/model)"
for i in 0 1 2 3 4 5 6 7 8 9; do
	part $i | dd of=/dev/nvme0n1 bs=1M seek=$((10 * i)) conv=notrunc iflag=fullblock 2>/dev/null
done
sync
echo 3 >/proc/sys/vm/drop_caches
good=0
for i in 0 1 2 3 4 5 6 7 8 9; do
	got=$(dd if=/dev/nvme0n1 bs=1M skip=$((10 * i)) count=10 2>/dev/null | md5sum)
	[ -n "$got" ] && [ "$got" = "$(part $i | md5sum)" ] && good=$((good + 10))
done
say "read back $good MiB"
