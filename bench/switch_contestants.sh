# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The switches of `make bench-switch`, to be sourced: each is started on one CPU with so many guests' ports of so many
# queues, sets `pid` to its process, and listens on $work/NAME.N for guest N.
#
#   start_sluice PORTS QUEUES    ours; with listens=false it calls, and somebody else listens there
#   start_io PORTS QUEUES        testpmd, which hands bursts from one port to the next and looks at nothing
#   start_ovs PORTS QUEUES       Open vSwitch with DPDK: Debian's packages, unpacked into $keep and not installed, with a
#                                database and sockets of their own; one that this machine may run is not touched
# Wants: work (a folder for sockets), keep (one that stays), switch_cpu, guest_cpu.

: "${work:?}" "${keep:?}" "${switch_cpu=}" "${guest_cpu:?}"
started=()

wait_for_file() { # PATH...
	local path i
	for path; do
		for ((i = 0; i < 200; i++)); do
			[ -e "$path" ] && break
			sleep 0.1
		done
		[ -e "$path" ] || return 1
	done
}

sockets() { # NAME PORTS
	local i
	for ((i = 0; i < $2; i++)); do echo "$work/$1.$i"; done
}

start_sluice() { # PORTS QUEUES
	local i ports=
	for ((i = 0; i < $1; i++)); do
		ports+="${ports:+, }{\"name\": \"g$i\", \"bridge\": \"br\", \"kind\": \"vhost\", \"server\": ${listens:-true},
			\"where\": \"$work/sluice.$i\", \"queues\": $2}"
	done
	mkdir -p "$work/sluice"
	cat >"$work/sluice/start.json" <<-JSON
		{"start": {"cpus": [$switch_cpu], "memory": 256, "sleep_us": ${sleep_us:-0}},
		 "bridges": [{"name": "br"}], "ports": [$ports]}
	JSON
	taskset -c "$guest_cpu" build/bin/sluice-switch "$work/sluice" "$work/sluice/start.json" >"$work/sluice/log" 2>&1 &
	pid=$!
	started+=("$pid")
	paths=("$work/sluice/ctl.sock")
	[ "${listens:-true}" = false ] || mapfile -t paths < <(sockets sluice "$1")
	wait_for_file "${paths[@]}" || { cat "$work/sluice/log" >&2; return 1; }
}

# Pairs of ports: with two of them, each is the other's.
start_io() { # PORTS QUEUES
	local i vdevs=()
	for ((i = 0; i < $1; i++)); do vdevs+=(--vdev "net_vhost$i,iface=$work/io.$i,queues=$2"); done
	[ -p "$work/io.stdin" ] || mkfifo "$work/io.stdin"
	dpdk-testpmd --lcores "0@$guest_cpu,1@$switch_cpu" --no-huge -m 256 --no-pci --no-telemetry --no-shconf \
		"${vdevs[@]}" -- --forward-mode=io --auto-start --nb-cores=1 "--rxq=$2" "--txq=$2" \
		--total-num-mbufs=32768 <>"$work/io.stdin" >"$work/io.log" 2>&1 &
	pid=$!
	started+=("$pid")
	mapfile -t paths < <(sockets io "$1")
	wait_for_file "${paths[@]}" || { cat "$work/io.log" >&2; return 1; }
}

# What of Open vSwitch is not there yet, also of the libraries that it needs and this machine lacks.
fetch_ovs() {
	local packages="openvswitch-switch-dpdk openvswitch-switch openvswitch-common" libs
	[ -e "$keep/ovs/done" ] && return 0
	mkdir -p "$keep/ovs/packages" || return 1
	libs=$(apt-cache depends openvswitch-switch-dpdk openvswitch-switch 2>/dev/null |
		sed -n 's/^ *Depends: \(lib[a-z0-9.-]*\)$/\1/p' | sort -u) || return 1
	for lib in $libs; do
		dpkg-query -W -f '${db:Status-Status}' "$lib" 2>/dev/null | grep -qx installed || packages+=" $lib"
	done
	# shellcheck disable=SC2086 # words
	(cd "$keep/ovs/packages" && apt-get download $packages >log 2>&1) || return 1
	for deb in "$keep"/ovs/packages/*.deb; do dpkg -x "$deb" "$keep/ovs/root" || return 1; done
	touch "$keep/ovs/done"
}

ovs() { # PROGRAM ARGUMENT...
	local program=$1 root=$keep/ovs/root
	shift
	LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu OVS_RUNDIR=$work/ovs OVS_DBDIR=$work/ovs OVS_LOGDIR=$work/ovs \
		"$root/$program" "$@"
}

start_ovs() { # PORTS QUEUES
	local i vsctl="usr/bin/ovs-vsctl --timeout=30 --db=unix:$work/ovs/db.sock" root=$keep/ovs/root
	mkdir -p "$work/ovs"
	ovs usr/bin/ovsdb-tool create "$work/ovs/conf.db" "$root/usr/share/openvswitch/vswitch.ovsschema" &&
		ovs usr/sbin/ovsdb-server "$work/ovs/conf.db" --remote="punix:$work/ovs/db.sock" --no-chdir --detach \
			--unixctl="$work/ovs/db.ctl" --pidfile="$work/ovs/db.pid" --log-file="$work/ovs/db.log" 2>>"$work/ovs/log" ||
		return 1
	started+=("$(cat "$work/ovs/db.pid")")
	# shellcheck disable=SC2086 # words
	ovs $vsctl --no-wait init -- set Open_vSwitch . other_config:dpdk-init=true other_config:per-port-memory=true \
		other_config:pmd-cpu-mask=$((1 << switch_cpu)) \
		other_config:dpdk-extra="--no-huge --legacy-mem -m 1024 --no-pci --no-telemetry --no-shconf" || return 1
	# In a network of its own: a bridge of Open vSwitch is also an interface of the kernel.
	(exec env "LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu" "OVS_RUNDIR=$work/ovs" "OVS_LOGDIR=$work/ovs" \
		taskset -c "$guest_cpu" unshare --net "$root/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk" \
		"unix:$work/ovs/db.sock" --unixctl="$work/ovs/ctl" --pidfile="$work/ovs/ovs.pid" \
		--log-file="$work/ovs/ovs.log" >>"$work/ovs/log" 2>&1) &
	started+=("$!")
	wait_for_file "$work/ovs/ovs.pid" || return 1
	pid=$(cat "$work/ovs/ovs.pid")
	# shellcheck disable=SC2086 # words
	ovs $vsctl add-br br -- set bridge br datapath_type=netdev || return 1
	for ((i = 0; i < $1; i++)); do
		# shellcheck disable=SC2086 # words
		ovs $vsctl add-port br "ovs.$i" -- set Interface "ovs.$i" type=dpdkvhostuser || return 1
		wait_for_file "$work/ovs/ovs.$i" && ln -sf "$work/ovs/ovs.$i" "$work/ovs.$i" || return 1
	done
}

stop_all() {
	local pid
	for pid in ${started[@]+"${started[@]}"}; do
		kill -CONT "$pid" 2>/dev/null
		kill "$pid" 2>/dev/null
	done
	for pid in ${started[@]+"${started[@]}"}; do
		for ((i = 0; i < 50; i++)); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -9 "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	started=()
	rm -rf "${work:?}"/*
}
