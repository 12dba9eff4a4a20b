/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs: the machine as a tree of small text files, below one root descriptor.
 *
 * Whatever reads or writes /sys does it through a handle, so that a test can hand in a captured
 * or made-up tree instead of the machine. Paths are relative to the root ("bus/pci/devices/…",
 * as under /sys) and built with printf-like arguments. Results are 0 or negative errno; nothing
 * is logged, since only the caller knows which absence is an error.
 */
#ifndef BASE_SYSFS_H
#define BASE_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sysfs {
	int root; /* directory descriptor; -1 when closed */
};

#define SYSFS_PATH 512

/* `path` is "/sys" outside tests. */
int sysfs_open(struct sysfs *fs, const char *path);
void sysfs_close(struct sysfs *fs);

bool sysfs_exists(const struct sysfs *fs, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* One line without its newline. -E2BIG when it does not fit. */
int sysfs_read(const struct sysfs *fs, char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* All of a file of several lines. -E2BIG. */
int sysfs_read_text(const struct sysfs *fs, char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int sysfs_read_u64(const struct sysfs *fs, uint64_t *out, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The kernel's answer to the write(2) itself, e.g. -EBUSY. May block as long as the kernel does. */
int sysfs_write(const struct sysfs *fs, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Last component of a symbolic link's target: the name of a driver, group or device. */
int sysfs_link_name(const struct sysfs *fs, char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Calls `each` with the name of every entry but "." and "..", sorted by name (strverscmp); stops
 * at the first nonzero return and passes it on. */
int sysfs_list(const struct sysfs *fs, int (*each)(const char *name, void *opaque), void *opaque,
	       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
