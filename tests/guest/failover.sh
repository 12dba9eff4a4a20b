# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# failover: /run.sh of a guest whose virtio NIC stands by for a VF. Linux makes one interface of both
# (net_failover); this gives it the address failover.me=ADDRESS/LEN, asks failover.peer=ADDRESS five times a
# second, and says it whenever another NIC carries it: the path, and how many answers were missing so far.

say() {
	echo "SLUICE-GUEST: $*"
}
value() {
	sed -n "s/.*failover\\.$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline
}
# The interface that stands for both.
master() {
	for name in /sys/class/net/*/master; do
		[ ! -e "$name" ] || { name=$(readlink "$name") && echo "${name##*/}" && return; }
	done
}
# vf: igbvf has a NIC below it, with link.
path() {
	for name in /sys/class/net/*/master; do
		name=${name%/master}
		case $(readlink "$name/device/driver") in
		*/igbvf) [ "$(cat "$name/carrier" 2>/dev/null)" != 1 ] || { echo vf && return; } ;;
		esac
	done
	echo standby
}

until [ -n "$(master)" ]; do
	usleep 50000
done
nic=$(master)
say "master $nic mac $(cat "/sys/class/net/$nic/address")"
ip addr add "$(value me)" dev "$nic"
ip link set "$nic" up
peer=$(value peer) told='' sent=0 lost=0
while :; do
	sent=$((sent + 1))
	now=$(path)
	if ping -q -c 1 -W 1 "$peer" >/dev/null 2>&1; then
		[ "$told" = "$now" ] || say "path $now, $lost of $sent lost"
		told=$now
	else
		lost=$((lost + 1))
	fi
	usleep 200000
done
