# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# cpus: /run.sh of a guest whose CPUs come and go: it takes those that come into use, and says how many it has
# whenever that changes.

last=0
while :; do
	for online in /sys/devices/system/cpu/cpu*/online; do
		[ ! -e "$online" ] || [ "$(cat "$online")" = 1 ] || echo 1 >"$online"
	done
	now=$(nproc)
	[ "$now" = "$last" ] || echo "SLUICE-GUEST: has $now cpus"
	last=$now
	usleep 100000
done
