# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# memory: /run.sh of a guest whose memory comes and goes. It says how much it has (in steps of 128 MiB, with what
# the kernel keeps for itself) whenever that changes, and obeys words on its console.

say() {
	echo "SLUICE-GUEST: $*"
}
while read -r word; do
	case $word in
	fill) # memory that can be moved is taken from what came last
		mkdir -p /fill
		mount -t tmpfs fill /fill
		head -c 1000000 /dev/urandom >/fill/data
		for _ in 1 2 3 4 5 6; do
			cat /fill/data /fill/data >/fill/more
			mv /fill/more /fill/data
		done
		say "filled $(md5sum </fill/data)"
		;;
	sum) say "sum $(md5sum </fill/data)" ;;
	empty) umount /fill && say "empty" ;;
	esac
done </dev/console &
say "srat $(dmesg | grep -c "SRAT: Node 0 .* hotplug")"
before=0
while :; do
	total=$(awk '/^MemTotal/ { print int(($2 + 131071) / 131072) * 128 }' /proc/meminfo)
	[ "$total" = "$before" ] || say "has $total"
	before=$total
	usleep 200000
done
