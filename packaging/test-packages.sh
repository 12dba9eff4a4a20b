#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The packages of build/packages on a fresh Debian root: installed, upgraded while a VM runs, removed.
# Needs root and mmdebstrap; a VM needs /dev/kvm that runs a small guest. Writes TAP.
#
#   packaging/test-packages.sh [SUITE]      bookworm (this machine's, by default)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
# shellcheck disable=SC1091
suite=${1:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
root=$(mktemp -d /tmp/sluice-root.XXXXXX)
failed=0

check() { # WHAT COMMAND...
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "ok - $what"
	else
		echo "not ok - $what"
		sed 's/^/# /' <<<"$out" | tail -n 20
		failed=1
	fi
}
inside() {
	chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}
# shellcheck disable=SC2317 # called by a trap
clean() {
	local dir
	inside sluice vm kill web >/dev/null 2>&1
	for dir in run dev proc sys; do
		umount -l "$root/$dir" 2>/dev/null
	done
	mountpoint -q "$root/proc" || rm -rf "$root"
}
trap clean EXIT

check "a fresh root of $suite" mmdebstrap --quiet --variant=minbase "$suite" "$root"
[ $failed = 0 ] || exit 1
for dir in dev proc sys; do
	mount --rbind "/$dir" "$root/$dir" && mount --make-rslave "$root/$dir"
done
mount -t tmpfs tmpfs "$root/run"
mkdir "$root/debs"
find build/packages -maxdepth 1 -name '*.deb' ! -name '*dbgsym*' -exec cp -t "$root/debs" {} +
cp build/guest/counter "$root/counter"
check "its package lists" inside apt-get -qq update
check "all four packages install" inside sh -c 'apt-get -qq -y --no-install-recommends install /debs/*.deb'
check "the user of VMs is there" inside getent passwd sluice-vmm
check "sluice runs" inside sluice --version
check "it looks at the machine" inside sluice host show
check "the manual is there" inside sh -c 'test -e /usr/share/man/man1/sluice-vm-run.1.gz || dpkg -L sluice | grep -q sluice-vm-run.1'
vm=
if inside sluice vm run web --kernel /counter --memory 32M --detach >/dev/null 2>&1; then
	vm=$(inside sluice vm show web --json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
	check "a VM runs, as that user" sh -c "grep -q '^Uid:.$(inside id -u sluice-vmm)' /proc/$vm/status"
else
	echo "ok - a VM runs # SKIP this machine's KVM does not run the test guest"
fi
# The same again, under a higher version.
deb=$(basename build/packages/sluice_*_amd64.deb)
inside sh -c "cd /debs && dpkg-deb -R $deb new && sed -i 's/^Version: .*/Version: 9.9/' new/DEBIAN/control &&
	dpkg-deb -b new sluice_9.9.deb" >/dev/null 2>&1
inside sh -c "dpkg -P sluice-switch" >/dev/null 2>&1 # it wants its own version of the other
check "an upgrade" inside dpkg -i /debs/sluice_9.9.deb
if [ -n "$vm" ]; then
	check "upgrade: the VM runs on" test -e "/proc/$vm"
	check "upgrade: it answers the new command" inside sluice vm stat web
	check "removal is refused while a VM runs, and says so" sh -c \
		"LC_ALL=C chroot $root dpkg -r sluice 2>&1 | grep -q 'VMs run'"
	check "the VM still runs" test -e "/proc/$vm"
	check "it stops" inside sluice vm kill web
fi
check "removal" inside dpkg -r sluice
check "removal: the program is gone" test ! -e "$root/usr/bin/sluice"
check "removal: the ledger is kept" test -d "$root/var/lib/sluice"
check "purge" inside dpkg -P sluice
left() { # what the root still has of the package, but for other packages' and apt's own
	(cd "$root" && find . -xdev -path ./debs -prune -o -name '*sluice*' -print) |
		grep -vE 'sluice-(bench|doc)|/var/lib/(apt|dpkg)/|libexec/sluice$|/doc/sluice$'
}
# shellcheck disable=SC2317 # called by check
nothing_left() {
	! left | grep .
}
check "purge: nothing is left" nothing_left
exit $failed
