#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --memory 4G --timeout 420
#
# The bench in its short form: every path of this host, a report whose numbers keep the laws of their
# kind (no time is looked at but where it was put there); a delay and a loss that were put on the wire
# are found again; two at once, and an end by Ctrl-C.
. tests/lab/lib.sh

modprobe -a tun vhost_net sch_netem cls_flower act_gact sch_ingress
pf=$(pf)
out=${LAB_OUT:-$work}/bench
bench() { # DIRECTORY OPTION...
	local dir=$1
	shift
	timeout 240 sluice bench nic --kernel "$LAB_KERNEL" --brief --ms 400 --output "$dir" "$@" </dev/null
}

refused 2 "no path 'pigeon'" "a path that there is not" bench "$work/bad" --paths tap,pigeon
check "two VFs" sluice vf create "$pf" --count 2
bench "$out" --paths emulated,tap,switch,vf,qemu-tap --pf "$pf" >"$work/out" 2>"$work/err"
status=$?
check "a bench of five paths ends well" test $status = 0
sed 's/^/# /' "$work/out"
[ $status = 0 ] || sed 's/^/# /' "$work/err"
report=$out/report.json
check "the report is of version 1 and whole" jq -e '.schema == 1 and .complete and .kind == "nic"' "$report"
check "it says that this machine is emulated" jq -e '.environment.emulated' "$report"
for path in emulated tap switch vf; do
	check "$path: was there, and all its works have values" jq -e --arg p $path \
		'.paths[] | select(.name == $p) | .available and all(.works[]; .values | length > 0)' "$report"
	check "$path: its sentence says why" jq -e --arg p $path \
		'.paths[] | select(.name == $p) | .why | length > 40' "$report"
done
check "QEMU is skipped, and why is said" jq -e \
	'.paths[] | select(.name == "qemu-tap") | (.available | not) and (.why_not | test("not installed"))' "$report"
check "percentiles grow, sums are whole, fewer hands make fewer exits" jq -e \
	'(.checks | length >= 10) and all(.checks[]; .ok)' "$report"
check "a page with its charts" sh -c "grep -c '<svg' $out/report.html | grep -qx 3 ||
	test \$(grep -o '<svg' $out/report.html | wc -l) -ge 4"
check "a report is no worse than itself" sh -c \
	"sluice bench compare $report $report --json | jq -e 'all(.[]; .verdict == \"no difference seen\")'"
refused 1 "no report of this version" "a file that is none" sluice bench compare "$report" /dev/stdin
check "nothing is left of it" sh -c '! ip -o link | grep -q bench'

# ---- what was put on the wire is found ----
bench "$work/plain" --paths tap >/dev/null 2>&1
(
	wait_for 60 test -e /sys/class/net/bench2
	tc qdisc add dev bench2 root netem delay 5ms
	tc qdisc add dev bench2 clsact
	tc filter add dev bench2 ingress protocol ip flower ip_proto udp action pass random determ drop 100
) &
bench "$work/slow" --paths tap >/dev/null 2>&1
least() { jq '.paths[0].latency.min' "$1/report.json"; }
added=$(($(least "$work/slow") - $(least "$work/plain")))
echo "# least latency: $(least "$work/plain") ns, with 5 ms on the wire $(least "$work/slow") ns"
check "5 ms are found again within 5 %" test $added -ge 4750000 -a $added -le 5250000
jq -c '.paths[0].works[] | select(.name == "udp-steady") | {sent, received}' "$work/slow/report.json" | sed 's/^/# /'
check "1 % of loss too" jq -e '.paths[0].works[] | select(.name == "udp-steady") |
	((.sent - .received) / .sent) as $loss | $loss > 0.0095 and $loss < 0.0105' "$work/slow/report.json"

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
