/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_initrd: the initramfs of a bench's guests; see bench_initrd.c. */
#ifndef CLI_BENCH_INITRD_H
#define CLI_BENCH_INITRD_H

#include <stddef.h>

/* Writes a new archive to `path`: the program `work` as /init, and of `modules` (a kernel's
 * /lib/modules/VERSION) those that are named, behind what they need. Those that a kernel has built
 * in, or not at all, are left out. -errno, logged. */
int bench_initrd_write(const char *path, const char *work, const char *modules,
		       const char *const *names, size_t count);

#endif
