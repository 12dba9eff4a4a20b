/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_supervise: the process that stays with a VM: shows its console, passes on the wish to stop,
 * and gives everything back when it has ended.
 *
 * A VM that ends by itself, or because it was told to, has ended in an orderly way, and its
 * devices go back to the host. A VMM that dies (a crash, kill -9) leaves its devices claimed,
 * visibly orphaned, until somebody has looked: `vf release`, `vm stop`, or the next start.
 *
 * Wishes to stop are Ctrl-C, SIGINT, SIGTERM and SIGHUP: the first presses the guest's power
 * button, the second ends the guest where it stands.
 */
#ifndef CLI_VM_SUPERVISE_H
#define CLI_VM_SUPERVISE_H

#include "cli/vm_request.h"
#include "cli/vm_spawn.h"

/* Blocks the signals that the supervisor reads; before the VM is started, so that none is lost. */
int vm_supervise_prepare(const struct vm_request *request, int *signal_fd);

/* Until the VM has ended. `ready_fd`: -1 in the foreground; else the VM is to go to the background
 * once it runs, which is told by one byte there. Takes `process` and signal_fd over. Returns the
 * exit code. */
int vm_supervise(struct cli *cli, const struct vm_request *request, struct vm_process *process,
		 int signal_fd, int ready_fd);

/* Gives back what VM `name` held and removes its folder. */
int vm_give_back(struct cli *cli, const char *name);

/* Copies VM `name`'s log from *offset on to standard error, and moves the offset on. */
void vm_show_log(const struct cli *cli, const char *name, long *offset);

#endif
