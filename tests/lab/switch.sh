#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 300
#
# Two guests talk through the switch: one calls it, the other is called by it and has packed rings; in
# VLAN 10, past a tap of the host in the same VLAN. The switch is killed under traffic and comes back.
. tests/lab/lib.sh

cat >"$work/talk.sh" <<'GUEST'
say() { echo "SLUICE-GUEST: $*"; }
me=$(sed 's/.*talk\.me=\([0-9]*\).*/\1/' /proc/cmdline)
peer=$((3 - me))
ip link set eth0 up
ip addr add 192.168.88.$me/24 dev eth0
until ping -c 1 -W 1 192.168.88.$peer >/dev/null; do :; done
say "$(ping -q -c 20 -A -W 5 192.168.88.$peer | grep received)"
if [ $me = 1 ]; then
	until nc 192.168.88.2 7001 >/tmp/got 2>/dev/null && [ -s /tmp/got ]; do sleep 1; done
	say "got $(sha256sum </tmp/got)"
else
	head -c 2000000 /dev/urandom >/tmp/sent
	say "sent $(sha256sum </tmp/sent)"
	(while :; do nc -l -p 7001 </tmp/sent >/dev/null; done) &
fi
(
	n=0
	while :; do
		ping -c 1 -W 1 192.168.88.$peer >/dev/null && n=$((n + 1)) && say "alive $n"
		sleep 1
	done
) &
GUEST
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd --bare \
	--module button --module evdev --module virtio_pci --module virtio_net --module af_packet \
	--init "$work/talk.sh" "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio
modprobe tun

# ---- the switch ----
ip link set lo up
check "the switch starts" sluice switch start --memory 64M --buffers 4096 --sleep 1000 --metrics 127.0.0.1:9179
check "a bridge" sluice switch bridge br0 --add
check "a port that listens" sluice switch port one --add --bridge br0 --to "vhost:$work/one" --server \
	--vlan 10 --macs 02:00:00:00:88:01 --ips 192.168.88.1
check "a port that calls" sluice switch port two --add --bridge br0 --to "vhost:$work/two" --vlan 10
check "a tap of the host" sluice switch port host --add --bridge br0 --to tap:sw-host --vlan trunk:10,native=10
refused 1 "there is such a port" "a port twice" sluice switch port one --add --bridge br0 --to null
refused 1 "port .* is in it" "a bridge with ports" sluice switch bridge br0 --remove

# ---- the guests ----
check "one: started" guest one "talk.me=1 guest.wait" --memory 128M --detach \
	--net "vhost-user=$work/one,mac=02:00:00:00:88:01"
# Rings are split where a switch may be killed: how far a packed one got is then known to nobody (vhost_user_queues.c).
check "two: started" guest two "talk.me=2 guest.wait" --memory 128M --detach \
	--net "vhost-user=$work/two,mac=02:00:00:00:88:02,server"
check "one: its guest is done" wait_for 120 waiting one
check "two: its guest is done" wait_for 60 waiting two
said one >"$work/out1"
said two >"$work/out2"
check_text "pings from one to two" "20 packets transmitted, 20 packets received" "$work/out1"
check_text "pings from two to one" "20 packets transmitted, 20 packets received" "$work/out2"
check "2 MB arrive as they were" test "$(grep -o 'got [0-9a-f]*' "$work/out1" | cut -c5-)" = \
	"$(grep -o 'sent [0-9a-f]*' "$work/out2" | cut -c6-)"

# ---- what the switch knows ----
sluice switch show --json >"$work/show"
check "both are up" jq -e '[.ports[] | select(.kind == "vhost") | .up] == [true, true]' "$work/show"
check "each with the rings it asked for" jq -e '.ports[0:2] | all(.text | test("split"))' "$work/show"
sluice switch fdb br0 --json >"$work/fdb"
check "one's address is behind its port, in VLAN 10" jq -e \
	'any(.[]; .mac == "02:00:00:00:88:01" and .port == "one" and .vlan == 10)' "$work/fdb"
sluice switch stats --json >"$work/stats"
check "2 MB have been counted" jq -e '.[1].rx_bytes > 2000000 and .[0].tx_bytes > 2000000' "$work/stats"
echo "# two's frames: $(jq '.[1].rx_bytes / .[1].rx_packets | floor' "$work/stats") bytes on the average"
check "in frames that are larger than any cable carries" jq -e '.[1].rx_bytes / .[1].rx_packets > 1514' "$work/stats"
check "which nobody had to cut" jq -e '.[0].segmented == 0' "$work/stats"
check "nobody lied about addresses" jq -e '.[0].drops.security == null' "$work/stats"
ip addr add 192.168.88.9/24 dev sw-host
ip link set sw-host up
check "the host reaches both by its tap" sh -c \
	'busybox ping -q -c 3 -W 20 192.168.88.1 && busybox ping -q -c 3 -W 20 192.168.88.2'
# Its input stays open: an end of it would end two's nc as well.
check "and gets two's 2 MB, too" test "$(busybox nc 192.168.88.2 7001 < <(sleep 60) | sha256sum | cut -c1-64)" = \
	"$(grep -o 'sent [0-9a-f]*' "$work/out2" | cut -c6-)"
check "in frames that were cut for it" sh -c \
	"sluice switch stats host --json | jq -e '.[0].segmented > 0 and .[0].drops.oversize == null'"
check "a second worker comes under traffic" sluice switch set --workers 2
check "and has a queue" sh -c "sluice switch show --json | jq -e '[.workers[].queues] | length == 2 and min > 0'"
busybox wget -q -O "$work/metrics" http://127.0.0.1:9179/metrics
check_text "its counters are served" 'sluice_switch_segmented_packets_total.port="host",bridge="br0". [1-9]' "$work/metrics"
echo '{"rules": [{"name": "no-ping", "action": "deny", "protocol": "icmp"}]}' >"$work/list"
check "an access list" sluice switch acl quiet --load "$work/list"
check "is used" sluice switch set two --acl-in quiet
check "and stops pings" wait_for 30 sh -c "sluice switch acl quiet --json | jq -e '.hits[0] > 2'"
sluice switch trace two --seconds 5 --json >"$work/trace"
check_text "which a trace tells" '"reason": *"acl"' "$work/trace"
echo '{"rules": []}' >"$work/list"
check "swapped for an empty one" sluice switch acl quiet --load "$work/list"
check "frames are captured" sluice switch capture two --output "$work/two.pcapng" --packets 4 --seconds 20
check "in a file that says so" test "$(head -c 4 "$work/two.pcapng" | od -An -tx1 | tr -d ' ')" = 0a0d0d0a
check "one may not be somebody else" sluice switch set one --ips 192.168.88.77
check "then nothing comes from it" wait_for 30 sh -c \
	"sluice switch stats one --json | jq -e '.[0].drops.security > 0'"
check "and again it may" sluice switch set one --ips 192.168.88.1

# ---- killed, and back ----
alive() { said "$1" | grep -c 'alive'; }
more() { [ "$(alive "$1")" -gt "$2" ]; }
kill -9 "$(jq .pid "$work/show")"
check "a switch that is not there is said so" sh -c "sluice switch show 2>&1 | grep -q 'does not run'"
check "it starts again" sluice switch start
check "with all it had" jq -e -n --argjson now "$(sluice switch show --json)" \
	'[$now.ports[].name] == ["one", "two", "host"]'
one=$(alive one) two=$(alive two)
check "one talks on, without having done a thing" wait_for 60 more one "$((one + 2))"
check "two too" wait_for 60 more two "$((two + 2))"

check "one: stopped" sluice vm stop one --force
check "its port is down" wait_for 20 sh -c "sluice switch port one --json | jq -e '.up == false'"
check "two: stopped" sluice vm stop two --force
check "the switch stops" sluice switch stop
check "its tap is gone" test ! -e /sys/class/net/sw-host
finish
