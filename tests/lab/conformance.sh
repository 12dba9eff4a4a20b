#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 300
#
# What the architecture promises a guest: our Multiboot test kernels, which write TAP to the serial line and
# tell their result through the exit port. docs/conformance.md lists what each of them tests.
. tests/lab/lib.sh

# conforms STATUS NAME ARGS...: runs build/guest/mb-NAME; its lines are ours. Every kernel must say something.
conforms() {
	local status=$1 name=$2 got
	shift 2
	timeout 60 sluice vm run "mb-$name" --kernel "$SLUICE_BUILD/guest/mb-$name" --memory 64M "$@" \
		</dev/null >"$work/$name" 2>&1
	got=$?
	tr -d '\r' <"$work/$name" | sed -n "s/^\(ok\|not ok\) - /\1 - $name: /p"
	grep -q '^not ok' "$work/$name" && tests_failed=1
	check "$name: ends with status $status" test $got = "$status"
	check_text "$name: has tested something" "^ok - " "$work/$name"
	[ $got = "$status" ] || sed 's/^/#   /' "$work/$name"
}

sluice host caps --json >"$work/caps"
check "host caps: SVM with nested paging, which is used" jq -e '.virtualization == "SVM" and
	(.features[] | select(.where == "CPUID 0x8000000a EDX" and .bit == 0) | .state == "used")' "$work/caps"
sluice host caps | sed 's/^/#: /'

printf 'NR_CPUS=1\nEXIT=21\n' >"$work/env"
conforms 43 environment --initrd "$work/env" --append "first second"
check_text "environment: the command line begins with the kernel's name" \
	"command line: .*/mb-environment first second" "$work/environment"
conforms 1 cpu
conforms 1 long
conforms 1 apic --cpus 2
printf 'EXIT=5' >"$work/env"
timeout 60 sluice vm run other --kernel "$SLUICE_BUILD/guest/mb-environment" --initrd "$work/env" \
	--memory 64M --exit-port 0x501 </dev/null >"$work/other" 2>&1 &
job=$!
check "with the exit port elsewhere the kernel runs as well" wait_for 30 grep -q "ok - the module ends" "$work/other"
check "and its write ends nothing" wait_for 10 sluice vm stat other
sluice vm stop other --force
wait $job
check "a VM that told no status ends with 4" test $? = 4
check_text "which is no status of a guest" "ended: killed" "$work/other"

# A guest that never sleeps, looked at from outside.
sluice vm run busy --kernel "$SLUICE_BUILD/guest/counter" --memory 64M --detach
check "vm stat counts no time unasked" test \
	"$(sluice vm stat busy --json | jq '.timing, ([.exits_ns[]] | add)' | xargs)" = "false 0"
check "vm stat counts time from now on" sluice vm stat busy --timing on
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
sluice vm stat busy --exits 2 --json >"$work/stat"
check "vm stat --exits: status 0" test $? = 0
check "vm stat --exits: the kernel's own exits have SVM's names" jq -e \
	'.costs.traced | length > 0 and all(.reason | startswith("VMEXIT_"))' "$work/stat"
check "vm stat: KVM's numbers have them too" jq -e \
	'[.costs.reasons[] | select(.reason == "VMEXIT_IOIO")][0].count > 0' "$work/stat"
check "vm stat: the pages that the engine maps add up" jq -e \
	'.costs.pages | (.["4k"] + .["2m"] + .["1g"]) > 0' "$work/stat"
jq -c '.costs' "$work/stat" | sed 's/^/#: /'
check "no instance is left below tracefs" test -z "$(ls /sys/kernel/tracing/instances)"
check "vm stat: time is counted by exit and by region" jq -e \
	'.timing and .exits_ns["io-write"] > 0 and ([.regions[] | select(.name == "serial")][0].ns > 0)' "$work/stat"
check "vm trace" sluice vm trace busy --seconds 1 --output "$work/trace.json"
check "vm trace: slices of the serial port on the CPU's track" jq -e \
	'[.traceEvents[] | select(.ph == "X" and .name == "io-write serial" and .tid == 0)] | length > 0' \
	"$work/trace.json"
check "vm trace for trace-cmd" sluice vm trace busy --seconds 1 --format trace-cmd --output "$work/trace.dat"
if command -v trace-cmd >/dev/null; then
	trace-cmd report -i "$work/trace.dat" >"$work/report" 2>&1
	check_text "trace-cmd reads it: the CPU's thread, the exit, its address and time" \
		"busy/cpu0-[0-9]+ .*exit: +io-write serial addr=0x3f8 ns=[0-9]+" "$work/report"
	check "and complains of nothing" sh -c "! grep -iE 'error|unknown|fail|bug' $work/report >&2"
else
	echo "ok - trace-cmd reads it # SKIP trace-cmd is not installed"
fi
sluice vm top --once --interval 1 >"$work/top"
check_text "vm top shows it" "^busy +[0-9]+ +[0-9]+ +[1-9][0-9]* " "$work/top"
sed 's/^/#: /' "$work/top"
check "vm stop" sluice vm stop busy --force
finish
