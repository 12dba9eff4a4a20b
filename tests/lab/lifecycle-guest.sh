# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# In the guest of tests/lab/lifecycle.sh: says, about five times a second, what its clocks show, and a number
# that it keeps in a file in its memory.
n=0
while [ $n -lt 100000 ]; do
	n=$((n + 1))
	echo $n >/counter
	read -r up _ </proc/uptime
	echo "CLOCK $(cat /counter) $up $(date +%s) $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
	usleep 200000
done
