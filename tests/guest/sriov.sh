# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# sriov: /run.sh of a guest with a VF that comes and goes: for each it says its MAC, whether it may take
# another, and whom it reaches. Arguments of the kernel: sriov.me=ADDRESS/LEN, sriov.peers=ADDRESS,ADDRESS.

say() {
	echo "SLUICE-GUEST: $*"
}
nic() {
	for device in /sys/class/net/*/device; do
		[ ! -e "$device" ] || { device=${device%/device} && echo "${device##*/}" && return; }
	done
}
value() {
	sed -n "s/.*sriov\\.$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline
}

round=0
while :; do
	name=$(nic)
	if [ -z "$name" ]; then
		usleep 20000
		continue
	fi
	round=$((round + 1))
	mac=$(cat "/sys/class/net/$name/address")
	# The card keeps the address that the host gave it; the driver learns that when it asks.
	ip link set "$name" up
	ip link set "$name" address 02:00:00:00:66:66 2>/dev/null
	say "nic $round mac $mac then $(cat "/sys/class/net/$name/address")"
	ip link set "$name" address "$mac" 2>/dev/null
	ip addr add "$(value me)" dev "$name"
	until [ "$(cat "/sys/class/net/$name/carrier" 2>/dev/null)" = 1 ] || [ ! -e "/sys/class/net/$name" ]; do
		usleep 20000
	done
	for peer in $(value peers | tr ',' ' '); do
		if ping -q -c 4 -W 4 "$peer" >/dev/null 2>&1; then
			say "peer $round $peer reached"
		else
			say "peer $round $peer silent"
		fi
	done
	say "done $round"
	while [ -e "/sys/class/net/$name" ]; do
		usleep 50000
	done
done
