#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Installs what is missing of the packages named in packaging/packages.txt and lab/packages.txt.
#
#   packaging/deps.sh GROUP...      groups: build test lint bench lab
#
# Says nothing and changes nothing when all are there. Needs root (or sudo) only to install.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted() { # GROUP: its packages, one per line
	if [ "$1" = lab ]; then
		awk '{ sub(/#.*/, "") } NF { print $1 }' lab/packages.txt
	else
		awk -v group="$1" '$1 == group { print $2 }' packaging/packages.txt
	fi
}

missing=()
while read -r package; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done < <(for group in "$@"; do wanted "$group"; done | sort -u)
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps: missing: ${missing[*]}; run this as root to install them" >&2
		exit 1
	}
	as_root=(sudo)
fi

echo "deps: installing (${#missing[@]}): ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "${missing[@]}" >"$log" 2>&1
}
# The package lists of a fresh machine may be empty or old: fetch them when the first try fails.
if ! install; then
	"${as_root[@]}" apt-get update -q >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
	install || { tail -n 20 "$log" >&2; exit 1; }
fi
echo "deps: installed"
