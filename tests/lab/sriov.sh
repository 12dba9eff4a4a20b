#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology two-nics --timeout 900 --append iomem=relaxed
#
# Two PFs with 14 VFs between four VMs: settings seen from both ends, a VF that moves from one running VM to
# another under traffic, a VM that is only defined, a network that outlives its VF, and a count that changes only
# when nobody holds a VF. PFs are called by aliases throughout.
. tests/lab/lib.sh

check "the first PF gets an alias" sluice pf alias eth0 left
check "the second too" sluice pf alias eth1 right
refused 1 "is 0000:01:00.0 already" "an alias that another PF has" sluice pf alias eth1 left
sluice pf show left >"$work/show"
sed 's/^/# /' "$work/show"
check_text "identity: path, IDs and serial number" "identity +0000:00/[0-9a-f/.]+,8086:10c9:[0-9a-f:]+,(dsn|mac):" \
	"$work/show"
check_text "settings that may depend on VFs are not known" "not known now +spoof-check,rss-query,link-state" "$work/show"
check_text "reset methods are told" "reset methods +.*flr" "$work/show"
check "found by its identity" test "$(sluice pf show "$(sluice pf show left --json | jq -r .identity)" --json |
	jq -r .name)" = eth0
# ---- the doctor, and another manager ----
sluice host doctor >"$work/doctor"
check "the doctor finds nothing bad here" test $? = 0
sed 's/^/# /' "$work/doctor"
check_text "it has looked at the groups" "ok +eth0: group: IOMMU group [0-9]+ has nothing else in it" "$work/doctor"
check_text "and at bus numbers" "ok +eth1: bus-numbers: bus numbers for all 7 VFs" "$work/doctor"
mkdir -p /etc/systemd/network
printf '[Match]\nOriginalName=eth0\n[Link]\nSR-IOVVirtualFunctions=2\n' >/etc/systemd/network/10-eth0.link
refused 1 "/etc/systemd/network/10-eth0.link says \[Link\] SR-IOVVirtualFunctions=2" \
	"a PF whose VFs systemd makes" sluice vf create left --count 7
check "the doctor says so beforehand" sh -c \
	"! sluice host doctor --json >$work/doctor && jq -e '.[] | select(.check == \"profiles\" and .state == \"bad\")' $work/doctor"
rm /etc/systemd/network/10-eth0.link

before=$(host_state)
check "7 VFs here" sluice vf create left --count 7
check "and 7 there" sluice vf create right --count 7
check "14 VFs" test "$(sluice vf list --json | jq length)" = 14

# ---- settings ----
sluice pf show left >"$work/show"
check_text "the driver has these" "settings of VFs +vlan,mac,rate,spoof-check,trust$" "$work/show"
check_text "and not these" "not possible .*rss-query,link-state" "$work/show"
check "MAC, VLAN with priority, rate, trust, spoof check" sluice vf set left/0 --mac 02:00:00:00:0a:00 \
	--vlan 100,qos=3 --max-rate 500 --trust on --spoof-check off
check "the kernel has them all" sh -c "ip link show eth0 | grep 'vf 0 .*02:00:00:00:0a:00' |
	grep 'vlan 100, qos 3' | grep 'spoof checking off' | grep 'trust on' | grep -q '500'"
sluice vf show left/0 >"$work/show"
sed 's/^/# /' "$work/show"
check_text "vf show has them" "max rate, Mb/s +500" "$work/show"
refused 1 "link-state not set .*igb.*cannot set it" "link state, which igb does not have" \
	sluice vf set left/0 --link-state disable
refused 1 "min rate|rate not set .*igb" "min rate, which igb does not have: all as before" \
	sluice vf set left/0 --vlan 200 --min-rate 10
refused 1 "VLAN protocol|vlan not set" "802.1ad, which igb does not have" \
	sluice vf set left/0 --vlan 200,proto=802.1ad
refused 1 "no such settings|msix not set" "MSI-X counts, which igb does not have" sluice vf set left/0 --msix 2
refused 1 "port-addr not set .*has no such settings" "a port, which igb does not have" \
	sluice vf set left/0 --port-addr 02:00:00:00:00:01
# QEMU's igb has the register that drops spoofed frames and does not act on it (hw/net/igb_core.c only keeps
# DTXSWC), so what can be seen here is that the setting has come to the card: 82576 datasheet, 8.14.5, a bit for
# addresses and one for VLANs of each VF.
spoof_bits() { # VF: of eth0's card
	local base
	read -r base _ </sys/bus/pci/devices/0000:01:00.0/resource
	echo $((($(busybox devmem $((base + 0x3500)) 32) >> $1) & 0x101))
}
check "the card's register says: no spoof check of VF 0" test "$(spoof_bits 0)" = 0
check "and one of VF 1" test "$(spoof_bits 1)" = 257
check "back: VLAN stays" sluice vf set left/0 --trust off --spoof-check on --max-rate 0
check "the card's register says so: spoof check of VF 0" test "$(spoof_bits 0)" = 257

# ---- four guests ----
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--init tests/guest/sriov.sh "$work/guest.cpio"
modprobe 8021q
ip link add link eth0 name eth0.100 type vlan id 100
ip addr add 10.1.0.1/24 dev eth0.100
ip addr add 10.1.1.1/24 dev eth0
ip addr add 10.1.2.1/24 dev eth1
ip link set eth0.100 up

start() { # NAME ME PEERS VF
	sluice vm run "$1" --kernel "$LAB_KERNEL" --initrd "$work/guest.cpio" --memory 128M --vf "$4" \
		--append "console=ttyS0 quiet panic=-1 sriov.me=$2 sriov.peers=$3" </dev/null >"$work/$1" 2>&1 &
}
told() { # NAME TEXT
	grep -qE "SLUICE-GUEST: $2" "$work/$1"
}
start a 10.1.0.10/24 10.1.0.1 left/0
start b 10.1.0.11/24 10.1.0.1 left/1:mac=02:00:00:00:0a:01
start c 10.1.2.12/24 10.1.2.1 right/0:mac=02:00:00:00:0a:02
held() { # PF/N
	test "$(sluice vf show "$1" --json | jq -r .state)" = held
}
check "c has its VF" wait_for 60 held right/0
# d is defined, and gets its VF while it does not run.
check "a pool is made" sluice pool set near --pf eth1
check "d is defined" sluice vm define d --kernel "$LAB_KERNEL" --initrd "$work/guest.cpio" --memory 128M --append \
	"console=ttyS0 quiet panic=-1 sriov.me=10.1.2.13/24 sriov.peers=10.1.2.1,10.1.2.12"
check "it is there, and does not run" test "$(sluice vm list --json | jq -r '.[] | select(.name == "d") | .state')" = inactive
refused 1 "d: does not run" "nothing is plugged into it" sluice vm attach d --vf right/1 --live
check "it is given a VF of the pool" sh -c "sluice vm attach d --vf near:mac=02:00:00:00:0a:03 2>$work/told"
sed 's/^/# /' "$work/told"
check_text "which one, and why, is told" "pool near: eth1/[0-9]: .*6 of 7 VFs" "$work/told"
check "and one more" sluice vf attach d right/6
check "which is taken away again" sluice vm detach d right/6
check "vm show has it" sh -c "sluice vm show d | grep -q 'devices .*near'"
sluice vm start d </dev/null >"$work/d" 2>&1 &
for vm in a b c d; do
	check "guest $vm has tried everything" wait_for 180 told $vm "done 1"
	grep SLUICE-GUEST "$work/$vm" | grep -E 'nic|peer' | sed "s/^/# $vm: /"
done
check "a has the MAC that was set, and may take no other" told a "nic 1 mac 02:00:00:00:0a:00 then 02:00:00:00:0a:00"
check "a is in its VLAN" told a "peer 1 10.1.0.1 reached"
check "b is not" told b "peer 1 10.1.0.1 silent"
check "c reaches its host" told c "peer 1 10.1.2.1 reached"
check "d reaches its host" told d "peer 1 10.1.2.1 reached"
check "4 VFs are held" test "$(sluice vf list --json | jq '[.[] | select(.state == "held")] | length')" = 4

# ---- a VF goes from one running VM to another, under traffic ----
flow() { # ADDRESS: frames for it, five times a second
	busybox ping -i 0.2 "$1" >"$work/flow-$1" 2>&1 &
	flow=$!
}
answers() { # ADDRESS
	grep -q "bytes from" "$work/flow-$1"
}
flow 10.1.0.10
check "frames go to a and back" wait_for 30 answers 10.1.0.10
check "detached from a" sluice vf detach a left/0
kill $flow
flow 10.1.0.11
check "it is free" test "$(sluice vf show left/0 --json | jq -r .state)" = free
check "b gives its own back" sluice vf detach b left/1
check "b gets it, with its VLAN" sluice vf attach b left/0:vlan=100
check "b has tried" wait_for 60 told b "done 2"
check "b is in the VLAN now" told b "peer 2 10.1.0.1 reached"
check "b has the VF's MAC" told b "nic 2 mac 02:00:00:00:0a:00"
check "frames go to b and back" wait_for 30 answers 10.1.0.11
kill $flow

# ---- the count ----
refused 1 "held by (vm )?b" "a held VF keeps the count" sluice vf create left --count 3
refused 1 "held by (vm )?[cd]" "and the VFs of the other PF" sluice vf destroy right
for vm in a b c d; do
	check "$vm ends" sluice vm kill $vm
done
check "d is still defined" test "$(sluice vm list --json | jq -r '.[] | select(.name == "d") | .state')" = inactive
check "until it is forgotten" sluice vm undefine d
check "then nothing is left of it" sh -c "! sluice vm list | grep -q '^d '"

# ---- a network that outlives its VF ----
modprobe -a tun vhost_net bridge
check "another guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--module virtio_pci --module virtio_net --init tests/guest/failover.sh "$work/failover.cpio"
ip addr flush dev eth1
ip link add br1 type bridge
ip link set br1 address "$(cat /sys/class/net/eth1/address)"
ip link set eth1 master br1
ip addr add 10.1.3.1/24 dev br1
ip link set br1 up
sluice vm run e --kernel "$LAB_KERNEL" --initrd "$work/failover.cpio" --memory 128M --vf right/2 \
	--net tap,bridge=br1,mac=02:00:00:00:0a:05,standby=on \
	--append "console=ttyS0 quiet panic=-1 failover.me=10.1.3.10/24 failover.peer=10.1.3.1" \
	</dev/null >"$work/e" 2>&1 &
paths() { # N LAST: the guest has told of N paths, and the last is LAST
	test "$(grep -c 'SLUICE-GUEST: path' "$work/e")" -ge "$1" && grep 'SLUICE-GUEST: path' "$work/e" | tail -n 1 | grep -q "path $2"
}
check "e talks through its VF" wait_for 120 paths 1 vf
check "its VF is taken away" sluice vf detach e right/2
check "e talks on, through its virtio NIC" wait_for 60 paths 2 standby
check "a VF is given to it again" sluice vf attach e right/3:mac=02:00:00:00:0a:05
check "e talks through it" wait_for 60 paths 3 vf
grep 'SLUICE-GUEST: path' "$work/e" | sed 's/^/# e: /'
check "one interface all the time" test "$(grep -c 'SLUICE-GUEST: master' "$work/e")" = 1
check "e ends" sluice vm kill e
ip link del br1

check "nobody holds a VF" wait_for 30 sh -c \
	"test \"\$(sluice vf list --json | jq '[.[] | select(.state != \"free\")] | length')\" = 0"
check "now the count changes" sluice vf create left --count 3
check "10 VFs" test "$(sluice vf list --json | jq length)" = 10
check "VFs are destroyed" sluice vf destroy left
check "there too" sluice vf destroy right
check "the pool is forgotten" sluice pool remove near
ip link del eth0.100
ip addr flush dev eth0
unchanged "everything is as before" "$before"

# ---- interrupt vectors, which no driver of an emulated card hands out ----
module=$(dirname "$(dirname "$LAB_KERNEL")")/netdevsim/msixsim.ko
if [ ! -e "$module" ]; then
	echo "ok - vectors of VFs # SKIP msixsim.ko could not be built on this machine"
	finish
fi
card=0000:02:00.0
check "a driver that hands vectors out" insmod "$module"
echo $card >/sys/bus/pci/drivers/igb/unbind
echo msixsim >/sys/bus/pci/devices/$card/driver_override
echo $card >/sys/bus/pci/drivers_probe
check "has the second card" test "$(driver_of $card)" = msixsim
sluice pf show $card >"$work/show"
check_text "it has 64 for its VFs" "for its VFs +64" "$work/show"
check_text "they can be set" "settings of VFs +.*msix" "$work/show"
vectors() { # VF
	sluice vf show "$card/$1" --json | jq .msix
}
check "VFs are made" sluice vf create $card --count 2
check "9 vectors" sluice vf set $card/1 --msix 9
check "the VF has them" test "$(vectors 1)" = 9
check "as its configuration space says" sh -c "lspci -s $(basename "$(readlink /sys/bus/pci/devices/$card/virtfn1)") -vv |
	grep -q 'MSI-X: .*Count=9'"
refused 1 "msix not set .*refuses the value" "more than one VF may have" sluice vf set $card/1 --msix 17
check "with a driver, which goes for that and comes back" sluice vf set $card/0 --driver vfio-pci
check "4 vectors" sluice vf set $card/0 --msix 4
check "it has them" test "$(vectors 0)/$(driver_of "$(basename "$(readlink /sys/bus/pci/devices/$card/virtfn0)")")" = 4/vfio-pci
check "all is as wished" sluice assert
echo 0 >/sys/bus/pci/devices/$card/sriov_numvfs
check "VFs that somebody took away" sh -c "! sluice assert >/dev/null"
check "come back" sluice apply --yes
check "with their vectors" test "$(vectors 0)/$(vectors 1)" = 4/9
check "VFs are destroyed" sluice vf destroy $card
finish
