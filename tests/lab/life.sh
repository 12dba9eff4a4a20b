#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 300
#
# The ways a guest ends are told apart; list, show, console, stat and stop of a VM started detached.
. tests/lab/lib.sh

ends() { # WAY EXPECTED-STATUS WORD
	guest "end-$1" "guest.end=$1" --memory 192M --on-reboot exit >"$work/out" 2>&1
	check "$1: status $2" test $? = "$2"
	check "$1: said" sh -c "tail -n 1 $work/out | grep -qi '$3'"
	tail -n 1 "$work/out" | sed 's/^/#   /'
}
ends poweroff 0 "power"
ends reboot 0 "re[sb]"
ends panic 1 "panic"

# A restart: the same VM comes up a second time, in the same monitor.
timeout 60 sluice vm run again --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" --memory 192M \
	--append "console=ttyS0 quiet reboot=t guest.end=reboot" </dev/null >"$work/out" 2>&1 &
job=$!
check "a reboot, by triple fault, restarts the guest" wait_for 60 sh -c "[ \$(grep -c 'SLUICE-GUEST: up' $work/out) -ge 2 ]"
check "forced stop" sluice vm stop again --force
wait $job

# A kernel that does nothing else is not started for ever.
timeout 60 sluice vm run lost --kernel "$SLUICE_BUILD/guest/fault" --memory 64M </dev/null >"$work/out" 2>&1
check "triple faults without end: status 1" test $? = 1
check "they are a crash" sh -c "sluice vm list --json | jq -e '.[] | select(.name == \"lost\") | .state == \"crashed: triple-fault\"'"
check "the third one" test "$(grep -c 'triple fault (' "$work/out")" = 3

check "started detached" guest quiet "guest.wait" --memory 192M --cpus 2 --detach
check "vm list shows it" sh -c "sluice vm list | grep -q 'quiet.*running'"
check "vm list --json is JSON" sh -c "sluice vm list --json | jq ."
check "vm show is JSON too" sh -c "sluice vm show quiet --json | jq ."
check "the console keeps what was said" wait_for 60 sh -c \
	"timeout 5 sluice vm console quiet </dev/null | grep -q 'SLUICE-GUEST: waiting'"
sluice vm stat quiet >"$work/stat"
check_text "stat: exits by reason" "io-write" "$work/stat"
check_text "stat: the engine's counts" "halt_exits" "$work/stat"
check_text "stat: private memory" "private" "$work/stat"
private=$(sluice vm stat quiet --json | jq .memory.private_kib)
echo "# private memory of the monitor: $private KiB"
check "private memory is at most 3 MiB" test "$private" -le 3072
check "vm stop" sluice vm stop quiet
check "vm list is empty" sh -c "! sluice vm list | grep -q quiet"
for noun in host pf vf vm iommu; do
	check "$noun --help has an example" sh -c "sluice $noun --help | grep -q 'sluice $noun'"
done
finish
