#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 300 --topology two-nics
# lab-boots: 2
#
# What is wished outlives a reboot. The first boot makes VFs with settings and drivers, and kills
# commands in the middle; its state.db is all that the second boot gets. There udev names the units
# that our rule wants for each PF, and what these units start is run: this host has no systemd.
. tests/lab/lib.sh

state=/var/lib/sluice
a=0000:01:00.0 b=0000:02:00.0
export SYSTEMD_IGNORE_CHROOT=1 # the lab's root is one, and udevadm would do nothing

numvfs() {
	cat "/sys/bus/pci/devices/$1/sriov_numvfs"
}

first_boot() {
	check "eth0 has VFs, without drivers" sluice vf create eth0 --count 3
	check "eth1 has VFs, with drivers" sluice vf create eth1 --count 2 --probe
	check "settings of one" sluice vf set eth0/2 --mac 02:00:00:00:09:02 --vlan 100,qos=3 --spoof-check off
	check "a rate, which needs the link" sluice vf set eth0/2 --max-rate 100
	check "a driver of one" sluice vf set eth0/1 --driver vfio-pci
	check "settings of another PF's" sluice vf set eth1/1 --mac 02:00:00:00:09:11 --trust on
	check "a pool" sluice pool set near --driver igb
	check "all is as wished" sluice assert
	sluice export >"$LAB_OUT/wished"

	other_hand
	kills
	check "resized in the end" sluice vf create eth1 --count 2 --probe
	check "its VF has its settings again" sluice vf set eth1/1 --mac 02:00:00:00:09:11 --trust on
	check "all is as wished before the reboot" sluice assert
	sluice export >"$LAB_OUT/wished"
	cp "$state"/state.db* "$LAB_OUT/"
}

# By another's hand the number is another: to take those VFs away takes consent.
other_hand() {
	echo 0 >/sys/bus/pci/devices/$b/sriov_numvfs
	echo 1 >/sys/bus/pci/devices/$b/sriov_numvfs
	check "a plan that takes VFs away needs a word more" sh -c '! sluice apply 2>"$1"' sh "$work/refusal"
	check_text "and says so" "takes VFs away.*pass --yes" "$work/refusal"
	check "nothing was done" test "$(numvfs $b)" = 1
	check "with that word" sluice apply --yes
	check "it is done" test "$(numvfs $b)" = 2
}

# kill -9 at some moments of a resize; one command puts it right.
kills() {
	local at count=4 killed=0
	for at in 0.05 0.15 0.3 0.5 0.7 0.9 1.2 1.6; do
		timeout -s KILL $at sluice vf create eth1 --count $count --probe >/dev/null 2>&1 || killed=$((killed + 1))
		check "killed after $at s: one apply" sluice apply --yes
		check "killed after $at s: all is as wished" sluice assert
		check "killed after $at s: autoprobe is on" grep -q 1 /sys/bus/pci/devices/$b/sriov_drivers_autoprobe
		count=$((7 - count))
	done
	echo "#: $killed commands were killed in the middle"
	check "some were killed" test "$killed" -gt 2
}

# As systemd would: what udev's property names, one unit after the other.
start_wanted() { # BDF
	local unit exec
	for unit in $(udevadm info -q property "/sys/bus/pci/devices/$1" | sed -n 's/^SYSTEMD_WANTS=//p'); do
		exec=$(sed -n 's/^ExecStart=//p' "$SLUICE_BUILD/root/usr/lib/systemd/system/${unit%%@*}@.service")
		echo "# $unit: ${exec//%i/$1}"
		# shellcheck disable=SC2086 # words
		PATH=$SLUICE_BUILD/root/usr/bin:$PATH ${exec//%i/$1} >"$work/unit" 2>&1 || sed 's/^/# /' "$work/unit"
	done
}

second_boot() {
	mkdir -p $state /run/udev/rules.d
	cp "$SLUICE_KEPT"/state.db* $state/
	cp "$SLUICE_BUILD"/root/usr/lib/udev/rules.d/*sluice* /run/udev/rules.d/
	ln -sf "$SLUICE_BUILD/root/usr/bin/sluice" /usr/bin/sluice
	check "nothing is there yet" test "$(numvfs $a)$(numvfs $b)" = 00
	sluice assert >"$work/missing"
	check_text "assert says what is missing" "eth0: count is 0, wanted: 3" "$work/missing"
	check "assert changes nothing" test "$(numvfs $a)" = 0

	check "udev runs" /lib/systemd/systemd-udevd --daemon
	check "udev is told of the devices again, as at boot" udevadm trigger --action=add --subsystem-match=pci
	check "udev is done" udevadm settle
	udevadm info -q property /sys/bus/pci/devices/$a >"$work/properties"
	check_text "the rule wants both units of a PF" "SYSTEMD_WANTS=.*sluice-early@$a.service.*sluice-late@$a.service" "$work/properties"
	udevadm info -q property /sys/bus/pci/devices/0000:00:00.0 >"$work/properties"
	check "and none of a bridge" sh -c "! grep -q SYSTEMD_WANTS $work/properties"
	start_wanted $a
	start_wanted $b

	check "all is as wished" sluice assert
	check "as many VFs" test "$(numvfs $a)$(numvfs $b)" = 32
	sluice export >"$work/wished"
	check "nothing was forgotten" diff "$SLUICE_KEPT/wished" "$work/wished"
	ip link show eth0 >"$work/eth0"
	ip link show eth1 >"$work/eth1"
	check_text "address and VLAN are back" "vf 2 .*02:00:00:00:09:02.*vlan 100, qos 3.*spoof checking off" "$work/eth0"
	check_text "and the rate" "vf 2 .*(tx rate 100|max_tx_rate 100)" "$work/eth0"
	check_text "and trust" "vf 1 .*02:00:00:00:09:11.*trust on" "$work/eth1"
	check "a driver that was wished" test "$(driver_of "$(vf_bdf eth0 1)")" = vfio-pci
	check "the VFs' driver is there, loaded after the first PF's VFs were made" test -e /sys/bus/pci/drivers/igbvf
	check "none where none was wished: it has not taken them" test -z "$(driver_of "$(vf_bdf eth0 0)")"
	check "the host's own where it may probe" wait_for 10 test "$(driver_of "$(vf_bdf eth1 0)")" = igbvf
	check "the pool is there" sh -c "sluice pool list | grep -q near"

	# The PF's driver goes and comes, as with an update of it.
	check "the driver goes" sh -c "echo $b >/sys/bus/pci/drivers/igb/unbind"
	check "the driver comes" sh -c "echo $b >/sys/bus/pci/drivers/igb/bind"
	check "udev is done with it" udevadm settle
	ip link set "$(ls /sys/bus/pci/devices/$b/net)" up # udev has renamed it
	start_wanted $b
	check "its VFs are back" wait_for 20 test "$(numvfs $b)" = 2
	check "all is as wished again" sluice assert
}

if [ "$SLUICE_BOOT" = 1 ]; then
	first_boot
else
	second_boot
fi
finish
