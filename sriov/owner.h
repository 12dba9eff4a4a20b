/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * owner: the lives of VMs, as locks.
 *
 * RUN_DIR/vm/NAME/lock is locked as long as VM NAME lives. Its text, "PID GENERATION", tells this
 * life from earlier ones of the same name, so that what a VM held before a crash is not taken for
 * its own after it was started again.
 */
#ifndef SRIOV_OWNER_H
#define SRIOV_OWNER_H

#include "sriov/context.h"

#define OWNER_GENERATION 33

/* Usable as the name of a VM: a file name of at most 63 bytes. Logs. */
int owner_check_name(const char *name);
/* True while `name` lives; then its generation, and the process that took the lock. */
bool owner_life(const struct sriov *ctx, const char *name, char generation[OWNER_GENERATION],
		pid_t *pid);
/* Does the life that made this claim go on? */
bool owner_holds(const struct sriov *ctx, const struct ledger_claim *claim, pid_t *pid);

#endif
