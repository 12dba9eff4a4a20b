#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The half of bench-blk that runs on the emulated host: starts each monitor in turn with the same two
# disks (the one that is read, and a read-only one with fio), and adds up what the guest's fio says and
# how busy the host's CPUs were meanwhile, which nothing else uses: guest, monitor, engine and kernel.
set -euo pipefail
rounds=${1:-3} seconds=${2:-4} depth=${3:-16}
sluice=$SLUICE_BUILD/root/usr/bin/sluice
append='console=ttyS0 quiet panic=-1'
work=$(mktemp -d)

# ---- what all of them get ----
tools=$work/tools
mkdir -p "$tools"/{bin,lib}
cp "$(command -v fio)" "$tools/bin/"
ldd "$(command -v fio)" | awk '$3 ~ /^\// { print $3 }' | xargs -I{} cp -L {} "$tools/lib/"
cp -L /lib64/ld-linux-x86-64.so.2 "$tools/lib/"
mke2fs -q -t ext2 -d "$tools" "$work/tools.img" 128M
rm -rf "$tools"
head -c 64M /dev/urandom >"$work/data.img"
! command -v qemu-img >/dev/null || qemu-img convert -f raw -O qcow2 "$work/data.img" "$work/data.qcow2"

cat >"$work/read" <<GUEST
export PATH=/bin
mkdir -p /tools /tmp
mount -t ext2 -o ro /dev/vdb /tools
echo "SLUICE-GUEST: begin"
/tools/lib/ld-linux-x86-64.so.2 --library-path /tools/lib /tools/bin/fio --name=read --filename=/dev/vda \\
	--direct=1 --thread --ioengine=libaio --iodepth=$depth --rw=randread --bs=4k --time_based \\
	--ramp_time=1 --runtime=$seconds --norandommap --randrepeat=0 --output-format=terse \\
	--terse-version=3 >/tmp/fio 2>&1
awk -F';' '/^3;/ { print "SLUICE-GUEST: iops " \$8 " p99us " \$30 }' /tmp/fio
grep -q '^3;' /tmp/fio || cat /tmp/fio
GUEST
lab/guest-initrd --bare --module virtio_blk --module crc32c_generic --module ext4 --init "$work/read" \
	"$work/guest.cpio"

# ---- monitors ----
sluice() { # DISK
	exec "$sluice" vm run bench --memory 256M --kernel "$LAB_KERNEL" --initrd "$work/guest.cpio" \
		--append "$append" --disk "$1" --disk "$work/tools.img,ro"
}
start_sluice() {
	sluice "$work/data.img"
}
start_sluice-qcow2() {
	sluice "$work/data.qcow2,format=qcow2"
}

qemu() { # FORMAT FILE OPTION...
	local format=$1 file=$2 tree=$LAB_QEMU
	shift 2
	exec env QEMU_MODULE_DIR="$tree/usr/lib/x86_64-linux-gnu/qemu" \
		"$tree/usr/lib64/ld-linux-x86-64.so.2" \
		--library-path "$tree/usr/lib/x86_64-linux-gnu" \
		"$tree/usr/bin/qemu-system-x86_64" \
		-L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios" \
		-machine q35 -accel kvm -cpu host -smp 1 -m 256 -nodefaults -no-user-config \
		-display none -serial stdio -no-reboot \
		-kernel "$LAB_KERNEL" -initrd "$work/guest.cpio" -append "$append" \
		-drive "if=none,id=a,format=$format,aio=io_uring,file=$work/$file" \
		-drive "if=none,id=b,format=raw,aio=io_uring,readonly=on,file=$work/tools.img" "$@"
}
start_qemu() {
	qemu raw data.img -device virtio-blk-pci,drive=a -device virtio-blk-pci,drive=b
}
start_qemu-iothread() {
	qemu raw data.img -object iothread,id=t -device virtio-blk-pci,drive=a,iothread=t \
		-device virtio-blk-pci,drive=b
}
start_qemu-qcow2() {
	qemu qcow2 data.qcow2 -object iothread,id=t -device virtio-blk-pci,drive=a,iothread=t \
		-device virtio-blk-pci,drive=b
}

# Ticks of a hundredth that the CPUs were not idle, and the time in seconds.
busy() {
	awk 'NR == FNR && /^cpu / { print $2 + $3 + $4 + $7 + $8 } NR != FNR { print $1 }' /proc/stat /proc/uptime |
		tr '\n' ' '
}

# Waits until the guest has said it; fails when the monitor ended without.
until_said() { # TEXT
	until grep -q "$1" "$work/out"; do
		kill -0 "$job" 2>/dev/null || grep -q "$1" "$work/out" || return 1
		sleep 0.05
	done
}

one_run() { # NAME: prints "iops p99us thousands-of-cycles-per-I/O"
	local name=$1 begin='' end=''
	: >"$work/out"
	("start_$name") >"$work/out" 2>&1 </dev/null &
	job=$!
	! until_said "SLUICE-GUEST: begin" || begin=$(busy)
	! until_said "iops [1-9]" || end=$(busy)
	wait "$job" || true
	if [ -z "$end" ]; then
		echo "blk: $name: the guest's fio said nothing:" >&2
		tail -n 15 "$work/out" >&2
		exit 1
	fi
	sed -n 's/.*iops \([0-9]*\) p99us \([^ ]*\).*/\1 \2/p' "$work/out" | tr -d '\r' |
		awk -v span="$begin $end" -v mhz="$(awk '/^cpu MHz/ { print $4; exit }' /proc/cpuinfo)" '{
			split(span, t, " ")
			sub(/.*=/, "", $2)
			printf "%d %d %d\n", $1, $2, (t[3] - t[1]) / 100 * mhz * 1000 / ($1 * (t[4] - t[2]))
		}'
}

formats='' # image formats need an engine's tools
[ ! -e "$work/data.qcow2" ] || formats="sluice-qcow2 qemu-qcow2"
read -ra names <<<"${BENCH_MONITORS:-sluice qemu qemu-iothread $formats}"
echo "blk: $rounds rounds of $seconds s, interleaved; random reads of 4 KiB, depth $depth, 1 vCPU, $(uname -r)"
for ((round = 1; round <= rounds; round++)); do
	for name in "${names[@]}"; do
		one_run "$name" >"$work/result"
		read -r iops p99 cycles <"$work/result"
		echo "$name $iops $p99 $cycles" >>"$work/results"
		printf 'round %d  %-14s %7d IOPS   p99 %7d us   %6d kcycles per I/O\n' "$round" "$name" "$iops" "$p99" "$cycles"
	done
done

echo
awk '{ n[$1]++; if (n[$1] == 1) order[++kinds] = $1
		v[$1, n[$1]] = $2; p[$1, n[$1]] = $3; c[$1, n[$1]] = $4 }
	function median(x, name,    i, j, k, s, t) {
		k = n[name]
		for (i = 1; i <= k; i++) s[i] = x[name, i]
		for (i = 2; i <= k; i++)
			for (j = i; j > 1 && s[j] < s[j - 1]; j--) { t = s[j]; s[j] = s[j - 1]; s[j - 1] = t }
		return k % 2 ? s[(k + 1) / 2] : (s[k / 2] + s[k / 2 + 1]) / 2
	}
	function best(kind,    i, m, most) {
		for (i = 1; i <= kinds; i++)
			if (order[i] ~ /^qemu/ && (order[i] ~ /qcow2/) == kind && (m = median(v, order[i])) > most) {
				most = m
				who = order[i]
			}
		return most
	}
	END {
		printf "%-14s %10s %10s %12s %8s\n", "monitor", "IOPS", "p99 (us)", "kcycles/I/O", "ratio"
		for (i = 1; i <= kinds; i++)
			printf "%-14s %10d %10d %12d %8.2f\n", order[i], median(v, order[i]), median(p, order[i]),
				median(c, order[i]), median(v, order[i]) / median(v, order[1])
		print ""
		for (kind = 0; kind < 2; kind++)
			if (n[kind ? "sluice-qcow2" : "sluice"] && best(kind))
				printf "sluice reads %s %.2f times as often as the fastest other (%s). Medians of one run on an emulated host.\n",
					kind ? "qcow2" : "raw", median(v, kind ? "sluice-qcow2" : "sluice") / best(kind), who
	}' "$work/results"
rm -rf "$work"
