#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 420
#
# What a guest talks to the host with: virtio-net on taps, moved by us and by the kernel, a vsock, a
# virtio console, a balloon; and a watchdog that the guest stops feeding.
. tests/lab/lib.sh

modprobe -a tun vhost_net vhost_vsock bridge
check "a helper for vsock is built" cc -static -o "$work/vsock" tests/tools/vsock.c

# One script for all guests; the kernel's arguments tell what there is to try.
cat >"$work/net.sh" <<'GUEST'
say() { echo "SLUICE-GUEST: $*"; }
has() { grep -qw "$1" /proc/cmdline; }
if [ -e /sys/class/net/eth0 ]; then
	say "mac $(cat /sys/class/net/eth0/address)"
	say "mtu $(cat /sys/class/net/eth0/mtu)"
	say "features $(cat /sys/class/net/eth0/device/features)"
	ip link set eth0 up
	ip addr add 192.168.77.2/24 dev eth0
	say "$(ping -q -c 20 -A -W 5 192.168.77.1 | grep received)"
	head -c 5000000 /dev/urandom >/tmp/up
	nc 192.168.77.1 7001 >/tmp/down
	say "down $(sha256sum </tmp/down)"
	nc 192.168.77.1 7002 </tmp/up
	say "up $(sha256sum </tmp/up)"
	say "busy queues $(grep -E 'virtio[0-9]*-(in|out)put' /proc/interrupts |
		awk '$2 + $3 > 0' | wc -l)"
	rm /tmp/up /tmp/down
fi
if has try.vsock; then
	/vsock listen 5000 &
	say "vsock listens"
fi
if has try.console; then
	echo "SLUICE-GUEST: said on hvc0" >/dev/hvc0
	(read -r line </dev/hvc0 && say "typed on hvc0: $line") &
fi
if has try.dog; then
	watchdog -T 4 -t 1 /dev/watchdog
	sleep 8
	say "fed for 8 s"
	killall -9 watchdog
	sleep 60
	say "nobody came"
fi
GUEST
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd --bare \
	--module button --module evdev --module virtio_pci --module virtio_net --module virtio_console \
	--module virtio_balloon --module vmw_vsock_virtio_transport --module i6300esb --module af_packet \
	--file "$work/vsock:vsock" --init "$work/net.sh" "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio
head -c 8000000 /dev/urandom >"$work/down"

# ---- what is refused ----
ip tuntap add wire0 mode tap
links() { ip -o link | wc -l; }
before=$(links)
refused 1 "no interface nope0" "a tap that does not exist" guest bad "" --net tap=nope0
refused 1 "lo is no tap" "an interface that is no tap" guest bad "" --net tap=lo
refused 1 "one queue only" "more queues than the tap has" guest bad "" --net tap=wire0,queues=2
refused 1 "no bridge br7" "a bridge that does not exist" guest bad "" --net tap,bridge=br7
refused 2 "neither multicast" "a multicast address" guest bad "" --net tap,mac=01:00:00:00:00:01
refused 2 "not an address" "a broken address" guest bad "" --net tap,mac=02:00
refused 2 "from 1 to 16" "too many queues" guest bad "" --net tap,queues=17
refused 2 "cannot be given back" "a balloon in huge pages" guest bad "" --balloon --memory 64M,pages=2m
refused 2 "below 3" "a context ID that is the host's" guest bad "" --vsock 2
check "no interface was made or lost" test "$(links)" = "$before"

# run NAME TAP APPEND OPTION...: a guest with a NIC does its transfers, and waits
run() {
	local name=$1 tap=$2 append=$3
	shift 3
	check "$name: started" guest "$name" "guest.wait $append" --memory 256M --cpus 2 --detach "$@"
	ip addr add 192.168.77.1/24 dev "$tap"
	timeout 60 busybox nc -l -p 7001 <"$work/down" &
	sleep 40 | timeout 60 busybox nc -l -p 7002 >"$work/up" &
	check "$name: its guest is done" wait_for 60 waiting "$name"
	said "$name" >"$work/out"
	check_text "$name: pings get through" "20 packets transmitted, 20 packets received" "$work/out"
	check_text "$name: 8 MB to the guest" "down $(sha256sum <"$work/down")" "$work/out"
	check_text "$name: 5 MB from the guest" "up $(sha256sum <"$work/up")" "$work/out"
	check "$name: they are 5 MB" test "$(stat -c %s "$work/up")" = 5000000
	sluice vm stat "$name" --json >"$work/stat"
	check "$name: vm stat counts them" jq -e \
		'.nets[0] | .received.bytes > 8000000 and .sent.bytes > 5000000 and .sent.packets > 100' \
		"$work/stat"
	check "$name: segments come and go whole, not as 1448 bytes each" jq -e \
		'.nets[0] | .received.packets < 4000 and .sent.packets < 2500' "$work/stat"
	sluice vm stat "$name" | sed -n '/^NICs/,/^$/p' | sed 's/^/#   /'
}

# ---- our own threads, two queues; and everything else beside it ----
ip link add br0 type bridge
ip link set br0 up
run all all-n0 "try.vsock try.console" --net tap,queues=2,mac=02:00:00:00:0a:01,mtu=1400,backend=user \
	--net tap,bridge=br0 --vsock 77 --console virtio --balloon
check "the second NIC is in its bridge" test -e /sys/class/net/br0/brif/all-n1
check_text "the address is as asked" "mac 02:00:00:00:0a:01" "$work/out"
check_text "the MTU too" "mtu 1400" "$work/out"
check_text "all four queues are used" "busy queues [4-9]" "$work/out"
# bits 0 CSUM, 7 GUEST_TSO4, 11 HOST_TSO4, 15 MRG_RXBUF, 22 MQ
check_text "offloads are agreed on" "features 1.{6}1.{3}1.{3}1.{6}1" "$work/out"
check "both pairs are in use" jq -e '.nets[0] | .queues_used == 2 and .backend == "user"' "$work/stat"
check "vsock: what is said comes back" test \
	"$(echo hello over there | timeout 10 "$work/vsock" connect 77 5000)" = "hello over there"
check_text "the guest speaks on hvc0" "said on hvc0" "$work/out"
echo typed-here | timeout 10 sluice vm console all >/dev/null
check "and hears there" wait_for 10 sh -c "timeout 5 sluice vm console all </dev/null | grep -q 'hvc0: typed-here'"
present() { sluice vm stat all --json | jq .memory.present_kib; }
check "idle pages go back by themselves" wait_for 20 sh -c \
	"sluice vm stat all --json | jq -e '.balloon.reported > 10000000'"
check "vm balloon" sluice vm balloon all 128M
check "the guest gives 128 MiB" wait_for 30 sh -c \
	"sluice vm stat all --json | jq -e '.balloon.actual == 134217728'"
echo "# present: $(present) KiB"
check "they are not there any more" test "$(present)" -lt $((140 * 1024))
check "and tells its own numbers" sh -c "sluice vm stat all --json | jq -e '.balloon.guest.total > 0'"
check "vm balloon gives them back" sluice vm balloon all 256M
check "the balloon is empty again" wait_for 30 sh -c \
	"sluice vm stat all --json | jq -e '.balloon.actual == 0'"
check "all: stopped" sluice vm stop all
check "its taps are gone" sh -c '! ls /sys/class/net | grep -q all-n'

# ---- the kernel's, on a tap that is there already ----
ip link set wire0 up
run kern wire0 "" --net tap=wire0
check "the kernel serves it" jq -e '.nets[0].backend == "vhost"' "$work/stat"
refused 1 "wire0 not opened.*busy" "a tap that is in use" guest bad "" --net tap=wire0
check "kern: stopped" sluice vm stop kern
check "its tap is still there" test -e /sys/class/net/wire0

# ---- the watchdog ----
guest dog "try.dog" --watchdog reset --on-reboot exit --memory 192M >"$work/out" 2>&1
check_text "a guest that feeds its watchdog lives" "fed for 8 s" "$work/out"
check_text "one that stops is reset" "ended: reboot" "$work/out"
check "in time" sh -c "! grep -q 'nobody came' $work/out"
finish
