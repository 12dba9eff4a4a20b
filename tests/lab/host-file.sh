#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 400
#
# A whole host from one file: VFs with a pool, the switch with two ports, two VMs on it, one of them with a VF. Applied
# again nothing happens; a switch or a VM that is killed is back after one apply; what leaves the file goes.
. tests/lab/lib.sh

pf=$(pf)
cat >"$work/talk.sh" <<'GUEST'
me=$(sed 's/.*talk\.me=\([0-9]*\).*/\1/' /proc/cmdline)
nic=
for dir in /sys/class/net/*; do
	case $(readlink "$dir/device/driver") in */virtio_net) nic=${dir##*/} ;; esac
done
ip link set "$nic" up
ip addr add 192.168.77.$me/24 dev "$nic"
n=0
(
	while :; do
		ping -c 1 -W 1 192.168.77.$((3 - me)) >/dev/null && n=$((n + 1)) && echo "SLUICE-GUEST: alive $n"
		sleep 1
	done
) &
GUEST
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--module virtio_pci --module virtio_net --module af_packet --init "$work/talk.sh" "$work/guest.cpio"

vm() { # NAME NUMBER SETTING...
	printf '  - name: %s\n    kernel: %s\n    initrd: %s\n    memory: 160M\n    autostart: yes\n' \
		"$1" "$LAB_KERNEL" "$work/guest.cpio"
	printf '    append: console=ttyS0 quiet panic=-1 talk.me=%s guest.wait\n' "$2"
	printf '    net: vhost-user=%s,mac=02:00:00:00:77:0%s\n' "$work/$1" "$2"
	shift 2
	[ $# = 0 ] || printf '    %s\n' "$@"
}

port() { # NAME VLAN
	echo "    - {name: $1, bridge: br0, to: 'vhost:$work/$1', server: yes, vlan: $2}"
}

functions() {
	cat <<YAML
version: 1
pfs:
  - pf: $pf
    count: 2
    probe: off
    vfs:
      - {vf: 0, mac: 02:00:00:00:77:10}
pools:
  - {name: fast, pf: $pf}
YAML
}

switch() {
	printf 'switch:\n  memory: 64M\n  buffers: 4096\n  sleep_us: 1000\n  bridges: [{name: br0}]\n  ports:\n'
}

{ functions && switch && port router 10 && port server 10 && echo vms: &&
	vm router 1 "vf: fast" "order: 1" && vm server 2; } >"$work/host.yaml"
{ functions && switch && port router 10 && echo vms: && vm router 1 "vf: fast" "order: 1"; } >"$work/smaller.yaml"

alive() { # NAME: its guest reaches the other one since we last looked
	local before now
	before=$(said "$1" | grep -c 'alive')
	now=$(said "$1" | grep -c 'alive')
	[ "$now" -gt "$before" ]
}

# ---- up ----
sed 's/count: 2/conut: 2/' "$work/host.yaml" >"$work/typo.yaml"
refused 1 "typo.yaml:4:5: pfs/0: no key 'conut'; did you mean 'count'" "a mistake in the file" \
	sluice apply --from "$work/typo.yaml"
sluice plan --from "$work/host.yaml" --json >"$work/plan"
check "the plan has the VFs, the switch and both VMs" jq -e '
	any(.[]; .pf == "'"$pf"'" and .what == "count" and .after == "2") and
	any(.[]; .name == "switch") and ([.[] | select(.vm and .what == "state")] | length) == 2' "$work/plan"
check "nothing was done for it" test "$(cat "/sys/class/net/$pf/device/sriov_numvfs")" = 0
start=$SECONDS
check "apply" sluice apply --from "$work/host.yaml"
echo "#: from nothing to a switch and two started VMs: $((SECONDS - start)) s (emulated)"
check "the router has its VF" jq -e '.[] | select(.name == "router") | .devices | length == 1' <(sluice vm list --json)
check "the guests reach each other" wait_for 90 alive router
check "nothing is left to do" sluice assert --from "$work/host.yaml"
sluice apply --from "$work/host.yaml" >"$work/second"
check_text "applied again, it changes nothing" "nothing to do" "$work/second"
sluice export >"$work/exported.yaml"
sluice plan --from "$work/exported.yaml" >"$work/plan2"
check_text "the exported file calls for nothing" "nothing to do" "$work/plan2"

# ---- what dies comes back ----
kill -9 "$(sluice switch show --json | jq .pid)"
check "a dead switch is noticed" wait_for 10 sh -c "! sluice assert --from $work/host.yaml"
start=$SECONDS
check "apply brings it back" sluice apply --from "$work/host.yaml"
check "and the guests reach each other again" wait_for 90 alive server
echo "#: switch killed: service back $((SECONDS - start)) s after the apply (emulated)"
kill -9 "$(sluice vm list --json | jq '.[] | select(.name == "router") | .pid')"
check "a dead VM is noticed" wait_for 20 sh -c "! sluice assert --from $work/host.yaml"
start=$SECONDS
check "apply brings it back, with a VF" wait_for 60 sluice apply --from "$work/host.yaml"
check "and it reaches the other" wait_for 90 alive router
echo "#: VM killed: service back $((SECONDS - start)) s after the apply (emulated)"

# ---- what leaves the file ----
check "a smaller file's plan names the port that goes" sh -c \
	"sluice plan --from $work/smaller.yaml | grep -q 'port server .*disruptive'"
refused 1 "port server.* disruptive.*--yes" "it is not taken without a word" sluice apply --from "$work/smaller.yaml"
check "apply --yes" sluice apply --yes --from "$work/smaller.yaml"
check "its VM is no longer defined, and runs to its end" jq -e \
	'any(.[]; .name == "server" and .state == "running")' <(sluice vm list --json)
check "server: stopped" sluice vm stop server --force
check "router: stopped" sluice vm stop router --force
check "the switch stops" sluice switch stop
finish
