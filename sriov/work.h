/* SPDX-License-Identifier: BSD-3-Clause */
/* work: doing a job on a PF, and finishing or undoing the job of a command that was killed. */
#ifndef SRIOV_WORK_H
#define SRIOV_WORK_H

#include "sriov/context.h"
#include "sriov/journal.h"

/* Takes the PF's lock as lock_take() does, then puts in order what a killed command has left. */
int work_lock(struct sriov *ctx, struct ledger *ledger, struct bdf pf);

/* The same under the lock. 1: there was something, and it is in order; 0: nothing. */
int work_repair(struct sriov *ctx, struct ledger *ledger, struct bdf pf);

/* Journals `job` and does its steps; on a failure undoes them, newest first. While the kernel
 * blocks
 * (-ETIMEDOUT) nothing is undone: the job stays, for whoever gets the lock next. The caller holds
 * the lock. Logs. */
int work_run(struct sriov *ctx, struct ledger *ledger, const struct sriov_pf *pf,
	     struct journal_job *job);

#endif
