# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# memory: /run.sh of a guest whose memory comes and goes: says how much it has (MiB, rounded up from what the
# kernel keeps for itself) whenever that changes, fills what it is told to, and uses its NIC when one comes.

say() {
	echo "SLUICE-GUEST: $*"
}
before=0 nic=
while :; do
	total=$(awk '/^MemTotal/ { print int(($2 + 131071) / 131072) * 128 }' /proc/meminfo)
	[ "$total" = "$before" ] || say "has $total"
	if [ "$total" -gt 400 ] && [ "$before" -le 400 ]; then
		mkdir -p /fill
		mount -t tmpfs -o size=300m fill /fill
		yes 0123456789abcdef | head -c 200000000 >/fill/data # more than it had at first
		say "filled $(md5sum </fill/data)"
	fi
	before=$total
	if [ -z "$nic" ] && [ -e /sys/class/net/eth0/device ]; then
		nic=eth0
		ip addr add 10.0.2.15/24 dev eth0
		ip link set eth0 up
		until [ "$(cat /sys/class/net/eth0/carrier 2>/dev/null)" = 1 ]; do
			usleep 20000
		done
		ping -q -A -c 20 -W 5 10.0.2.2 >/dev/null 2>&1 && say "ping ok"
	fi
	if grep -q clean /proc/cmdline && [ -e /fill/data ] && [ -n "$nic" ]; then
		say "still $(md5sum </fill/data)"
		umount /fill
		rmdir /fill
		say "empty"
	fi
	usleep 200000
done
