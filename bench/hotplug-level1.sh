#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The half of bench-hotplug that runs on the emulated host. What sluice's command does beside (taking
# the VF from its driver, setting its address, giving it back) is done for QEMU before the clock
# starts, and not counted.
set -euo pipefail
rounds=${1:-4} memory=${2:-512}
sluice=$SLUICE_BUILD/root/usr/bin/sluice
append='console=ttyS0 quiet panic=-1'
work=$(mktemp -d)
trap 'kill -KILL $(jobs -p) 2>/dev/null || true' EXIT

lab/guest-initrd --init tests/guest/hotplug.sh "$work/guest.cpio" >/dev/null
"$sluice" vf create eth0 --count 1 --probe >/dev/null
vf=$(basename "$(readlink /sys/class/net/eth0/device/virtfn0)")
until [ -e "/sys/bus/pci/devices/$vf/driver" ]; do
	sleep 0.1
done
echo "hotplug: $rounds rounds, guest of $memory MiB, $(uname -r)"

ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}
said() { # TEXT: waits until the guest has said it
	local deadline=$((SECONDS + 60))
	until grep -qF "SLUICE-GUEST: $1" "$work/out"; do
		[ $SECONDS -lt $deadline ] || { echo "hotplug: the guest never said: $1" >&2 && exit 1; }
		sleep 0.01
	done
}
row() { # WHO ROUND ATTACH NIC DETACH GONE
	printf '%-16s round %d  attach: command %5d ms, in the guest %5d ms   detach: command %5d ms, gone %5d ms\n' "$@"
	echo "$*" >>"$work/results"
}

# ---- sluice ----
run_sluice() { # WHO OPTION...
	local who=$1 begin attach nic detach gone i
	shift
	"$sluice" vm run bench --memory "${memory}M" --kernel "$LAB_KERNEL" --initrd "$work/guest.cpio" \
		--append "$append" "$@" </dev/null >"$work/out" 2>&1 &
	said "memory"
	[ $# = 0 ] || until [ "$("$sluice" vm stat bench --json | jq .memory.present_kib)" -ge $((memory * 1024)) ]; do
		sleep 0.2
	done
	sleep 2
	for ((i = 1; i <= rounds; i++)); do
		begin=$(ms)
		"$sluice" vf attach bench eth0/0:mac=02:00:00:00:05:01 >/dev/null
		attach=$(($(ms) - begin))
		said "nic $i "
		nic=$(($(ms) - begin))
		said "ping $i ok"
		begin=$(ms)
		"$sluice" vf detach bench eth0/0 >/dev/null
		detach=$(($(ms) - begin))
		said "gone $i"
		gone=$(($(ms) - begin))
		row "$who" $i $attach $nic $detach $gone
	done
	"$sluice" vm kill bench >/dev/null
	wait
}

# ---- QEMU ----
qemu() {
	local tree=$LAB_QEMU
	exec env QEMU_MODULE_DIR="$tree/usr/lib/x86_64-linux-gnu/qemu" \
		"$tree/usr/lib64/ld-linux-x86-64.so.2" \
		--library-path "$tree/usr/lib/x86_64-linux-gnu" \
		"$tree/usr/bin/qemu-system-x86_64" \
		-L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios" \
		-machine q35 -accel kvm -cpu host -smp 1 -m "$memory" -nodefaults -no-user-config \
		-display none -serial stdio -no-reboot \
		-device pcie-root-port,id=rp1,slot=1 \
		-chardev pipe,id=ctl,path="$work/ctl" -mon chardev=ctl,mode=control \
		-kernel "$LAB_KERNEL" -initrd "$work/guest.cpio" -append "$append"
}
answer() { # REGEX: waits for a line of QEMU's that matches
	local line
	while IFS= read -r -t 60 -u 4 line; do
		[[ $line =~ $1 ]] && return
		[[ $line =~ '"error"' ]] && echo "hotplug: QEMU: $line" >&2 && exit 1
	done
	echo "hotplug: QEMU never answered: $1" >&2
	tail -n 20 "$work/out" >&2
	exit 1
}
run_qemu() {
	local begin attach nic detach gone i
	ip link set eth0 vf 0 mac 02:00:00:00:05:01
	echo "$vf" >"/sys/bus/pci/devices/$vf/driver/unbind"
	echo vfio-pci >"/sys/bus/pci/devices/$vf/driver_override"
	echo "$vf" >/sys/bus/pci/drivers_probe
	mkfifo "$work/ctl.in" "$work/ctl.out"
	qemu </dev/null >"$work/out" 2>&1 &
	exec 3>"$work/ctl.in" 4<"$work/ctl.out"
	echo '{"execute": "qmp_capabilities"}' >&3
	answer '"return"'
	said "memory"
	sleep 2
	for ((i = 1; i <= rounds; i++)); do
		begin=$(ms)
		echo '{"execute": "device_add", "arguments": {"driver": "vfio-pci", "host": "'"$vf"'", "bus": "rp1", "id": "nic"}}' >&3
		answer '"return"'
		attach=$(($(ms) - begin))
		said "nic $i "
		nic=$(($(ms) - begin))
		said "ping $i ok"
		begin=$(ms)
		echo '{"execute": "device_del", "arguments": {"id": "nic"}}' >&3
		answer 'DEVICE_DELETED.*"nic"'
		detach=$(($(ms) - begin))
		said "gone $i"
		gone=$(($(ms) - begin))
		row qemu-q35 $i $attach $nic $detach $gone
	done
	echo '{"execute": "quit"}' >&3
	wait
	exec 3>&- 4<&-
}

[ -n "${ONLY_QEMU:-}" ] || run_sluice sluice
[ -n "${ONLY_QEMU:-}" ] || run_sluice sluice-prefault --prefault
run_qemu

echo
awk '{ k = $1 ($2 == 1 ? " first" : " later"); if (!(k in n)) order[++m] = k; n[k]++
		for (i = 3; i <= 6; i++) s[k, i] += $i }
	END {
		printf "%-24s %16s %16s %16s %16s\n", "mean, ms", "attach command", "NIC in guest", "detach command", "gone in guest"
		for (i = 1; i <= m; i++) {
			k = order[i]
			printf "%-24s %16d %16d %16d %16d\n", k, s[k, 3] / n[k], s[k, 4] / n[k], s[k, 5] / n[k], s[k, 6] / n[k]
		}
	}' "$work/results"
