#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 420
#
# A guest with two disks: one that it may write, with a queue per CPU, and one read-only, from which it
# runs fio with the libraries of this machine. What fio wrote is verified in the guest, and the whole
# disk once more from the host.
. tests/lab/lib.sh

# ---- a disk with fio on it ----
tools=$work/tools
mkdir -p "$tools"/{bin,lib}
cp "$(command -v fio)" "$tools/bin/"
ldd "$(command -v fio)" | awk '$3 ~ /^\// { print $3 }' | xargs -I{} cp -L {} "$tools/lib/"
cp -L /lib64/ld-linux-x86-64.so.2 "$tools/lib/"
check "a disk with fio is made" mke2fs -q -t ext2 -d "$tools" "$work/tools.img" 128M
rm -rf "$tools"

cat >"$work/disks-guest" <<'GUEST'
export PATH=/bin
blk=/sys/block
fact() { echo "SLUICE-GUEST: $*"; }
fact "vda serial $(cat $blk/vda/serial) queues $(ls $blk/vda/mq | wc -l) ro $(cat $blk/vda/ro)"
fact "vdb serial $(cat $blk/vdb/serial) queues $(ls $blk/vdb/mq | wc -l) ro $(cat $blk/vdb/ro)"

fact "rng $(cat /sys/class/misc/hw_random/rng_current) $(dd if=/dev/hwrng bs=64 count=4 2>/dev/null | wc -c)"
dd if=/dev/zero of=/dev/vdb bs=4096 count=1 oflag=direct 2>/dev/null && fact "vdb was written"
mkdir -p /tools /tmp
mount -t ext2 -o ro /dev/vdb /tools || fact "vdb not mounted"
fio() {
	/tools/lib/ld-linux-x86-64.so.2 --library-path /tools/lib /tools/bin/fio "$@"
}
fio --name=verify --filename=/dev/vda --direct=1 --thread --ioengine=libaio --iodepth=16 --rw=randwrite \
	--bsrange=512-64k --size=12M --offset_increment=16M --numjobs=2 --verify=crc32c --verify_fatal=1 \
	--fsync=32 --group_reporting --output-format=terse --terse-version=3 >/tmp/fio 2>&1
fact "fio status $? $(awk -F';' '/^3;/ { print "error " $5 " read " $6 " written " $47 }' /tmp/fio)"
grep -v '^3;' /tmp/fio | head -n 5
grep -q guest.discard /proc/cmdline && { blkdiscard -o 0 -l 8388608 /dev/vda && fact "discarded"; }
sync
fact "vda sum $(dd if=/dev/vda bs=1M iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1)"
fact "vda interrupts $(grep -c 'virtio.*-req' /proc/interrupts)"
GUEST
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd --bare \
	--module button --module evdev --module virtio_blk --module crc32c_generic --module ext4 --module virtio-rng \
	--init "$work/disks-guest" "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio

image=$work/web.img
truncate -s 48M "$image"
before=$(host_state)

sum_of() {
	sha256sum "$1" | cut -d' ' -f1
}

used() { # KiB
	du -k "$1" | cut -f1
}

# ---- bad input ----
truncate -s 1000 "$work/odd.img"
: >"$work/empty.img"
mkfifo "$work/fifo"
bad() { # STATUS REGEX DESCRIPTION SPEC...
	local status=$1 regex=$2 what=$3 spec options=()
	shift 3
	for spec; do options+=(--disk "$spec"); done
	refused "$status" "$regex" "$what" guest bad "" --memory 192M "${options[@]}"
}
bad 1 "missing.img not opened: No such file" "a disk that is not there" "$work/missing.img"
bad 1 "neither a file nor a block device" "a folder as a disk" "$work"
bad 1 "neither a file nor a block device" "a pipe as a disk" "$work/fifo"
bad 1 "1000 bytes, which is no multiple of 512" "a size that no disk has" "$work/odd.img"
bad 1 "empty.img is empty" "an empty file" "$work/empty.img"
bad 1 "is in use by another program, or another --disk" "the same image twice" "$image" "$image"
bad 2 "unknown setting 'rw'" "a setting that is none" "$image,rw"
bad 2 "queues '0'" "no queues" "$image,queues=0"
many=()
for n in $(seq 17); do many+=("$work/many$n"); done
bad 2 "more than 16 disks" "seventeen disks" "${many[@]}"
unchanged "refusals change nothing" "$before"

# ---- fio, as split rings on two CPUs ----
guest web "guest.discard" --memory 256M --cpus 2 --rng --disk "$image,serial=WEB-1" \
	--disk "$work/tools.img,ro,serial=TOOLS,queues=1" >"$work/out" 2>&1
check "a guest with disks: status 0" test $? = 0
grep SLUICE-GUEST "$work/out" | sed 's/^/#   /'
check_text "the first disk: serial, a queue per CPU, writable" "vda serial WEB-1 queues 2 ro 0" "$work/out"
check_text "the second disk: serial, one queue, read-only" "vdb serial TOOLS queues 1 ro 1" "$work/out"
check_text "entropy comes from the host" "rng virtio_rng.0 256" "$work/out"
check "the read-only disk was not written" test "$(grep -c "vdb was written" "$work/out")" = 0
check_text "fio verifies without errors" "fio status 0 error 0 read [1-9]" "$work/out"
check_text "the guest discards 8 MiB" "discarded" "$work/out"
check "the image has holes now" test "$(used "$image")" -lt 20480
seen=$(sed -n 's/.*vda sum \([0-9a-f]*\).*/\1/p' "$work/out")
check "host and guest see the same bytes" test "$(sum_of "$image")" = "$seen"
echo "# $(used "$image") KiB used of 48 MiB; sum ${seen:0:16}"

# ---- locks, and what vm show and vm stat tell ----
check "a VM holds the image" guest one "guest.wait" --memory 192M --detach --disk "$image,serial=ONE" \
	--disk "$work/tools.img,ro"
refused 1 "web.img is in use by vm one" "a second VM for the image" guest two "" --memory 192M \
	--disk "$image"
refused 1 "web.img is in use by vm one, which writes" "a second VM that only reads it" \
	guest two "" --memory 192M --disk "$image,ro"
check "read-only images are for many" sluice vm run two --kernel "$LAB_KERNEL" --disk "$work/tools.img,ro" \
	--dry-run
check "share asks for no lock" sluice vm run two --kernel "$LAB_KERNEL" --disk "$image,share" --dry-run
check "the guest is done" wait_for 150 waiting one
sluice vm stat one --json >"$work/stat"
check "vm stat: the disk's requests" jq -e '.disks[0] | .serial == "ONE" and .state == "running" and
	.reads > 0 and .writes > 0 and .errors == 0 and .held == 0' "$work/stat"
check "vm stat: kicks came without exits" jq -e '[.regions[] | select(.name | test("disk web")) | .writes]
	| length > 0 and add < 200' "$work/stat"
sluice vm stat one | grep -A 3 '^DISK' | sed 's/^/#   /'
check "vm show names the disks" test "$(sluice vm show one --json | jq -r '.disks | length')" = 2
check "vm stop" sluice vm stop one
check "the lock is gone" sluice vm run two --kernel "$LAB_KERNEL" --disk "$image" --dry-run

# ---- a host without space ----
mkdir "$work/small"
mount -t tmpfs -o size=20m none "$work/small"
truncate -s 48M "$work/small/full.img"
check "a VM on a full host" guest full "guest.wait" --memory 192M --detach \
	--disk "$work/small/full.img,serial=FULL" --disk "$work/tools.img,ro"
stopped() {
	sluice vm stat full --json | jq -e '.disks[0] | .state == "stopped: no space" and .held > 0 and .errors == 0'
}
check "the disk is stopped, and vm stat says so" wait_for 150 stopped
check_text "so does the log" "disk full.img: stopped: the host cannot store" /run/sluice/vm/full/vmm.log
mount -o remount,size=64m "$work/small"
check "the guest goes on when there is space" wait_for 150 waiting full
said full >"$work/out"
check_text "and has seen no error" "fio status 0 error 0" "$work/out"
check "vm stop" sluice vm stop full
umount "$work/small"
unchanged "nothing is left" "$before"
finish
