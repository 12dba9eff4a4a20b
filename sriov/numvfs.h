/* SPDX-License-Identifier: BSD-3-Clause */
/* numvfs: how many VFs a PF has. */
#ifndef SRIOV_NUMVFS_H
#define SRIOV_NUMVFS_H

#include "sriov/context.h"

/* From 0 to `count`, or from any number to 0. Read back; fewer than asked is -EIO, and they are
 * taken away again. The caller has seen to it that nobody uses a VF that goes. Logs. */
int numvfs_set(struct sriov *ctx, const struct sriov_pf *pf, unsigned count);
/* What can be said before it is tried: -ERANGE, -ENOENT. Logs. */
int numvfs_check(struct sriov *ctx, const struct sriov_pf *pf, unsigned count);

#endif
