/* SPDX-License-Identifier: BSD-3-Clause */
/* lock: one change of a PF (and all its VFs) at a time, across processes. */
#ifndef SRIOV_LOCK_H
#define SRIOV_LOCK_H

#include "sriov/context.h"

/* flock(2) on RUN_DIR/lock/ADDRESS. Waits for another command, up to a minute; the descriptor, or
 * a negative errno, logged. io_close() ends it. */
int lock_take(struct sriov *ctx, struct bdf bdf);
/* The same, at once or -EAGAIN. */
int lock_try(struct sriov *ctx, struct bdf bdf);

#endif
