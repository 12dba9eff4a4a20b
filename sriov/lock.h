/* SPDX-License-Identifier: BSD-3-Clause */
/* lock: one change of a PF (and all its VFs) at a time, across processes. */
#ifndef SRIOV_LOCK_H
#define SRIOV_LOCK_H

#include "sriov/context.h"

/* flock(2) on RUN_DIR/lock/ADDRESS. Waits for another command, up to a minute. A context holds one
 * such lock at a time. 0, or a negative errno, logged. */
int lock_take(struct sriov *ctx, struct bdf bdf);
void lock_drop(struct sriov *ctx);
/* Beside it, at once or not at all: a descriptor for io_close(), or -EAGAIN. */
int lock_try(struct sriov *ctx, struct bdf bdf);

#endif
