# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# engine: /run.sh of a guest whose disk (vda) and NIC other processes serve. It verifies the disk with fio from
# vdb, and then does what the serial line says: "round N" writes and reads back a pattern, "ping ADDR" pings, "fill N"
# writes N MiB to vdc until there is an error.

export PATH=/bin
say() {
	echo "SLUICE-GUEST: $*"
}

blk=/sys/block
say "vda queues $(find $blk/vda/mq -mindepth 1 -maxdepth 1 | wc -l) ro $(cat $blk/vda/ro) size $(cat $blk/vda/size) cache $(cat $blk/vda/queue/write_cache)"
if [ -e /sys/class/net/eth0 ]; then
	ip link set eth0 up
	ip addr add 192.168.78.2/24 dev eth0
	say "mac $(cat /sys/class/net/eth0/address) mtu $(cat /sys/class/net/eth0/mtu)"
fi
mkdir -p /tools /tmp
mount -t ext2 -o ro /dev/vdb /tools || say "vdb not mounted"
if grep -q guest.fio /proc/cmdline; then
	/tools/lib/ld-linux-x86-64.so.2 --library-path /tools/lib /tools/bin/fio --name=verify \
		--filename=/dev/vda --direct=1 --thread --ioengine=libaio --iodepth=16 --rw=randwrite \
		--bsrange=512-64k --size=6M --offset_increment=16M --numjobs=2 --verify=crc32c \
		--verify_fatal=1 --fsync=32 --group_reporting --output-format=terse --terse-version=3 >/tmp/fio 2>&1
	say "fio status $? $(awk -F';' '/^3;/ { print "error " $5 " read " $6 " written " $47 }' /tmp/fio)"
	grep -v '^3;' /tmp/fio | head -n 5
fi

say "ready"
while read -r what arg; do
	case $what in
	round)
		dd if=/dev/urandom of=/tmp/pattern bs=64k count=4 2>/dev/null
		dd if=/tmp/pattern of=/dev/vda bs=64k seek=$((arg * 4)) oflag=direct conv=fsync 2>/dev/null
		dd if=/dev/vda of=/tmp/again bs=64k skip=$((arg * 4)) count=4 iflag=direct 2>/dev/null
		if cmp /tmp/pattern /tmp/again; then
			say "round $arg ok"
		else
			say "round $arg failed"
		fi
		;;
	ping) say "ping $(ping -q -A -c 5 -W 5 "$arg" | grep received)" ;;
	fill)
		head -c 1048576 /dev/urandom >/tmp/pattern
		status=0 n=0
		while [ $n -lt "$arg" ] && [ $status = 0 ]; do
			dd if=/tmp/pattern of=/dev/vdc bs=256k seek=$((n * 4)) oflag=direct 2>/tmp/fill
			status=$?
			n=$((n + 1))
		done
		say "fill status $status after $n MiB: $(head -n 1 /tmp/fill)"
		;;
	esac
done </dev/ttyS0
