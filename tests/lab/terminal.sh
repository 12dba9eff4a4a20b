#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 300
#
# vm run and vm console on a real terminal (a pty of script(1)): what is typed reaches the guest, Ctrl-C is
# the power button, Ctrl-] leaves the console, and the terminal's settings come back.
. tests/lab/lib.sh

mkfifo "$work/keys"
on_terminal() { # COMMAND: with the keys of the fifo, its screen in $work/screen, stty before and after
	script -qefc "stty -g; $1; status=\$?; stty -g; exit \$status" "$work/screen" \
		<"$work/keys" >/dev/null 2>&1 &
	job=$!
	exec {keys}>"$work/keys"
}
done_typing() {
	exec {keys}>&-
	wait $job
}
same_settings() {
	[ "$(grep -cE '^[0-9a-f]+:' "$work/screen")" = 2 ] &&
		[ "$(grep -oE '^[0-9a-f]+:[0-9a-f:]+' "$work/screen" | sort -u | wc -l)" = 1 ]
}
vm="sluice vm run tty --memory 192M --kernel $LAB_KERNEL --initrd $LAB_INITRD --append 'console=ttyS0 quiet guest.end=shell'"

on_terminal "$vm"
# Not before the prompt: a shell that starts throws away what was typed until then.
check "the guest's shell is on the terminal" wait_for 60 grep -q '/ # ' "$work/screen"
printf 'echo typed-$((40 + 2))\r' >&"$keys"
check "what is typed reaches it" wait_for 20 grep -q 'typed-42' "$work/screen"
printf '\035c' >&"$keys"
check "Ctrl-] c sends the guest a Ctrl-C" wait_for 20 grep -q '\^C' "$work/screen"
printf '\003' >&"$keys"
check "Ctrl-C presses the power button" wait_for 20 grep -q 'power button pressed' "$work/screen"
done_typing
check "and the guest ends in good order, status 0" test $? = 0
check_text "the end is told" "ended: poweroff" "$work/screen"
check "the terminal is as it was" same_settings

check "a VM for the console" guest quiet "guest.end=shell" --memory 192M --detach
on_terminal "sluice vm console quiet"
check "the console shows what was said before" wait_for 60 grep -q '/ # ' "$work/screen"
printf 'echo typed-$((40 + 3))\r' >&"$keys"
check "what is typed there reaches the guest" wait_for 20 grep -q 'typed-43' "$work/screen"
printf '\035' >&"$keys"
done_typing
check "Ctrl-] leaves, status 0" test $? = 0
check "the terminal is as it was" same_settings
check "the VM lives on" sh -c "sluice vm list | grep -q 'quiet.*running'"
check "a forced stop" sluice vm stop quiet --force
finish
