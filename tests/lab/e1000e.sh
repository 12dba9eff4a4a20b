#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 420
#
# An emulated 82574 and the driver that every Linux guest has for it: its self test, transfers in both
# directions, jumbo frames, other ring sizes, link flaps from both ends; and a while of all of it at
# once (SLUICE_SOAK_SECONDS, 10).
. tests/lab/lib.sh

soak=${SLUICE_SOAK_SECONDS:-10}
modprobe -a tun
check "a helper for the guest is built" cc -static -o "$work/nic" tests/tools/nic.c
cat >"$work/e1000e.sh" <<GUEST
soak=$soak
GUEST
cat >>"$work/e1000e.sh" <<'GUEST'
say() { echo "SLUICE-GUEST: $*"; }
carrier() { # 0|1
	n=0
	until [ "$(cat /sys/class/net/eth0/carrier 2>/dev/null)" = "$1" ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || return 1
		usleep 100000
	done
}
up() {
	ip link set eth0 up
	carrier 1
}
say "driver $(basename "$(readlink /sys/class/net/eth0/device/driver)") mac $(cat /sys/class/net/eth0/address)"
up && say "link up, speed $(cat /sys/class/net/eth0/speed)"
say "vectors $(ls /sys/class/net/eth0/device/msi_irqs | wc -l)"
ip addr add 192.168.79.2/24 dev eth0
say "$(ping -q -c 20 -A -W 5 192.168.79.1 | grep received)"
head -c 5000000 /dev/urandom >/tmp/up
nc 192.168.79.1 7001 >/tmp/down
say "down $(sha256sum </tmp/down)"
nc 192.168.79.1 7002 </tmp/up
say "up $(sha256sum </tmp/up)"
say "large $(ping -q -c 5 -A -W 5 -s 1472 192.168.79.1 | grep received)"
rm /tmp/down
/nic ring eth0 512 1024 && carrier 1 && say "ring $(ping -q -c 5 -A -W 5 192.168.79.1 | grep received)"
ip link set eth0 mtu 9000 && carrier 1
say "jumbo $(ping -q -c 5 -A -W 5 -s 8000 192.168.79.1 | grep received)"
ip link set eth0 mtu 1500 && carrier 1
/nic restart eth0 && carrier 1 && say "negotiated anew"
/nic test eth0 | sed 's/^/SLUICE-GUEST: /'
up
say "after it $(ping -q -c 5 -A -W 5 192.168.79.1 | grep received)"
say "flap me"
carrier 0 && say "link went"
carrier 1 && say "link came $(ping -q -c 5 -A -W 5 192.168.79.1 | grep received)"
# ---- all at once ----
read -r now _ </proc/uptime
end=$((${now%.*} + soak))
rounds=0 bytes=0
(while :; do ping -q -f -c 1000 -W 1 192.168.79.1 >/dev/null; done) &
while read -r now _ </proc/uptime && [ "${now%.*}" -lt $end ]; do
	nc -w 20 192.168.79.1 7003 </tmp/up >/dev/null && bytes=$((bytes + 5))
	/nic ring eth0 $((80 + rounds % 5 * 200)) $((80 + rounds % 7 * 100))
	ip link set eth0 down
	up || say "no link after a flap"
	rounds=$((rounds + 1))
done
kill %1
say "soak: $rounds rounds"
say "soak: $(ping -q -c 20 -A -W 5 192.168.79.1 | grep received)"
say "interrupts $(awk '/eth0/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n }' /proc/interrupts)"
say "hangs $(dmesg | grep -ciE 'hang|watchdog: eth|unable|reset adapter unexp')"
GUEST
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd --bare \
	--module button --module evdev --module e1000e --module af_packet \
	--file "$work/nic:nic" --init "$work/e1000e.sh" "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio
head -c 8000000 /dev/urandom >"$work/down"

refused 2 "neither virtio nor e1000e" "a model that is not there" guest bad "" --net tap,model=ne2000
refused 2 "not with model=e1000e" "queues that it has not" guest bad "" --net tap,model=e1000e,queues=2

check "started" guest nic "guest.wait" --memory 256M --detach \
	--net tap,model=e1000e,mac=02:00:00:00:0e:01,mtu=9000
ip addr add 192.168.79.1/24 dev nic-n0
timeout 120 busybox nc -l -p 7001 <"$work/down" &
sleep 100 | timeout 120 busybox nc -l -p 7002 >"$work/up" &
(while sleep 0.1; do timeout 60 busybox nc -l -p 7003 >/dev/null </dev/null; done) &
sink=$!
said_flap() { [[ $(said nic) == *"flap me"* ]]; }
check "its guest has come to the link flaps" wait_for 150 said_flap
check "vm link down" sluice vm link nic nic-n0 down
went() { [[ $(said nic) == *"link went"* ]]; }
check "the guest sees that" wait_for 60 went
check "vm stat too" sh -c "sluice vm stat nic --json | jq -e '.nets[0].up == false'"
check "vm link up" sluice vm link nic nic-n0 up
check "its guest is done" wait_for $((120 + 2 * soak)) waiting nic
kill $sink
said nic >"$work/out"
check_text "the stock driver takes it" "driver e1000e mac 02:00:00:00:0e:01" "$work/out"
check_text "with a link" "link up, speed 1000" "$work/out"
check_text "and MSI-X" "vectors 3" "$work/out"
check_text "pings get through" "20 packets transmitted, 20 packets received" "$work/out"
check_text "8 MB to the guest" "down $(sha256sum <"$work/down")" "$work/out"
check_text "5 MB from the guest" "up $(sha256sum <"$work/up")" "$work/out"
check "they are 5 MB" test "$(stat -c %s "$work/up")" = 5000000
check_text "full frames" "large .*5 packets received" "$work/out"
check_text "other ring sizes" "ring .*5 packets received" "$work/out"
check_text "jumbo frames" "jumbo .*5 packets received" "$work/out"
check_text "the link negotiated anew" "negotiated anew" "$work/out"
for test in Register Eeprom Interrupt Loopback Link; do
	check_text "self test: $test" "$test test .*: 0" "$work/out"
done
check_text "self test: all of it" "self test passed" "$work/out"
check_text "it works after that" "after it .*5 packets received" "$work/out"
check_text "and after the host pulled the cable" "link came .*5 packets received" "$work/out"
check_text "soak: rounds of transfers, flaps and ring sizes" "soak: [1-9][0-9]* rounds" "$work/out"
check_text "soak: it works at the end" "soak: 20 packets transmitted, 20 packets received" "$work/out"
check "no flap without a link after it" sh -c "! grep -q 'no link after' $work/out"
check_text "no hang was seen" "hangs 0" "$work/out"
sluice vm stat nic --json >"$work/stat"
check "segments go out whole, not as 1448 bytes each" jq -e \
	'.nets[0] | .backend == "emulated" and .sent.bytes / .sent.packets > 2000' "$work/stat"
grep -E "soak|interrupts|test" "$work/out" | sed 's/^/# /'
check "stopped" sluice vm stop nic
finish
