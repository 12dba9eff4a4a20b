# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# In the guest of tests/lab/lifecycle.sh: says, a few times a second, a number that it keeps in a file in its
# memory, what its clock source is, and that number as it has gone through its disk. Asked for the time, with a
# word on the console, it answers with that word and what its clocks show, the host's among them where it has it.
while read -r word; do
	read -r up _ </proc/uptime
	echo "TIME $word $up $(date +%s) $([ ! -e /dev/ptp0 ] || /ptptime /dev/ptp0)"
done </dev/console &
if [ -e /sys/class/net/eth0 ]; then # one connection, for as long as the host holds it
	ip link set eth0 up
	ip addr add 192.168.78.2/24 dev eth0
	(i=0 && while usleep 100000; do i=$((i + 1)) && echo $i; done) | nc 192.168.78.1 7003 >/heard &
fi
n=0
while [ $n -lt 100000 ]; do
	n=$((n + 1))
	echo $n >/counter
	disk=none
	if [ -b /dev/vda ]; then
		printf %08d $n | dd of=/dev/vda bs=8 count=1 conv=notrunc,fsync 2>/dev/null
		echo 1 >/proc/sys/vm/drop_caches
		disk=$(dd if=/dev/vda bs=8 count=1 2>/dev/null)
	fi
	source=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)
	echo "COUNT $(cat /counter) $source $disk"
	usleep 200000
done
