/* SPDX-License-Identifier: BSD-3-Clause */
/* sandbox_paths: what of the file system the sandbox leaves, by Landlock. */
#ifndef CLI_SANDBOX_PATHS_H
#define CLI_SANDBOX_PATHS_H

/* Reading below /sys and of /proc/meminfo; everything in the folder `writable_fd` (-1: none). A
 * kernel without Landlock: 0, and said at LOG_INFO. */
int sandbox_paths(const char *name, int writable_fd);

#endif
