/* SPDX-License-Identifier: BSD-3-Clause */
/* slow: sysfs writes that may block in the kernel for ever, with a deadline. */
#ifndef SRIOV_SLOW_H
#define SRIOV_SLOW_H

#include "sriov/context.h"

#define SLOW_MS 30000 /* a context's deadline */

/* sysfs_write in a child process. The kernel's errno; -ETIMEDOUT when it has not answered after
 * the context's deadline (the write goes on in the kernel, and cannot be called back). Nothing is
 * logged. */
int slow_write(const struct sriov *ctx, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
