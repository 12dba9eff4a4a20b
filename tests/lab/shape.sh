#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 420
#
# What a VM can be made of, without devices: kernels packed and as ELF, the cache of unpacked ones,
# the place where a kernel lies, huge pages, pinned and named threads, many CPUs, and what a kernel
# says about our ACPI tables.
. tests/lab/lib.sh

kernels=/var/lib/sluice/kernels
linked=ffffffff81000000

# A guest that also tells where its kernel lies; it needs no modules but that of the power button.
# shellcheck disable=SC2016 # for the guest's shell
echo 'echo "SLUICE-GUEST: text $(grep -m 1 " _stext$" /proc/kallsyms)"' >"$work/text.sh"
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module button --module evdev --init "$work/text.sh" "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio
before=$(host_state)

# boot DESCRIPTION OPTION...: a start to the end; leaves what was said in $work/out.
boot() {
	local what=$1 start=$SECONDS
	shift
	"$@" >"$work/out" 2>&1
	check "$what: status 0" test $? = 0
	check_text "$what: it powered itself off" "ended: poweroff" "$work/out"
	check_text "$what: user space is reached" "SLUICE-GUEST: up" "$work/out"
	echo "# $what: $((SECONDS - start)) s"
}

kernel_at() {
	sed -n 's/.*SLUICE-GUEST: text \([0-9a-f]*\).*/\1/p' "$work/out"
}

# ---- bzImage, the cache, and where the kernel lies ----
rm -rf "$kernels"
boot "bzImage, nothing cached" guest cold "" --memory 192M
cold=$(kernel_at)
entry=$(stat -c '%n %i %Y' "$kernels"/*)
check "bzImage, nothing cached: it is cached now" test "$(wc -l <<<"$entry")" = 1
boot "bzImage, cached" guest warm "" --memory 192M
warm=$(kernel_at)
check "bzImage, cached: by the same entry" test "$(stat -c '%n %i %Y' "$kernels"/*)" = "$entry"
echo "# kernel text: $cold, then $warm"
# By chance alone both would lie where they were linked once in many thousand runs.
check "the kernel is moved at every start" test "$cold" != "$linked" -o "$warm" != "$linked"

# ---- huge pages; a start without moving the kernel ----
refused 1 "huge pages" "huge pages that are not reserved" \
	guest huge "" --memory 256M,pages=2m
echo 130 >/proc/sys/vm/nr_hugepages
pages_free() {
	awk '/HugePages_Free/ { print $2 }' /proc/meminfo
}
check "130 huge pages are reserved" test "$(pages_free)" = 130
check "huge pages: started" guest huge "guest.wait" --memory 256M,pages=2m --no-kaslr \
	--cpus 2 --pin 0:1 --detach
check "huge pages: the guest is up" wait_for 60 waiting huge
said huge >"$work/out"
check "--no-kaslr: the kernel lies where it was linked" test "$(kernel_at)" = $linked
sluice vm stat huge --json >"$work/stat"
check "huge pages: vm stat says so" jq -e '.memory.text | test("256 MiB in 128 pages of 2M")' "$work/stat"
jq .memory.text "$work/stat" | sed 's/^/#   /'
check "huge pages: the guest's RAM is in them" test "$(pages_free)" -lt 130

# ---- threads ----
threads=/proc/$(pgrep -x sluice-vmm)/task
cat "$threads"/*/comm >"$work/threads"
check_text "the first CPU's thread has its name" "^huge/cpu0$" "$work/threads"
check_text "the second's too" "^huge/cpu1$" "$work/threads"
# allowed NAME: the CPUs that the thread may run on
allowed() {
	sed -n 's/^Cpus_allowed_list:\t//p' "$(dirname "$(grep -lx "$1" "$threads"/*/comm)")/status"
}
check "the first CPU is pinned" test "$(allowed huge/cpu0)" = 1
check "the second is not" test "$(allowed huge/cpu1)" = 0-1
check "vm stop" sluice vm stop huge
check "the huge pages are free again" test "$(pages_free)" = 130
echo 0 >/proc/sys/vm/nr_hugepages

# ---- an ELF kernel by its PVH entry ----
boot "PVH" timeout 120 sluice vm run pvh --kernel "$LAB_VMLINUX" --initrd "$LAB_INITRD" \
	--append "console=ttyS0 quiet panic=-1" --memory 256M </dev/null

# ---- what a kernel says about us ----
boot "4 CPUs" timeout 120 sluice vm run facts --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" \
	--append "console=ttyS0 panic=-1" --cpus 4 --memory 256M </dev/null
check_text "every CPU is found" "Brought up 1 node, 4 CPUs" "$work/out"
check_text "and is there in user space" "SLUICE-GUEST: cpus 4" "$work/out"
check_text "the ECAM window is found" "PCI: ECAM \[mem 0x[0-9a-f]+-0x[0-9a-f]+\].*bus 00" "$work/out"
check_text "and is reserved" "system 00:.*mem 0xe0000000-0xefffffff\] has been reserved" "$work/out"
check_text "_OSC hands PCI Express over" "_OSC: OS now controls \[.*PCIe" "$work/out"
check_text "the power button is found" "Power Button \[PWR" "$work/out"
check "no complaint about firmware" sh -c \
	"! grep -E 'ACPI (BIOS )?(Error|Warning)|Firmware Bug' $work/out >&2"

# ---- many CPUs ----
# tiny does not wake the other CPUs, but all 64 threads wait in KVM when it ends.
timeout 60 sluice vm run many --kernel "$SLUICE_BUILD/guest/tiny" --cpus 64 --memory 512M \
	</dev/null >"$work/out" 2>&1
check "64 CPUs, tiny guest: status 0" test $? = 0
check_text "64 CPUs, tiny guest: it ran" "tiny guest: up" "$work/out"
# Linux wakes each: on two emulated CPUs 64 of them need more than two minutes, so 16 must do.
boot "16 CPUs" guest crowd "" --cpus 16 --memory 512M
check_text "16 CPUs: the guest has them all" "SLUICE-GUEST: cpus 16" "$work/out"
unchanged "everything is as before the VMs" "$before"
finish
