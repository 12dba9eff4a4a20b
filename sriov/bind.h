/* SPDX-License-Identifier: BSD-3-Clause */
/* bind: what sriov_bind() and sriov_rebind() leave out. */
#ifndef SRIOV_BIND_H
#define SRIOV_BIND_H

#include "sriov/context.h"

/* Lets the kernel look for a driver of a function that has none; that there is none is no error.
 * The driver's module is loaded where udev does not do it. Logs. */
int bind_default(struct sriov *ctx, struct bdf bdf);
/* Resets a function that has a driver which allows it, so that nothing of its last user is left
 * (PCIe 6.0 section 6.6.2, FLR). -ENOTTY: it has no reset. Logs all but that. */
int bind_scrub(struct sriov *ctx, struct bdf bdf);

#endif
