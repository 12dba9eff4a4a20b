#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `make bench-switch`: what a frame costs in the switch, and how many of them it moves, beside DPDK's testpmd (io: the
# ceiling) and Open vSwitch with DPDK. Under ten minutes; BENCH_SHORT=1: under one, with fewer of everything.
#
# 1. in one process, cycles of the contestant alone and of its stages (switch_cycles.c)
# 2. on two CPUs, guests on one and a switch on the other (switch_rate.c): rate; most without loss; latency
#
# 3. on two CPUs, how long changes and a restart stop the switch (switch_blocked.c)
#
# What is printed is also in build/bench/switch.txt, as numbers in build/bench/switch.json. BENCH_ONLY=cycles|rate|loss|blocked
# does a part of it. BENCH_FIRST=1 puts guests and switch before all else on their CPUs while a trial lasts, on a machine
# that has other work.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
keep=$PWD/build/bench
work=$(mktemp -d /tmp/sluice-bench-XXXXXX)
lines=$keep/switch.lines
mkdir -p "$keep" && : >"$lines"
finish() {
	stop_all
	rmdir "$work"
	{ echo "["; sed '$!s/$/,/' "$lines"; echo "]"; } >"$keep/switch.json"
	rm -f "$lines"
}
trap finish EXIT
trap 'exit 130' INT TERM

mapfile -t cpus < <(taskset -pc $$ | sed 's/.*: //' | tr ',' '\n' |
	awk -F- '{ for (i = $1; i <= (NF > 1 ? $2 : $1); i++) print i }')
guest_cpu=${cpus[0]} switch_cpu=${cpus[1]:-}
# shellcheck source=bench/switch_contestants.sh
. bench/switch_contestants.sh
only=${BENCH_ONLY:-all}
short=${BENCH_SHORT:-}

progress() { echo "bench-switch: $SECONDS s: $*" >&2; }

# The list of contestants, for switch_rate. testpmd joins pairs of ports: with more than two it is left out.
start_list() { # PORTS QUEUES
	list=()
	start_sluice "$1" "$2" && list+=("sluice:$pid:$work/sluice.") || return 1
	if [ "$1" = 2 ]; then
		if command -v dpdk-testpmd >/dev/null && start_io "$1" "$2"; then
			list+=("io:$pid:$work/io.")
		else
			progress "testpmd does not run (Debian package dpdk): no ceiling"
		fi
	fi
	[ -n "$ovs_there" ] || return 0
	if start_ovs "$1" "$2"; then
		list+=("ovs:$pid:$work/ovs.")
	else
		progress "Open vSwitch does not start: $(tail -n 1 "$work/ovs/ovs.log" 2>/dev/null)"
	fi
}

rate() { # OPTION...
	taskset -c "$guest_cpu" "$keep/switch_rate" -c "$guest_cpu" -j "$lines" ${BENCH_FIRST:+-f} "$@" "${list[@]}"
}

bench_rate() {
	local queues rings options=(-r 7 -t 60 -s "60,508,1514,imix") counts="1 2 4" kinds=("" "-p" "-m")
	[ -z "$short" ] || { options=(-r 3 -t 40 -s "60,imix"); counts=1; kinds=("" "-p"); }
	echo
	echo "Mpps, of the switch's CPU: median (least-most); cycles of its CPU per frame; part of what was sent that did not fit"
	echo "into the ring (0: the guests are the slower ones); part of the ceiling's rate. ~: other work on the CPUs disturbed it"
	printf '%-18s %s %4s  %-8s %s\n' rings q bytes switch "Mpps                cycles  refused  of io"
	for queues in $counts; do
		progress "rate, $queues queues"
		start_list 2 "$queues" || return 1
		for rings in "${kinds[@]}"; do
			rate -q "$queues" "${options[@]}" ${rings:+"$rings"} || return 1
		done
		stop_all
	done
}

bench_loss() {
	local guests options=(-z -t 100 -l 500 -s "60,imix") counts="1 2 4"
	[ -z "$short" ] || { options=(-z -t 30 -l 200 -s 60); counts="1 4"; }
	echo
	echo "Most frames a second without loss (RFC 2544), and latency from guest to guest at half of that"
	for guests in $counts; do
		progress "without loss, $guests guests"
		start_list $((guests + 1)) 1 || return 1
		rate -g "$guests" "${options[@]}" || return 1
		stop_all
	done
}

bench_blocked() {
	echo
	echo "Time for which a change stops the switch: frames lost, divided by the rate (${blocked_rate:=200000} a second)"
	progress "blocked time"
	start_sluice 2 1 || return 1
	taskset -c "$guest_cpu" "$keep/switch_blocked" "$guest_cpu" "$blocked_rate" "$pid" "$work/sluice." \
		"$work/sluice/ctl.sock" "$lines" <<-CHANGES || status=1
			port-add port-add {"name":"more","bridge":"br","kind":"vhost","where":"$work/more","server":true}
			VLAN port-set {"name":"g1","rules":{"vlan":"trunk:10-20,native=1"}}
			VLAN-back port-set {"name":"g1","rules":{"vlan":"all"}}
			port-remove port-remove {"name":"more"}
			ACL acl-load {"name":"list","rules":[{"action":"allow","protocol":"udp","to_port":9}]}
			ACL-attach port-set {"name":"g1","rules":{"acl_in":"list"}}
			ACL-swap acl-load {"name":"list","rules":[{"action":"allow","ip":4},{"action":"deny","to_port":1}]}
			ACL-detach port-set {"name":"g1","rules":{"acl_in":""}}
			workers workers-set {"count":2}
			workers-back workers-set {"count":1}
		CHANGES
	stop_all
}

# The guests are those who are called here, because a switch that was killed comes back by itself.
bench_restart() {
	local listens=false
	start_sluice 2 1 || return 1
	taskset -c "$guest_cpu" "$keep/switch_restart" "$work/sluice." "$lines" "$pid" build/bin/sluice-switch \
		"$work/sluice" 2>>"$work/sluice/log" || return 1
	stop_all
}

main() {
	local status=0
	echo "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
	case $only in all | cycles)
		progress "cycles, in one process"
		taskset -c "${switch_cpu:-$guest_cpu}" "$keep/switch_cycles" ${short:+--short} --json "$lines" || status=1
		;;
	esac
	[ "$only" != cycles ] || return $status
	if [ -z "$switch_cpu" ]; then
		echo "rates are left out: they need two CPUs"
		return $status
	fi
	ovs_there=
	if fetch_ovs; then ovs_there=yes; else progress "no Open vSwitch: its packages cannot be had"; fi
	case $only in all | rate) bench_rate || status=1 ;; esac
	case $only in all | loss) bench_loss || status=1 ;; esac
	case $only in all | blocked)
		bench_blocked || status=1
		bench_restart || status=1
		;;
	esac
	return $status
}

main | tee "$keep/switch.txt"
exit "${PIPESTATUS[0]}"
