#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 420
#
# A guest whose disk is a qcow2 image, read by qemu-storage-daemon, and whose NIC is a port of a small
# switch (tests/tools/vu_net.c), both over vhost-user. Both are killed and come back, the VM is saved
# and restored, and killed itself; a host without space is the guest's to hear of.
. tests/lab/lib.sh

modprobe tun
tools=$work/tools
mkdir -p "$tools"/{bin,lib}
cp "$(command -v fio)" "$tools/bin/"
ldd "$(command -v fio)" | awk '$3 ~ /^\// { print $3 }' | xargs -I{} cp -L {} "$tools/lib/"
cp -L /lib64/ld-linux-x86-64.so.2 "$tools/lib/"
check "a disk with fio is made" mke2fs -q -t ext2 -d "$tools" "$work/tools.img" 128M
rm -rf "$tools"
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd --bare \
	--module button --module evdev --module virtio_pci --module virtio_blk --module virtio_net \
	--module af_packet --module crc32c_generic --module ext4 --init tests/guest/engine.sh "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio
image=$work/web.qcow2
check "an image is made" qemu-img create -q -f qcow2 "$image" 64M
truncate -s 8M "$work/raw.img"
before=$(host_state)

# ---- bad input ----
bad() { # STATUS REGEX DESCRIPTION OPTION...
	local status=$1 regex=$2 what=$3
	shift 3
	refused "$status" "$regex" "$what" guest bad "" --memory 192M "$@"
}
bad 1 "raw.img is not served: Image is not in qcow2 format" "an image of another format" \
	--disk "$work/raw.img,format=qcow2"
bad 2 "format 'qcow9': there are raw, qcow2" "a format that is none" --disk "$image,format=qcow9"
bad 2 "serial: only for raw images" "a serial number for an engine" --disk "$image,format=qcow2,serial=A"
bad 1 "vhost-user /run/nobody.sock not found: No such file" "a disk that nobody serves" \
	--disk vhost-user=/run/nobody.sock
bad 1 "raw.img is no socket" "a socket that is none" --disk "vhost-user=$work/raw.img"
bad 1 "start the switch first" "a port that is not there" --net vhost-user=/run/nobody.sock
refused 1 "missing.qcow2 not opened: No such file" "an image that is not there" guest bad "" \
	--memory 192M --disk "$work/missing.qcow2,format=qcow2"
SLUICE_STORAGE_DAEMON=/nowhere/qemu-storage-daemon bad 1 "not served: .* install qemu-system-common" \
	"an engine that is not installed" --disk "$image,format=qcow2"
unchanged "refusals change nothing" "$before"

# ---- both at work ----
start_switch() {
	"$SLUICE_BUILD/tests/tools/vu_net" /run/port.sock wire0 "$@" &
	switch=$!
	wait_for 10 ip link set wire0 up
	ip addr add 192.168.78.1/24 dev wire0 2>/dev/null
}
# The VM is on a console of ours throughout: what is typed goes in by a pipe, what is said lands in a file.
mkfifo "$work/keys"
exec 7<>"$work/keys"
tell() {
	echo "$*" >&7
}
heard() { # TEXT
	grep -q "SLUICE-GUEST: $1" "$work/out"
}
pings() { # COUNT: so many have gone well by now
	test "$(grep -c "SLUICE-GUEST: ping 5 packets transmitted, 5 packets received" "$work/out")" = "$1"
}
engine() {
	pgrep -f "^qemu-storage-daemon"
}
log=/run/sluice/vm/web/vmm.log

start_switch
sluice vm run web --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" --append "console=ttyS0 quiet panic=-1 guest.fio" \
	--memory 192M --cpus 2 --disk "$image,format=qcow2" --disk "$work/tools.img,ro" \
	--net vhost-user=/run/port.sock <&7 >"$work/out" 2>&1 &
job=$!
check "a guest with a qcow2 disk and a port is ready" wait_for 240 heard ready
grep SLUICE-GUEST "$work/out" | sed 's/^/#   /'
check_text "the disk: a queue per CPU, writable, with a cache" "vda queues 2 ro 0 size 131072 cache write back" "$work/out"
check_text "fio verifies without errors" "fio status 0 error 0 read [1-9]" "$work/out"
check_text "the NIC has its address" "mac 02:" "$work/out"
tell "ping 192.168.78.1"
check "frames go both ways" wait_for 90 pings 1
check "vm stat tells who serves what" sh -c "sluice vm stat web --json | jq -e '.disks[0].backend == \"vhost-user\" and
	.disks[0].state == \"running\" and .disks[0].size == 67108864 and .nets[0].backend == \"vhost-user\" and .nets[0].up'"
refused 1 "web.qcow2 is in use by vm web" "a second VM for the image" guest two "" --memory 192M \
	--disk "$image,format=qcow2"
refused 1 "web.qcow2 is in use by vm web" "a second VM that only reads it" guest two "" --memory 192M \
	--disk "$image,format=qcow2,ro"
refused 1 "web.qcow2 is in use by vm web" "its bytes, read as raw" guest two "" --memory 192M --disk "$image,ro"

# ---- they die, and come back ----
tell "round 1"
check "a pattern comes back" wait_for 90 heard "round 1 ok"
first=$(engine)
kill -9 "$first"
check "the engine is started again" wait_for 60 sh -c "pgrep -f '^qemu-storage-daemon' | grep -qv '^$first\$'"
tell "round 2"
check "the guest goes on without having noticed" wait_for 90 heard "round 2 ok"
check_text "the log tells of it" "disk web.qcow2: its engine .* was killed by signal 9; started again" "$log"
check_text "and of the way back" "disk web.qcow2: its back-end at .* is back" "$log"
kill -9 $switch
start_switch
tell "ping 192.168.78.1"
check "so does the NIC" wait_for 90 pings 2

# ---- saved and restored ----
check "vm save" sluice vm save web "$work/web.vm"
check "its engine has closed the image" test -z "$(engine)"
wait $job
: >"$work/out"
sluice vm restore "$work/web.vm" <&7 >"$work/out" 2>&1 &
job=$!
check "vm restore" wait_for 150 sh -c "sluice vm show web --json | jq -e '.state == \"running\"'"
tell "round 3"
check "the disk works after it" wait_for 90 heard "round 3 ok"
tell "ping 192.168.78.1"
check "and the NIC" wait_for 90 pings 1

# ---- plugged in, from a host that has little space: the engine tells the guest ----
mkdir "$work/small"
mount -t tmpfs -o size=4m none "$work/small"
check "a second image" qemu-img create -q -f qcow2 "$work/small/more.qcow2" 16M
check "is plugged in" sluice vm attach web --disk "$work/small/more.qcow2,format=qcow2"
check "and has an engine" test "$(engine | wc -l)" = 2
check "vm show has it" sh -c "sluice vm show web --json | jq -e '.disks | length == 3'"
tell "fill 6"
check "the guest sees errors" wait_for 120 heard "fill status 1"
mount -o remount,size=32m "$work/small"
tell "fill 6"
check "and none when there is space" wait_for 120 heard "fill status 0"
check "it goes again" sluice vm detach web "$work/small/more.qcow2"
check "with its engine" wait_for 20 sh -c "test \$(pgrep -f '^qemu-storage-daemon' | wc -l) = 1"
umount "$work/small"

# ---- killed ----
pkill -9 -x sluice-vmm
check "the engine goes with a VMM that is killed" wait_for 60 sh -c "! pgrep -f '^qemu-storage-daemon'"
wait $job
check "vm stop cleans up" sluice vm stop web
check "the image is whole" qemu-img check -q "$image"
kill -9 $switch
rm -f /run/port.sock
unchanged "nothing is left" "$before"
finish
