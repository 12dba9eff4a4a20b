#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 300
#
# A CPU comes to a running guest, works there, and goes again.
. tests/lab/lib.sh

check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module button --module evdev --init tests/guest/cpus.sh "$work/guest.cpio"
export LAB_INITRD=$work/guest.cpio
has() { # CPUS [TIMES]
	test "$(grep -cF "SLUICE-GUEST: has $1 cpus" "$work/out")" -ge "${2:-1}"
}

guest web "" --cpus 1,max=2 --memory 256M >"$work/out" 2>&1 &
job=$!
check "the guest is up, with one CPU" wait_for 60 has 1
check "a second one comes" sluice vm cpus web 2
check "and is used" wait_for 20 has 2
check "vm list says so" sh -c "sluice vm list --json | jq -e '.[0].cpus == 2'"
refused 1 "1 to 2" "no third one" sluice vm cpus web 3
check "the second one goes" sluice vm cpus web 1
check "and is not used" wait_for 10 has 1 2
check "it comes again" sluice vm cpus web 2
check "and is used again" wait_for 20 has 2 2
check "vm stop" sluice vm stop web
wait $job
check "status 0" test $? = 0
check "no complaint of the kernel" sh -c "! grep -E 'ACPI.*(Error|Warning)|BUG|smpboot: do_boot_cpu failed' $work/out"

guest fixed "guest.wait" --cpus 1 --memory 192M --detach
refused 1 "start it with --cpus" "without max the CPUs are fixed" sluice vm cpus fixed 2
check "vm stop of the other" sluice vm stop fixed --force
finish
