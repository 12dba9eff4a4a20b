# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# hotplug: /run.sh of a guest whose NIC comes and goes: for each it says what came, pings through it, keeps
# it busy, and says when it is gone. Arguments of the kernel: hp.rounds=N ends after N of them.

say() {
	echo "SLUICE-GUEST: $*"
}

nic() {
	for device in /sys/class/net/*/device; do
		[ ! -e "$device" ] || { device=${device%/device} && echo "${device##*/}" && return; }
	done
}

round=0
while :; do
	name=$(nic)
	if [ -z "$name" ]; then
		usleep 10000
		continue
	fi
	round=$((round + 1))
	say "nic $round $name $(cat "/sys/class/net/$name/address")"
	ip addr add 10.0.2.15/24 dev "$name"
	ip link set "$name" up
	until [ "$(cat "/sys/class/net/$name/carrier" 2>/dev/null)" = 1 ] || [ ! -e "/sys/class/net/$name" ]; do
		usleep 20000
	done
	if ping -q -A -c 5 -W 5 10.0.2.2 >/dev/null 2>&1; then
		say "ping $round ok"
	else
		say "ping $round failed"
	fi
	ping -q -A 10.0.2.2 >/dev/null 2>&1 &
	while [ -e "/sys/class/net/$name" ]; do
		usleep 20000
	done
	kill $!
	say "gone $round"
done
