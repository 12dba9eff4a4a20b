#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --cpus 2 --timeout 420
#
# What a VM can be made of, without devices: kernels packed and as ELF, the cache of unpacked ones,
# the place where a kernel lies, huge pages, pinned and named threads. Many CPUs: cpus.sh.
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

unchanged "everything is as before the VMs" "$before"
finish
