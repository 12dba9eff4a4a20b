#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The half of bench-blk that runs on the emulated host: starts each monitor in turn with the same two
# disks (the one that is read, and a read-only one with fio), and adds up what the guest's fio says and
# what the monitor's process used of the host's CPUs meanwhile.
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

cat >"$work/read" <<GUEST
export PATH=/bin
mkdir -p /tools /tmp
mount -t ext2 -o ro /dev/vdb /tools
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
start_sluice() {
	exec "$sluice" vm run bench --memory 256M --kernel "$LAB_KERNEL" --initrd "$work/guest.cpio" \
		--append "$append" --disk "$work/data.img" --disk "$work/tools.img,ro"
}

qemu() {
	local tree=$LAB_QEMU
	exec env QEMU_MODULE_DIR="$tree/usr/lib/x86_64-linux-gnu/qemu" \
		"$tree/usr/lib64/ld-linux-x86-64.so.2" \
		--library-path "$tree/usr/lib/x86_64-linux-gnu" \
		"$tree/usr/bin/qemu-system-x86_64" \
		-L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios" \
		-machine q35 -accel kvm -cpu host -smp 1 -m 256 -nodefaults -no-user-config \
		-display none -serial stdio -no-reboot \
		-kernel "$LAB_KERNEL" -initrd "$work/guest.cpio" -append "$append" \
		-drive "if=none,id=a,format=raw,aio=io_uring,file=$work/data.img" \
		-drive "if=none,id=b,format=raw,aio=io_uring,readonly=on,file=$work/tools.img" "$@"
}
start_qemu() {
	qemu -device virtio-blk-pci,drive=a -device virtio-blk-pci,drive=b
}
start_qemu-iothread() {
	qemu -object iothread,id=t -device virtio-blk-pci,drive=a,iothread=t -device virtio-blk-pci,drive=b
}

one_run() { # NAME: prints "iops p99us cpu-seconds", the last from start to end
	local name=$1 begin end
	begin=$(cpu_of_children)
	("start_$name") >"$work/out" 2>&1 </dev/null &
	wait $! || true
	end=$(cpu_of_children)
	if ! grep -q 'iops [1-9]' "$work/out"; then
		echo "blk: $name: the guest's fio said nothing:" >&2
		tail -n 15 "$work/out" >&2
		exit 1
	fi
	sed -n 's/.*iops \([0-9]*\) p99us \([^ ]*\).*/\1 \2/p' "$work/out" | tr -d '\r' |
		awk -v a="$begin" -v b="$end" '{ sub(/.*=/, "", $2); printf "%d %d %.1f\n", $1, $2, b - a }'
}

# Of those that have ended and were waited for: columns 16 and 17, in ticks of a hundredth.
cpu_of_children() {
	awk '{ print ($16 + $17) / 100 }' /proc/$$/stat
}

read -ra names <<<"${BENCH_MONITORS:-sluice qemu qemu-iothread}"
echo "blk: $rounds rounds of $seconds s, interleaved; random reads of 4 KiB, depth $depth, 1 vCPU, $(uname -r)"
for ((round = 1; round <= rounds; round++)); do
	for name in "${names[@]}"; do
		one_run "$name" >"$work/result"
		read -r iops p99 cpu <"$work/result"
		echo "$name $iops $p99 $cpu" >>"$work/results"
		printf 'round %d  %-14s %7d IOPS   p99 %7d us   CPU %5.1f s\n' "$round" "$name" "$iops" "$p99" "$cpu"
	done
done

echo
awk '{ n[$1]++; v[$1, n[$1]] = $2; p[$1, n[$1]] = $3 }
	function median(x, name,    i, j, k, s, t) {
		k = n[name]
		for (i = 1; i <= k; i++) s[i] = x[name, i]
		for (i = 2; i <= k; i++)
			for (j = i; j > 1 && s[j] < s[j - 1]; j--) { t = s[j]; s[j] = s[j - 1]; s[j - 1] = t }
		return k % 2 ? s[(k + 1) / 2] : (s[k / 2] + s[k / 2 + 1]) / 2
	}
	END {
		printf "%-14s %10s %10s %8s\n", "monitor", "IOPS", "p99 (us)", "ratio"
		split("sluice qemu qemu-iothread", order, " ")
		for (i = 1; i <= 3; i++) if (order[i] in n) {
			m = median(v, order[i])
			if (order[i] != "sluice" && m > best) { best = m; who = order[i] }
			printf "%-14s %10d %10d %8.2f\n", order[i], m, median(p, order[i]), m / median(v, "sluice")
		}
		if (best) printf "\nsluice reads %.2f times as often as the fastest other (%s). Medians of one run on an emulated host.\n",
			median(v, "sluice") / best, who
	}' "$work/results"
rm -rf "$work"
