#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 300 --append iomem=relaxed
#
# The audit of a live VT-d unit: two VMs with one VF each pass; a page that is mapped behind a VM's back is found
# and named; nothing is left when the VMs are gone; a snapshot gives the same verdicts elsewhere.
. tests/lab/lib.sh

pf=$(pf)
check "VFs are made" sluice vf create "$pf" --count 2
left=$(vf_bdf "$pf" 0)
right=$(vf_bdf "$pf" 1)

audited() { # STATUS NAME: an audit ends with that status
	sluice iommu audit --snapshot "$work/$2.snap" >"$work/$2" 2>&1
	check "$2: the audit's status is $1" test $? = "$1"
	sed 's/^/#   /' "$work/$2"
}

again() { # STATUS NAME: so does that of its snapshot, and says the same
	sluice iommu audit --offline "$work/$2.snap" >"$work/$2.offline" 2>&1
	check "$2: its snapshot's status too" test $? = "$1"
	check "$2: and all it says" diff "$work/$2" "$work/$2.offline"
}

audited 0 before
for vm in left right; do
	n=$([ $vm = left ]; echo $?)
	check "VM $vm starts" guest $vm "guest.ip=192.168.7.$((n + 1))/24 guest.wait" --memory 192M \
		--vf "$pf/$n:mac=02:00:00:00:05:0$n" --detach
done
check "both have come up" wait_for 60 eval "waiting left && waiting right"
audited 0 pass
again 0 pass
check_text "left's VF is its VM's" "^$left +vm left +.* ok " "$work/pass"
check_text "right's VF is its VM's" "^$right +vm right +.* ok " "$work/pass"
check "they are in two domains" test "$(grep -cE "vm (left|right) " "$work/pass")" = 2
sluice iommu audit --json >"$work/json"
check "in JSON: passed" test "$(jq .pass "$work/json")" = true
check "each reaches what its VM mapped, to the byte" test "$(jq \
	'[.devices[] | select(.owner != "") | .readable == .mapped and .writable == .mapped] | all' \
	"$work/json")" = true
check "and at least its VM's RAM" test "$(jq '[.devices[] | select(.owner != "") | .mapped] | min' \
	"$work/json")" -ge $((192 << 20))
check "BARs are mapped for the VM's other devices" test "$(sluice vm maps left --json |
	jq '[.[] | select(.what == "bar")] | length')" -ge 1
check_text "and reached by them: peer to peer" "^$left +vm left .* 0x0-0xbffffff,0x[0-9a-f]+-0x" "$work/pass"
check "interrupts of both are in the table" test "$(jq \
	'[.devices[] | select(.owner != "") | .interrupts] | min' "$work/json")" -ge 1

sluice iommu show >"$work/show"
check_text "show: the unit by the firmware" "^DRHD +0 +0xfed90000 +0xfed90fff +.*bridge 0000:00:01.0" "$work/show"
sluice iommu groups "$left" >"$work/groups"
check_text "groups: the VF alone in its own" "^ *[0-9]+ .* $left +vfio-pci +vfio" "$work/groups"
sluice iommu explain "$left" >"$work/explain"
sed 's/^/#   /' "$work/explain"
check_text "explain: the hop above and its ACS" "^behind 0000:00:.*: root port; ACS .*request redirect on" \
	"$work/explain"
check_text "explain: alone" "holds it alone" "$work/explain"
check_text "explain: the unit" "VT-d unit at 0xfed90000" "$work/explain"
check_text "explain: what it reaches" "reaches what the program that opened it has mapped" "$work/explain"
check_text "explain: the interrupt window" "reserved: 0xfee00000-0xfeefffff" "$work/explain"

sluice vm irqs left >"$work/irqs"
sed 's/^/#   /' "$work/irqs"
check_text "vm irqs: remapped, with its entry, and why it is not posted" \
	"^left +$left +0 +[0-9]+ +IR-PCI-MSIX.* 0x[0-9a-f]+ +[0-9]+ +[0-9]+ +remapped +table +the IOMMU cannot post" \
	"$work/irqs"
sluice vm irqs left --seconds 1 >"$work/irqs2"
check_text "vm irqs --seconds: what the host had to take of posted ones" \
	"^host: ([0-9]+ posted-interrupt notifications meanwhile|counts no posted interrupts)" "$work/irqs2"
check "and what it took of each vector" test \
	"$(sluice vm irqs left --seconds 1 --json | jq 'length > 0 and all(.taken >= 0)')" = true
sluice iommu irqs --json >"$work/irqs.json"
check "iommu irqs: the vectors of both, all remapped" test "$(jq \
	'([.[].vm] | unique | length) == 2 and all(.delivery == "remapped")' "$work/irqs.json")" = true
check "and they have come" test "$(jq '[.[].count // 0] | add' "$work/irqs.json")" -gt 0

# A page behind VM left's back.
pid=$(sluice vm list --json | jq '.[] | select(.name == "left") | .pid')
mkfifo "$work/hold"
"$SLUICE_BUILD/tests/tools/extra_map" "$pid" 0x4000000000 <"$work/hold" >"$work/extra" &
tool=$!
exec 7>"$work/hold"
check "a foreign page is mapped into VM left's container" wait_for 10 grep -q mapped "$work/extra"
page=$(sed -n 's/mapped //p' "$work/extra")
audited 1 extra
again 1 extra
check_text "it is named: device, place, page, owner" \
	"FAULT $left: extra mapping: reads and writes 0x4000000000-0x4000000fff .*physical $page, memory of the host" \
	"$work/extra"
check_text "one fault, and no more" "FAILED: 1 fault;" "$work/extra"
check_text "the other VM is not blamed" "^$right +vm right +.* ok " "$work/extra"
sluice iommu walk "$left" 0x4000000123 >"$work/walk" 2>&1
check_text "walk: to that very page" "→ physical ${page%000}123 \(rw, page of 4 KiB\)" "$work/walk"
sed 's/^/#   /' "$work/walk"
sluice iommu walk "$left" 0x5000000000 >"$work/walk" 2>&1
check "walk: an address that is not mapped is status 1" test $? = 1
check_text "walk: and says so" "0x5000000000 is not mapped: blocked" "$work/walk"
exec 7>&-
wait $tool
audited 0 withdrawn

sluice iommu dump >"$work/dump"
check_text "dump: the unit" "^unit 0xfed90000" "$work/dump"
check_text "dump: translation and remapping are on" "translation on, interrupt remapping on" "$work/dump"
check_text "dump: the VF's context" "^$left: domain [0-9]+, (second|first) stage" "$work/dump"
check_text "dump: the VF's interrupts" "^interrupt [0-9]+: from $left, remapped: vector" "$work/dump"

check "VM left is stopped" sluice vm stop left --force
check "VM right is stopped" sluice vm stop right --force
audited 0 after
check "nothing is left" test "$(sluice iommu audit --json | jq '[.devices[] | .readable] | add // 0')" = 0
head -c 5000 "$work/pass.snap" >"$work/cut.snap"
refused 1 "damaged or cut off" "a snapshot cut off" sluice iommu audit --offline "$work/cut.snap"
refused 1 "no snapshot" "no snapshot" sluice iommu audit --offline /etc/hostname
finish
