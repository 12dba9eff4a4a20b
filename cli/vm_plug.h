/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_plug: functions and disks given to a running VM, and taken from it.
 *
 * A function is the VM's first in the ledger and then in the guest, and goes the other way round.
 * So whatever is killed on the way leaves, at worst, a function in the ledger that its VM does not
 * have. Whoever comes next sees that and gives it back: these commands, the VM's supervisor, and
 * in any case the end of the VM. The plug lock keeps one such command from taking the other's work
 * in progress for a leftover.
 */
#ifndef CLI_VM_PLUG_H
#define CLI_VM_PLUG_H

#include "cli/cli.h"
#include "cli/vm_request.h"

/* Gives each pick and disk of the request to the VM of its name; stops at the first that fails. */
int vm_plug_attach(struct cli *cli, struct vm_request *r);

/* Asks the guest to let go of `what` ("PF/N", an address, a disk's path or serial number), waits,
 * and gives it back. -ETIMEDOUT: it stays. */
int vm_plug_detach(struct cli *cli, const char *name, const char *what, unsigned seconds);

/* -ETIMEDOUT: the guest has not done so, and keeps what it has. */
int vm_plug_cpus(struct cli *cli, const char *name, unsigned count, unsigned seconds);

/* Gives back what VM `name` no longer has. Without waiting for others that are at it. */
int vm_plug_tidy(struct cli *cli, const char *name);

#endif
