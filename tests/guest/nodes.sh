# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# nodes: /run.sh of a guest that says what it knows of its NUMA nodes.

for node in /sys/devices/system/node/node[0-9]*; do
	echo "SLUICE-GUEST: ${node##*/} cpus $(cat "$node/cpulist") distance $(cat "$node/distance") kib $(
		sed -n 's/.*MemTotal: *\([0-9]*\) kB/\1/p' "$node/meminfo")"
done
for nic in /sys/class/net/*/device/numa_node; do
	[ ! -e "$nic" ] || echo "SLUICE-GUEST: nic on node $(cat "$nic")"
done
echo "SLUICE-GUEST: $(grep -m 1 'address sizes' /proc/cpuinfo)"
