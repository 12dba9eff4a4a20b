#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 200
#
# Every setting that rtnetlink and devlink have, against the kernel's simulated NIC: it has those that the lab's
# other NICs lack, a switch with two modes, and representors. It is no PCI device, so a made-up tree says that it
# is one; the messages go to the real kernel.
. tests/lab/lib.sh

module=$(dirname "$(dirname "$LAB_KERNEL")")/netdevsim/netdevsim.ko
if [ ! -e "$module" ]; then
	echo "netdevsim.ko could not be built on this machine"
	exit 77
fi
modprobe psample
check "netdevsim is loaded" insmod "$module"
echo "10 1" >/sys/bus/netdevsim/new_device
echo 4 >/sys/bus/netdevsim/devices/netdevsim10/sriov_numvfs
nic=$(ls /sys/bus/netdevsim/devices/netdevsim10/net)
check "a simulated NIC with 4 VFs" test -n "$nic"

# tree INTERFACE: a made-up machine with a PF with that interface, and four VFs.
pf=0000:0a:00.0
tree() {
	local devices n
	export SLUICE_SYSFS=$work/$1
	devices=$SLUICE_SYSFS/bus/pci/devices
	mkdir -p "$devices/$pf/net/$1"
	cp "/sys/class/net/$1/address" "$devices/$pf/net/$1/"
	echo 1 >"$devices/$pf/net/$1/carrier"
	echo 0x8086 | tee "$devices/$pf/vendor" >"$devices/$pf/device"
	echo 4 | tee "$devices/$pf/sriov_totalvfs" >"$devices/$pf/sriov_numvfs"
	for n in 0 1 2 3; do
		mkdir -p "$devices/0000:0a:10.$n"
		ln -s "../$pf" "$devices/0000:0a:10.$n/physfn"
		ln -s "../0000:0a:10.$n" "$devices/$pf/virtfn$n"
	done
}
tree "$nic"
shown() { # KEY [VF]
	sluice vf show "$nic/${2:-0}" --json | jq -r ".$1"
}
shown_is() { # KEY VALUE [VF]
	check "$1 is $2" test "$(shown "$1" "${3:-0}")" = "$2"
}

# ---- the settings of rtnetlink ----
sluice pf show "$nic" >"$work/show"
sed 's/^/# /' "$work/show"
check_text "all of rtnetlink's are possible" \
	"settings of VFs +vlan,mac,rate,spoof-check,rss-query,trust,link-state$" "$work/show"
check_text "devlink knows the card" "devlink +netdevsim/netdevsim10" "$work/show"
check_text "its switch is in legacy mode" "switch mode +legacy" "$work/show"
check_text "ports are not there yet" "not known now +.*tx-max" "$work/show"
other=$(sluice vf show "$nic/1" --json)
check "all at once" sluice vf set "$nic/0" --mac 02:00:00:00:0b:00 --vlan 100,qos=5 --vlan-proto 802.1ad \
	--max-rate 1000 --min-rate 100 --spoof-check on --rss-query on --trust on --link-state disable
shown_is mac 02:00:00:00:0b:00
shown_is vlan 100
shown_is qos 5
shown_is vlan_proto 802.1ad
shown_is max_rate 1000
shown_is min_rate 100
shown_is spoof_check true
shown_is rss_query true
shown_is trust true
shown_is link_state disable
check "the kernel says the same" sh -c "ip -d link show $nic | grep 'vf 0 .*02:00:00:00:0b:00' |
	grep 'vlan 100, qos 5, vlan protocol 802.1ad' | grep 'link-state disable' | grep 'trust on' |
	grep 'query_rss on' | grep -q 'max_tx_rate 1000Mbps'"
check "the other VF is as before" test "$(sluice vf show "$nic/1" --json)" = "$other"
check "the same again" sluice vf set "$nic/0" --link-state disable --rss-query on
for state in auto enable; do
	check "link state $state" sluice vf set "$nic/0" --link-state $state
	shown_is link_state $state
done
check "off again" sluice vf set "$nic/0" --rss-query off --trust off --spoof-check off --vlan 0 --vlan-proto 802.1q
shown_is rss_query false
shown_is vlan 0
refused 1 "shows no port for this VF" "a port's rate, in legacy mode" sluice vf set "$nic/0" --tx-max 100

# ---- the switch ----
check "switchdev mode" sluice pf set "$nic" --eswitch switchdev
check "the same again" sluice pf set "$nic" --eswitch switchdev
sluice pf show "$nic" >"$work/show"
check_text "the mode is told" "switch mode +switchdev" "$work/show"
# The mode is a wish: another's hand is noticed, and put right.
check "somebody else sets legacy mode" devlink dev eswitch set netdevsim/netdevsim10 mode legacy
sluice assert >"$work/assert"
check_text "assert says so" "eswitch is legacy, wanted: switchdev" "$work/assert"
sluice plan >"$work/plan"
sed 's/^/# /' "$work/plan"
check_text "the plan too: felt by its VFs" "eswitch +legacy +switchdev +disruptive" "$work/plan"
check "apply puts it right" sluice apply --yes
check "all is as wished" sluice assert
check_text "rates are possible now" "settings of VFs +.*tx-share,tx-max" "$work/show"
check_text "port functions are not: its driver has none" "not possible +.*roce" "$work/show"
check_text "and rates of rtnetlink no more" "not possible +.*rate" "$work/show"
for n in 0 3; do
	representor=$(shown representor $n)
	check "VF $n has a representor" test -e "/sys/class/net/$representor"
	check "which stands for VF $n" grep -q "pf0vf$n$" "/sys/class/net/$representor/phys_port_name"
done
check "rates over devlink" sluice vf set "$nic/2" --tx-max 500 --tx-share 50
shown_is tx_max 500 2
shown_is tx_share 50 2
shown_is tx_max 0 1
check "the card has them" sh -c "cat /sys/kernel/debug/netdevsim/netdevsim10/ports/*/tx_max 2>/dev/null | grep -q 500 ||
	mount -t debugfs none /sys/kernel/debug && grep -q 500 /sys/kernel/debug/netdevsim/netdevsim10/ports/*/tx_max"
refused 1 "tx-max not set .*exceed link maximum speed 5000Mbps" "the kernel's words about a rate: both stay" \
	sluice vf set "$nic/2" --tx-share 60 --tx-max 6000
shown_is tx_share 50 2
refused 1 "rate not set .*cannot set it" "rate over rtnetlink, in switchdev mode" \
	sluice vf set "$nic/2" --max-rate 100
check "MAC and trust as before" sluice vf set "$nic/2" --mac 02:00:00:00:0b:02 --trust on
shown_is mac 02:00:00:00:0b:02 2
refused 1 "roce not set" "a port function that its driver lacks" sluice vf set "$nic/2" --roce on
check "legacy mode" sluice pf set "$nic" --eswitch legacy
check "representors are gone" test "$(shown representor 0)" = null

# ---- port functions ----
check "portsim is loaded" insmod "${module%/*}/portsim.ko"
nic=$(ls /sys/devices/platform/portsim/net)
tree "$nic"
sluice pf show "$nic" >"$work/show"
check_text "devlink knows the card" "devlink +platform/portsim" "$work/show"
check_text "port functions are possible" "settings of VFs +.*roce,migratable,io-eqs" "$work/show"
shown_is roce true
shown_is port_addr null
check "all functions at once" sluice vf set "$nic/2" --port-addr 02:00:00:00:0c:02 --roce off --migratable on \
	--io-eqs 16
shown_is port_addr 02:00:00:00:0c:02 2
shown_is roce false 2
shown_is migratable true 2
shown_is io_eqs 16 2
shown_is io_eqs 8 1
refused 1 "io-eqs not set .*portsim: more event queues than the card has" \
	"the card's words about a function: all as before" \
	sluice vf set "$nic/2" --roce on --migratable off --io-eqs 64
shown_is roce false 2
shown_is migratable true 2
finish
