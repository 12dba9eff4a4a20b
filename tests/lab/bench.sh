#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --memory 4G --timeout 600
#
# The bench in its short form: an emulated NIC, a tap and a VF, a report whose numbers keep the laws of
# their kind (no time is looked at but where it was put there); a delay and a loss that were put on the
# wire are found again; two at once, and an end by Ctrl-C. The switch is left out: make bench has it.
. tests/lab/lib.sh

modprobe -a tun vhost_net sch_netem cls_flower act_gact sch_ingress
pf=$(pf)
out=${LAB_OUT:-$work}/bench
bench() { # DIRECTORY OPTION...
	local dir=$1
	shift
	timeout 400 sluice bench nic --kernel "$LAB_KERNEL" --brief --ms 400 --output "$dir" "$@" </dev/null
}

refused 2 "no path 'pigeon'" "a path that there is not" bench "$work/bad" --paths tap,pigeon
check "two VFs" sluice vf create "$pf" --count 2
bench "$out" --paths emulated,tap,vf,qemu-tap --pf "$pf" >"$work/out" 2>"$work/err"
status=$?
check "a bench of four paths ends well" test $status = 0
sed 's/^/# /' "$work/out"
[ $status = 0 ] || sed 's/^/# /' "$work/err"
report=$out/report.json
check "the report is of version 1 and whole" jq -e '.schema == 1 and .complete and .kind == "nic"' "$report"
check "it says that this machine is emulated" jq -e '.environment.emulated' "$report"
for path in emulated tap vf; do
	check "$path: was there, and all its works have values" jq -e --arg p $path \
		'.paths[] | select(.name == $p) | .available and all(.works[]; .values | length > 0)' "$report"
	check "$path: its sentence says why" jq -e --arg p $path \
		'.paths[] | select(.name == $p) | .why | length > 40' "$report"
done
check "QEMU is skipped, and why is said" jq -e \
	'.paths[] | select(.name == "qemu-tap") | (.available | not) and (.why_not | test("not installed"))' "$report"
check "percentiles grow, sums are whole, fewer hands make fewer exits" jq -e \
	'[.checks[] | select(.name | test("percentiles|sum up|than emulated"))] | length == 8 and all(.ok)' "$report"
check "a page with its charts" sh -c "grep -c '<svg' $out/report.html | grep -qx 3 ||
	test \$(grep -o '<svg' $out/report.html | wc -l) -ge 4"
check "a report is no worse than itself" sh -c \
	"sluice bench compare $report $report --json | jq -e 'all(.[]; .verdict == \"no difference seen\")'"
echo '{"schema": 77}' >"$work/other"
refused 1 "no report of this version" "another version's report" sluice bench compare "$report" "$work/other"
check "nothing is left of it" sh -c '! ip -o link | grep -q bench'

# ---- what was put on the wire is found: 5 ms on the way to the guest, and 1 % of the datagrams from it lost ----
(
	wait_for 60 test -e /sys/class/net/bench2
	tc qdisc add dev bench2 root netem delay 5ms
	tc qdisc add dev bench2 clsact
	tc filter add dev bench2 ingress protocol ip flower ip_proto udp action pass random determ drop 100
) &
bench "$work/slow" --paths tap >/dev/null 2>&1
jq -c '.paths[0] | .latency.min, (.works[] | select(.name == "udp-steady") | {sent, received})' \
	"$work/slow/report.json" | sed 's/^/# /'
check "no request took less than the 5 ms" jq -e '.paths[0].latency.min >= 5000000' "$work/slow/report.json"
check "1 % of loss is seen, to one datagram" jq -e '.paths[0].works[] | select(.name == "udp-steady") |
	(.sent - .received - .sent / 100) as $odd | $odd > -1.01 and $odd < 1.01' "$work/slow/report.json"

# ---- not two at once; Ctrl-C ----
bench "$work/cut" --paths tap --rounds 60 >"$work/cut.out" 2>"$work/cut.err" &
running() { grep -q "tap, " "$work/cut.err"; }
check "a long one has begun" wait_for 60 running
check "a second one is refused" sh -c \
	"! sluice bench nic --paths tap --kernel $LAB_KERNEL --output $work/two 2>$work/two.err && grep -q 'another bench' $work/two.err"
wait_for 60 grep -q "tap, rr-1" "$work/cut.err"
pkill -INT -x sluice -o
wait %2 2>/dev/null || wait
check "Ctrl-C writes what there is" jq -e '.complete | not' "$work/cut/report.json"
check "and leaves nothing" sh -c '! ip -o link | grep -q bench'
finish
