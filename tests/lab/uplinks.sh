#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 300
#
# What leads out of the switch: a VF that DPDK's igb driver runs, and a bond whose other end is the
# kernel's (LACP).
. tests/lab/lib.sh

for module in tun veth bonding vfio-pci; do modprobe $module; done

# ---- a VF ----
pf=$(pf)
check "a VF is made" sluice vf create "$pf" --count 1
vf=$(vf_bdf "$pf" 0)
ip link set "$pf" up
ip link set "$pf" vf 0 mac 02:00:00:00:77:01
give() { # BDF DRIVER
	[ ! -e "/sys/bus/pci/devices/$1/driver" ] || echo "$1" >"/sys/bus/pci/devices/$1/driver/unbind"
	echo "$2" >"/sys/bus/pci/devices/$1/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
}
echo 96 >/proc/sys/vm/nr_hugepages
check "the switch starts" sluice switch start --hugepages --pci --memory 64M --buffers 4096 --sleep 1000
check "a bridge" sluice switch bridge br0 --add
check "a bridge for the VF" sluice switch bridge out --add
refused 1 "is it bound to vfio-pci" "a VF that the kernel has" \
	sluice switch port vf0 --add --bridge out --to "pci:$vf"
give "$vf" vfio-pci
check "the VF becomes a port" sluice switch port vf0 --add --bridge out --to "pci:$vf"
check "a tap beside it" sluice switch port wire --add --bridge out --to tap:sw-out
check "it has a link" wait_for 20 sh -c "sluice switch port vf0 --json | jq -e .up"
sluice switch port vf0 --json >"$work/vf"
check_text "by DPDK's driver" "igb" "$work/vf"
check "the VF goes" sluice switch port vf0 --remove
check "and comes back" sluice switch port vf0 --add --bridge out --to "pci:$vf"
check "the VF is left" sluice switch port vf0 --remove

# ---- a bond, with the kernel's at the other end ----
ip netns add far
for n in 0 1; do
	ip link add up$n type veth peer name far$n netns far
	ip link set up$n up
	check "uplink $n" sluice switch port up$n --add --to af_packet:up$n
done
check "a bond" sluice switch bond uplink --add --bridge br0 --members up0,up1 --mode lacp
ip -n far link add bond0 type bond mode 802.3ad miimon 100 lacp_rate fast
for n in 0 1; do ip -n far link set far$n master bond0; done
ip -n far addr add 192.168.77.9/24 dev bond0
ip -n far link set bond0 up
check "both ends agree on both links" wait_for 30 sh -c \
	"sluice switch bond uplink --json | jq -e 'map(.in_use) == [true, true]'"
ip netns exec far cat /proc/net/bonding/bond0 >"$work/bonding"
sluice switch bond uplink >"$work/bond"
check_text "the kernel knows us" "Partner Mac Address: 02:" "$work/bonding"
check "in one aggregator" test "$(grep -c "Number of ports: 2" "$work/bonding")" = 1
check_text "and we it" "distributing, with" "$work/bond"

# ---- a cable is pulled, and a switch that is killed comes back with its bond ----
ip -n far link set far0 down
check "one link is left" wait_for 20 sh -c \
	"sluice switch bond uplink --json | jq -e 'map(.in_use) == [false, true]'"
check "the tap moves into the bridge" sh -c \
	"sluice switch port wire --remove && sluice switch port host --add --bridge br0 --to tap:sw-host"
ip link set sw-host up
ip addr add 192.168.77.8/24 dev sw-host
check "and reaches the other side" wait_for 20 busybox ping -c 3 -W 5 192.168.77.9
ip -n far link set far0 up
check "the link is used again" wait_for 30 sh -c \
	"sluice switch bond uplink --json | jq -e 'map(.in_use) == [true, true]'"
kill -9 "$(sluice switch show --json | jq .pid)"
check "it is dead" wait_for 30 sh -c '! sluice switch show'
check "it starts again" sluice switch start
check "with its bond" wait_for 30 sh -c \
	"sluice switch bond uplink --json | jq -e 'map(.in_use) == [true, true]'"

check "the bond goes" sluice switch bond uplink --remove
check "the switch stops" sluice switch stop
echo 0 >/proc/sys/vm/nr_hugepages
give "$vf" ""
check "the VF is destroyed" sluice vf destroy "$pf"
finish
