#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 420
#
# The main job: a VF is made, configured and handed to a VM, the guest talks through it with the MAC
# that was set, VT-d remaps its DMA and its interrupts, and afterwards everything is as before.
. tests/lab/lib.sh

pf=$(pf)
before=$(host_state)
check "VFs are made" sluice vf create "$pf" --count 2
check "the same count again is fine" sluice vf create "$pf" --count 2
check "two VFs exist" test "$(cat "/sys/class/net/$pf/device/sriov_numvfs")" = 2
vf=$(vf_bdf "$pf" 0)
made=$(host_state)
echo "not a kernel" >"$work/text"
refused 1 "kernel" "not a kernel: the VF that was taken is given back" \
	sluice vm run bad --memory 64M --kernel "$work/text" --vf "$pf/0"

for cpus in 1 2 4; do
	mac=02:00:00:00:01:0$cpus
	guest "web$cpus" "guest.ip=10.0.2.15/24 guest.ping=10.0.2.2,5" --cpus $cpus --memory 256M \
		--vf "$pf/0:mac=$mac" >"$work/out" 2>&1
	check "$cpus vCPUs: sluice ends with the guest, status 0" test $? = 0
	check_text "$cpus vCPUs: the guest has them all" "SLUICE-GUEST: cpus $cpus" "$work/out"
	check_text "$cpus vCPUs: igbvf drives the VF with our MAC" \
		"SLUICE-GUEST: nic .* driver igbvf mac $mac" "$work/out"
	check_text "$cpus vCPUs: ping through the VF" "SLUICE-GUEST: ping ok 10.0.2.2 .*received 5" "$work/out"
	check_text "$cpus vCPUs: the end is told" "poweroff" "$work/out"
	unchanged "$cpus vCPUs: everything is as before the VM" "$made"
done

# Detached, so that both levels can be looked at while the guest runs.
check "a VM starts detached" guest web "guest.ip=10.0.2.15/24 guest.ping=10.0.2.2,50 guest.wait" \
	--cpus 1 --memory 256M --vf "$pf/0:mac=02:00:00:00:01:10" --detach
check "the guest's pings end" wait_for 60 sh -c \
	"sluice vm stat web --json | grep -q 'msi-x' && test \$(awk '/vfio/ { n += \$2 + \$3 } END { print n + 0 }' /proc/interrupts) -gt 50"
check "its interrupts are remapped (IR-)" grep -qE 'IR-.*vfio' /proc/interrupts
check "and arrive" test "$(vfio_interrupts)" -gt 50
check "the VF is on vfio-pci" test "$(driver_of "$vf")" = vfio-pci
sluice vf list >"$work/list"
check_text "vf list names the owner" "web" "$work/list"
sluice vm stat web >"$work/stat"
check_text "vm stat counts exits by reason" "io-write" "$work/stat"
check_text "vm stat shows the vectors" "msi-x" "$work/stat"
check_text "vm stat tells by which way they come" " remapped " "$work/stat"
sluice vm maps web >"$work/maps"
check_text "the DMA map covers the guest's RAM" "0x0+ " "$work/maps"
sluice vm stat web --json >"$work/stat.json"
check "vm stat --json is JSON" jq . "$work/stat.json"
check "a held VF stops a change of count" test "$(sluice vf create "$pf" --count 3 >/dev/null 2>&1; echo $?)" = 1
check "a held VF stops its destruction" test "$(sluice vf destroy "$pf" >/dev/null 2>&1; echo $?)" = 1
check "vm stop ends it" sluice vm stop web
unchanged "everything is as before the VM" "$made"

check "VFs are destroyed" sluice vf destroy "$pf"
unchanged "and nothing is left" "$before"
finish
