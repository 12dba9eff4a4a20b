#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 420
#
# A guest's memory grows and shrinks while it runs, with a device of the host that reaches all of it; it is saved
# with what it has grown by, and goes on with that.
. tests/lab/lib.sh

pf=$(pf)
check "VFs are made, with drivers" sluice vf create "$pf" --count 1 --probe
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--module virtio_mem --init tests/guest/memory.sh "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio
mkfifo "$work/keys"
exec 9<>"$work/keys"
tell() {
	echo "$1" >&9
}
said_all() { # TEXT
	grep -qF "SLUICE-GUEST: $1" "$work/grow"
}
last() { # WORD: the last that the guest has said about it
	grep -oE "SLUICE-GUEST: $1 [0-9a-f]+" "$work/grow" | tail -n 1
}
has() { # MIB
	[ "$(last has)" = "SLUICE-GUEST: has $1" ]
}
mapped() { # MiB of RAM that the IOMMU maps
	sluice vm maps grow --json | jq '[.[] | select(.what == "ram") | .size] | add // 0 | . / 1048576'
}

guest fixed "guest.wait" --memory 192M --detach >/dev/null
refused 1 "start it with --memory" "memory that is fixed" sluice vm memory fixed 256M
check "kill" sluice vm kill fixed
refused 2 "huge pages" "huge pages do not grow" guest bad "" --memory 64M,pages=2m,max=128M

# not by guest(), which hears no keys
sluice vm run grow --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" --memory 256M,max=1G \
	--append "console=ttyS0 quiet panic=-1 memhp_default_state=online_movable" \
	--vf "$pf/0:mac=02:00:00:00:07:01" <"$work/keys" >"$work/grow" 2>&1 &
check "it has 256 MiB" wait_for 90 has 256
check "it knows from the start where more may come" said_all "srat 1"
check "its device reaches them" test "$(mapped)" = 256
refused 1 "256 to 1024" "more than it can have" sluice vm memory grow 2G
check "it grows" sluice vm memory grow 768M --timeout 60
check "grown: the guest has it" wait_for 30 has 768
check "grown: its device reaches it" test "$(mapped)" = 768
tell fill
check "it fills what it has got" wait_for 60 said_all filled
sum=$(last filled)

check "detach" sluice vm detach grow "$pf/0"
check "save" sluice vm save grow "$work/grow.vm"
du -k "$work/grow.vm" | sed 's/^/#   /'
sluice vm restore "$work/grow.vm" <"$work/keys" >>"$work/grow" 2>&1 &
running() {
	[ "$(sluice vm list --json | jq -r '.[] | select(.name == "grow") | .state')" = running ]
}
check "restored" wait_for 30 running
tell sum
check "restored: it answers" wait_for 60 said_all sum
check "restored: what it has grown by is whole" test "$(last sum)" = "SLUICE-GUEST: sum ${sum##* }"
present() {
	sluice vm stat grow --json | jq .memory.present_kib
}
full=$(present)
tell empty
check "it needs it no more" wait_for 30 said_all empty
check "it shrinks" sluice vm memory grow 256M --timeout 90
check "shrunk: the guest has less" wait_for 30 has 256
check "shrunk: the host has it again" test "$(present)" -lt $((full - 30000))
echo "# the guest's memory takes $full KiB of the host before, $(present) KiB after"
check "another device" sluice vm attach grow --vf "$pf/0:mac=02:00:00:00:07:01"
check "it reaches what is left" test "$(mapped)" = 256
check "stop" sluice vm stop grow --timeout 30
finish
