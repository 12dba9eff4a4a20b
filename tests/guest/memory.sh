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
	fill) # more than it had at first, in memory that can be moved
		mkdir -p /fill
		mount -t tmpfs -o size=400m fill /fill
		yes 0123456789abcdef | head -c 300000000 >/fill/data
		say "filled $(md5sum </fill/data)"
		;;
	sum) say "sum $(md5sum </fill/data)" ;;
	empty) umount /fill && say "empty" ;;
	esac
done </dev/console &
before=0
while :; do
	total=$(awk '/^MemTotal/ { print int(($2 + 131071) / 131072) * 128 }' /proc/meminfo)
	[ "$total" = "$before" ] || say "has $total"
	before=$total
	usleep 200000
done
