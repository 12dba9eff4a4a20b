#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology gpu --timeout 900
#
# A whole GPU (QEMU's secondary-vga) and slices of software GPUs (the kernel's samples mbochs and mdpy) in guests
# that drive them with their own drivers and draw a pattern; what `vm screenshot` takes is compared with it pixel by
# pixel.
. tests/lab/lib.sh

cache=$(dirname "$(dirname "$LAB_KERNEL")")
tools=$SLUICE_BUILD/tests/tools
modprobe bochs
gpu=$(sluice gpu list --json | jq -r '[.[] | select(.driver != "")][-1].name')
sluice gpu list | sed 's/^/#   /'
echo "# the GPU: $gpu, driver $(driver_of "$gpu")"

# The guest's script draws what its seed says and lets it stand.
cat >"$work/draw.sh" <<'END'
[ ! -e /mdpy-fb.ko ] || insmod /mdpy-fb.ko
seed=$(sed 's/.*draw=\([0-9]*\).*/\1/' /proc/cmdline)
has_display() { [ -e /dev/dri/card0 ] || [ -e /dev/fb0 ]; }
wait_for 20 has_display
/gpu_draw "$seed" &
sleep 1
END
mdpy_fb=()
[ ! -e "$cache/mdev/mdpy-fb.ko" ] || mdpy_fb=(--file "$cache/mdev/mdpy-fb.ko")
check "a guest that draws is made" env "LAB_CACHE=$cache" lab/guest-initrd --bare --module bochs --module button \
	--module evdev --file "$tools/gpu_draw" "${mdpy_fb[@]}" --init "$work/draw.sh" "$work/draw.cpio"
LAB_INITRD=$work/draw.cpio

drawn() { # NAME: its guest has drawn
	[[ $(said "$1") == *"SLUICE-GUEST: drawn"* ]]
}

# shown NAME SEED: what its display shows is the pattern, all of it
shown() {
	check "$1: its guest has drawn" wait_for 180 drawn "$1"
	said "$1" | grep 'SLUICE-GUEST: drawn' | sed 's/^/#   /'
	check "$1: a picture is taken" sluice vm screenshot "$1" "$work/$1.png"
	"$tools/gpu_check" "$work/$1.png" "$2" >"$work/pixels" 2>&1
	check "$1: every pixel is as it was drawn" test $? = 0
	sed 's/^/#   /' "$work/pixels"
}

# ---- a whole GPU ----
before=$(host_state)
check "whole: a VM gets the GPU" guest whole "draw=3 guest.wait" --memory 256M --gpu "$gpu" --detach
check_text "whole: it is the VM's" "$gpu.*whole" <(sluice gpu slice list)
check "whole: the host's driver has let go" test "$(driver_of "$gpu")" = vfio-pci
shown whole 3
check "whole: hot unplug" sluice vm detach whole "$gpu/whole"
check "whole: it is back on the host's driver" test "$(driver_of "$gpu")" = bochs-drm
refused 1 "no display" "whole: no picture without a display" sluice vm screenshot whole "$work/none.png"
check "whole: plugged in again" sluice vm attach whole --gpu "$gpu/whole"
check "whole: vm stop" sluice vm stop whole
check "whole: the slice is given up" sluice gpu slice destroy "$gpu/whole"
unchanged "whole: everything is as before" "$before"

# ---- mediated devices ----
mdev=$cache/mdev
if [ ! -e "$mdev/mbochs.ko" ]; then
	echo "ok - mediated devices # SKIP the kernel's samples could not be built: $mdev/log"
	finish
fi
modprobe -a mdev drm drm_kms_helper
check "the kernel's samples are loaded" eval "insmod $mdev/mbochs.ko && insmod $mdev/mdpy.ko"
check "a pool of them" sluice gpu pool set vdi --gpus mbochs,mdpy
start=$SECONDS
check "mdev: a VM with a small slice" guest small "draw=5 guest.wait" --memory 192M \
	--gpu mbochs:profile=mbochs-small --detach
check "mdev: one with a large slice" guest large "draw=6 guest.wait" --memory 192M \
	--gpu mbochs:memory=32M --detach
check "mdev: one with a slice of the other driver" guest other "draw=7 fbcon=map:1 guest.wait" --memory 192M \
	--gpu mdpy:profile=mdpy-vga --detach
sluice gpu slice list | tee "$work/slices" | sed 's/^/#   /'
check_text "mdev: the ledger has the small one" "mbochs/0 +mdev +mbochs-small .*held +small" "$work/slices"
check_text "mdev: and the large one" "mbochs/1 +mdev +mbochs-large .*held +large" "$work/slices"
check_text "mdev: and the other" "mdpy/0 +mdev +mdpy-vga .*held +other" "$work/slices"
shown small 5
shown large 6
shown other 7
echo "# three VMs with slices: $((SECONDS - start)) s"
for i in 1 2; do
	check "the pool's room, large slice $i" sluice gpu slice create mbochs --profile mbochs-large
done
# 256 MiB: 4 of the small one, 3 * 64 of the large ones, and 60 that are left.
refused 1 "no more 'mbochs-large': its pool is used up; slice mbochs/0 has 'mbochs-small'.*vm small" \
	"the pool is used up, and the first slice in the way is named" \
	sluice gpu slice create mbochs --profile mbochs-large
sluice gpu pool list | sed 's/^/#   /'
refused 1 "vm large has it" "a slice that a VM has stays" sluice gpu slice destroy mbochs/1
uuid=$(sluice gpu slice list --json | jq -r '.[] | select(.name == "mbochs/1").vfio')
check "mdevctl's file is there" jq -e '.mdev_type == "mbochs-large"' "/etc/mdevctl.d/mbochs/$uuid"
if command -v mdevctl >/dev/null; then
	mdevctl list -d >"$work/mdevctl"
	check_text "mdevctl reads it" "$uuid mbochs mbochs-large" "$work/mdevctl"
fi

# ---- a killed VM, hot unplug ----
kill -9 "$(sluice vm show small --json | jq .pid)"
check "killed: its slice is given back" wait_for 20 eval \
	'sluice gpu slice list | grep -E "mbochs/0 .* free"'
check "mdev: hot unplug" sluice vm detach large mbochs/1
check "mdev: hot plug of another" sluice vm attach large --gpu vdi:profile=mbochs-small
for vm in large other; do
	check "$vm: vm stop" sluice vm stop "$vm"
done
sluice gpu slice list --json | jq -r '.[].name' | while read -r slice; do
	sluice gpu slice destroy "$slice" >/dev/null || echo "not ok - $slice not destroyed"
done
check "nothing is left of them" test "$(sluice gpu slice list --json | jq length)$(ls /sys/bus/mdev/devices)" = 0
check "mdevctl's files are gone" test -z "$(find /etc/mdevctl.d -type f 2>/dev/null)"
check "all is as wished" sluice assert
finish
