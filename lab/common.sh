# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What every piece of the lab shares: where things live, and how it speaks.
#
# The lab never writes outside these directories. All can be moved by environment, so that
# several checkouts may share one cache:
#   LAB_CACHE  emulators and kernel, written only by `lab fetch`, read by everyone at once
#   LAB_LOGS   one log per named run, kept
#   LAB_RUN    scratch of running labs, removed at their end

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB_DIR=$LAB_ROOT/lab
LAB_CACHE=$(realpath -ms "${LAB_CACHE:-$LAB_ROOT/build/lab/cache}")
LAB_LOGS=$(realpath -ms "${LAB_LOGS:-$LAB_ROOT/build/lab/logs}")
LAB_RUN=$(realpath -ms "${LAB_RUN:-$LAB_ROOT/build/lab/run}")

# Exit statuses that are not the script's own.
LAB_EXIT_USAGE=2
LAB_EXIT_DEADLINE=124
LAB_EXIT_CRASH=125

say() {
	printf 'lab: %s\n' "$*" >&2
}

die() {
	say "$*"
	exit 1
}

usage_error() {
	say "$*"
	say "try: lab/lab --help"
	exit "$LAB_EXIT_USAGE"
}

# need COMMAND PACKAGE: collects what is missing, so that one message can name it all.
missing_packages() {
	local pair
	for pair in "$@"; do
		command -v "${pair%%:*}" >/dev/null || printf ' %s' "${pair##*:}"
	done
}

check_tools() {
	local missing
	missing=$(PATH=$PATH:/usr/sbin:/sbin missing_packages apt-get:apt busybox:busybox-static \
		cpio:cpio depmod:kmod flock:util-linux setpriv:util-linux xz:xz-utils zstd:zstd \
		dpkg-deb:dpkg)
	[ -z "$missing" ] || die "missing packages:$missing; run: make deps (or: apt-get install$missing)"
}

# Paths end up in the emulators' own configuration languages, which quote little; and the
# emulated host has its own /dev, /proc, /run and /sys, which hide the machine's.
check_paths() {
	local path
	for path in "$LAB_CACHE" "$LAB_LOGS" "$LAB_RUN"; do
		[[ $path =~ ^[A-Za-z0-9/._+@-]+$ ]] ||
			die "$path: has characters the emulators cannot take; move it with LAB_CACHE, LAB_LOGS, LAB_RUN"
		[[ ! $path =~ ^/(dev|proc|run|sys)/ ]] ||
			die "$path: the emulated host cannot see it; move it with LAB_CACHE, LAB_LOGS, LAB_RUN"
	done
}

# The version of the kernel in the cache, as in /lib/modules/VERSION.
kernel_version() {
	cat "$LAB_CACHE/kernel/version"
}
