#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology many-vfs --timeout 300
#
# A PF with 32 VFs, more than a device number has functions: made and removed, listed, found. Its driver has no
# settings for VFs, which is said beforehand and refused with reasons.
. tests/lab/lib.sh

# virtio-pci makes VFs only for a device that is in use, here by virtio_net.
modprobe virtio_net
pf=$(sluice pf list --json | jq -r '.[] | select(.driver == "virtio-pci") | .name')
before=$(host_state)
check "the PF is there" test -n "$pf"
sluice pf show "$pf" >"$work/show"
sed 's/^/# /' "$work/show"
check_text "32 VFs are possible" "VFs at most +32" "$work/show"
refused 1 "33 VFs" "one more than there can be" sluice vf create "$pf" --count 33
check "32 VFs are made" sluice vf create "$pf" --count 32
check "the kernel has them" test "$(find "/sys/bus/pci/devices/$(sluice pf show "$pf" --json | jq -r .address)/" \
	-name 'virtfn*' | wc -l)" = 32
sluice vf list "$pf" --json >"$work/list"
check "vf list has all 32" test "$(jq length "$work/list")" = 32
check "each has an address of its own" test "$(jq -r '.[].address' "$work/list" | sort -u | wc -l)" = 32
check "and an IOMMU group of its own" test "$(jq -r '.[].iommu_group' "$work/list" | sort -u | wc -l)" = 32
sluice pf show "$pf" >"$work/show"
check_text "network settings are not possible" "not possible .*vlan" "$work/show"
last=$(jq -r '.[31].address' "$work/list")
check "the last is found by its address" test "$(sluice vf show "$last" --json | jq .index)" = 31
refused 1 "no such settings: .*virtio-pci" "a setting that its driver does not have" sluice vf set "$pf/31" --vlan 100
check "VFs are removed" sluice vf destroy "$pf"
unchanged "and nothing is left" "$before"
finish
