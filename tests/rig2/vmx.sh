#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --rig 2 --guest --timeout 900 --with build/root/usr/bin/sluice --with build/root/usr/libexec/sluice/sluice-vmm --with build/guest/tiny --with build/guest/mb-environment --with build/guest/mb-cpu --with build/guest/mb-long --with build/tests/kvm/tiny_test --with tests/lab/lib.sh --with /usr/bin/jq
#
# The same binaries on Intel's VMX with EPT, emulated by Bochs: the engine's own tests, a guest of a
# few instructions, then Debian's own kernel to user space and to a clean end by the power button,
# with what its exits were. That kernel is the ELF file which Debian's vmlinuz holds, entered the
# PVH way: it spares a slow processor the unpacking.
. tests/lab/lib.sh

parameter() {
	cat "/sys/module/kvm_intel/parameters/$1"
}

show() { # FILE: for the reader; tests/run repeats such lines on the terminal
	sed 's/^/#: /' "$1"
}

stat_holds() { # JQ-EXPRESSION: true of the guest's statistics
	jq -e "$1" "$work/stat.json"
}

echo "#: level 1: $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo), emulated by Bochs"
check "level 1 has VMX on each of $LAB_CPUS CPUs" test \
	"$(grep -c '^flags.* vmx ' /proc/cpuinfo)" = "$LAB_CPUS"
check "kvm_intel uses EPT" test "$(parameter ept)" = Y
check "kvm_intel uses VPID" test "$(parameter vpid)" = Y

sluice host caps >"$work/caps"
check "host caps: status 0" test $? = 0
sluice host caps --json >"$work/caps.json"
feature() { # NAME: its state
	jq -r --arg name "$1" '.features[] | select(.name == $name) | .state' "$work/caps.json"
}
check "host caps: VMX, with a VMCS of at most 4096 bytes" jq -e \
	'.virtualization == "VMX" and .vmcs_bytes > 0 and .vmcs_bytes <= 4096' "$work/caps.json"
check "host caps: EPT of four levels or five is used" jq -e '.ept_levels >= 4' "$work/caps.json"
check "host caps: EPT and VPID are used" test "$(feature "extended page tables (EPT)") $(feature VPID)" = "used used"
check "host caps: posted interrupts are off, by a parameter of the module" test \
	"$(feature "posted interrupts") $(parameter enable_apicv)" = "off N"
check_text "host caps: says what that costs" \
	"^  posted interrupts \(switched off by enable_apicv\): without it an interrupt of a passed-through device exits" "$work/caps"
show "$work/caps"

CMOCKA_MESSAGE_OUTPUT=tap timeout 120 "$SLUICE_BUILD/tests/kvm/tiny_test" |
	sed 's/^\(not \)\{0,1\}ok [0-9]* - /&engine: /'
check "engine: its tests end with status 0" test $? = 0

timeout 60 sluice vm run tiny --kernel "$SLUICE_BUILD/guest/tiny" --memory 64M \
	</dev/null >"$work/tiny" 2>&1
check "tiny guest: status 0" test $? = 0
check_text "tiny guest: its line" "^tiny guest: up" "$work/tiny"
check_text "tiny guest: powered off" "ended: poweroff" "$work/tiny"

for kernel in environment cpu long; do # docs/conformance.md
	timeout 60 sluice vm run "$kernel" --kernel "$SLUICE_BUILD/guest/mb-$kernel" --initrd /etc/passwd \
		--memory 64M </dev/null >"$work/$kernel" 2>&1
	check "conformance: $kernel ends with status 1" test $? = 1
	check_text "conformance: $kernel has tested something" "^ok - " "$work/$kernel"
	tr -d '\r' <"$work/$kernel" | sed -n "s/^\(ok\|not ok\) - /\1 - $kernel: /p"
done

sluice vm run linux --kernel "$LAB_VMLINUX" --initrd "$LAB_INITRD" --memory 192M \
	--append "console=ttyS0 quiet panic=-1 guest.wait" </dev/null >"$work/linux" 2>&1 &
job=$!
check "Linux guest: its first user-space line" wait_for 300 grep -q "^SLUICE-GUEST: up" "$work/linux"
check "Linux guest: waits for the power button" wait_for 60 grep -q "^SLUICE-GUEST: waiting" \
	"$work/linux"

sleep 1 # idle
sluice vm stat linux >"$work/stat"
sluice vm stat linux --json >"$work/stat.json"
check "stat: the CPU's exits by reason sum up to the total" stat_holds \
	'.cpus[0] | ([.exits[]] | add) == .total and .total > 0'
check "stat: exits for ports and for memory-mapped registers" stat_holds \
	'.exits["io-write"] > 0 and .exits["mmio-write"] > 0'
check "stat: KVM counted every exit that reached us, and more" stat_holds \
	'.cpus[0].engine.exits > .total'
check "stat: guest memory was mapped by EPT violations" stat_holds '.cpus[0].engine.pf_fixed > 0'
check "stat: an idle guest halts" stat_holds '.cpus[0].engine.halt_exits > 0'
check "stat: no failed entry, no internal error" stat_holds \
	'.exits["fail-entry"] + .exits["internal-error"] == 0'
show "$work/stat"
echo "#: the same as JSON, without zeros:"
jq -c '{exits, engine: .cpus[0].engine} | map_values(map_values(select(. != 0)))' \
	"$work/stat.json" >"$work/short"
show "$work/short"

check "vm stop" sluice vm stop linux
wait $job
check "Linux guest: status 0" test $? = 0
check_text "Linux guest: took the power button" "^SLUICE-GUEST: power-button" "$work/linux"
check_text "Linux guest: powered off" "ended: poweroff" "$work/linux"
show "$work/linux"
finish
