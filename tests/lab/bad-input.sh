#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology shared-group --timeout 600
#
# Whatever a person gets wrong is answered with one line (what, why, what to do), status 1 or 2, and
# nothing has changed.
. tests/lab/lib.sh

pf=$(pf)
check "VFs are made" sluice vf create "$pf" --count 2
k=(--kernel "$LAB_KERNEL")
run() { # OPTION...: a VM that must not start
	timeout 60 sluice vm run bad --memory 64M "$@"
}

refused 1 "nosuch0.*$pf" "unknown PF" sluice vf create nosuch0 --count 1
refused 1 "nosuch0" "unknown PF for a VM" run "${k[@]}" --vf nosuch0
refused 1 "$pf/7.*2" "VF index past the end" run "${k[@]}" --vf "$pf/7"
refused 1 "7" "more VFs than the device has" sluice vf create "$pf" --count 8
refused 2 "count" "VF count not a number" sluice vf create "$pf" --count many
refused 2 "MAC|mac" "malformed MAC" run "${k[@]}" --vf "$pf/0:mac=02:00:00"
refused 2 "MAC|mac" "multicast MAC" run "${k[@]}" --vf "$pf/0:mac=01:00:5e:00:00:01"
refused 2 "VLAN|vlan" "VLAN out of range" run "${k[@]}" --vf "$pf/0:vlan=4095"
refused 2 "VLAN|vlan" "malformed VLAN" sluice vf set "$pf/0" --vlan ten
refused 2 "memory" "malformed size" sluice vm run bad "${k[@]}" --memory 12Q
refused 2 "memory" "size too small" sluice vm run bad "${k[@]}" --memory 1K
refused 1 "memory|free" "more memory than free" sluice vm run bad "${k[@]}" --memory 900G
refused 1 "huge" "huge pages not reserved" sluice vm run bad "${k[@]}" --memory 64M,pages=2m
refused 2 "cpus" "no CPU" run "${k[@]}" --cpus 0
refused 2 "cpus" "too many CPUs" run "${k[@]}" --cpus 65
refused 1 "nosuch-kernel.*" "kernel file missing" run --kernel /tmp/nosuch-kernel
echo "not a kernel" >"$work/text"
refused 1 "kernel" "not a kernel" run --kernel "$work/text"
refused 1 "nosuch-initrd" "initrd file missing" run "${k[@]}" --initrd /tmp/nosuch-initrd
refused 2 "vm|name" "bad VM name" sluice vm run '../etc' "${k[@]}"
refused 2 "frobnicate" "unknown verb" sluice vf frobnicate
refused 2 "colour" "unknown option" sluice vf list --colour
refused 2 "colour" "unknown VF attribute" run "${k[@]}" --vf "$pf/0:colour=red"
refused 1 "nosuch" "unknown VM" sluice vm stop nosuch
refused 1 "nosuch" "unknown VM for stat" sluice vm stat nosuch

# On this host both NICs, and so their VFs, sit in one group, whose PFs the host goes on using.
refused 1 "group .*0000:03:00.0.*igb" "group shared with a device that stays on the host" \
	run "${k[@]}" --vf "$pf/0"

# A PF that has lost its driver.
bdf=$(basename "$(readlink "/sys/class/net/$pf/device")")
check "VFs are destroyed" sluice vf destroy "$pf"
echo "$bdf" >/sys/bus/pci/drivers/igb/unbind
refused 1 "driver" "PF with no driver" sluice vf create "$bdf" --count 1
echo "$bdf" >/sys/bus/pci/drivers/igb/bind

known_state=
mv /dev/kvm /dev/kvm.away
refused 1 "/dev/kvm" "no /dev/kvm" run "${k[@]}"
mv /dev/kvm.away /dev/kvm
finish
