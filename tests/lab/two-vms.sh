#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 300
#
# Two VMs at once, one VF each, talk to each other through the NIC's own switch.
. tests/lab/lib.sh

pf=$(pf)
check "VFs are made" sluice vf create "$pf" --count 2
made=$(host_state)
check "the first VM starts" guest left "guest.ip=192.168.7.1/24 guest.wait" --memory 256M \
	--vf "$pf/0:mac=02:00:00:00:02:01" --detach
guest right "guest.ip=192.168.7.2/24 guest.ping=192.168.7.1,20" --memory 256M \
	--vf "$pf/1:mac=02:00:00:00:02:02" >"$work/right" 2>&1
check_text "the second has its MAC" "mac 02:00:00:00:02:02" "$work/right"
check_text "the second pings the first" "SLUICE-GUEST: ping ok 192.168.7.1 .*received 20" "$work/right"
sluice vm list >"$work/list"
check_text "the first still runs" "left .*running" "$work/list"
refused 1 "left" "its VF is not given to another VM" guest third "" --memory 256M --vf "$pf/0"
refused 1 "left" "its name is not given to another VM" guest left "" --memory 256M --vf "$pf/1"
echo "not a kernel" >"$work/text"
refused 1 "kernel" "what is no kernel is refused, and its VF given back" \
	sluice vm run third --memory 64M --kernel "$work/text" --vf "$pf/1"
check "the first is stopped" sluice vm stop left
check "everything is as before the VMs" test "$(host_state)" = "$made"
finish
