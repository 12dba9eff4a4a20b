/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_sysfs: a made-up machine: a directory with the files and links of /sys that sluice reads.
 *
 * Nothing in it moves by itself; fake_kernel.h adds that.
 */
#ifndef TESTS_FAKE_SYSFS_H
#define TESTS_FAKE_SYSFS_H

#include "base/sysfs.h"

struct fake_sysfs {
	char dir[32];
	struct sysfs fs;
};

void fake_sysfs_make(struct fake_sysfs *fake);
void fake_sysfs_remove(struct fake_sysfs *fake);

/* A file, a link, or a removal; parents are made. */
void fake_put(const struct sysfs *fs, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void fake_link(const struct sysfs *fs, const char *target, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void fake_unlink(const struct sysfs *fs, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A directory with all that is in it. */
void fake_remove(const struct sysfs *fs, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void fake_driver(const struct sysfs *fs, const char *name);
/* `group` -1: none. `driver` "": none; it is also what the device matches by itself. */
void fake_device(const struct sysfs *fs, const char *bdf, int group, const char *driver);
void fake_bind(const struct sysfs *fs, const char *bdf, const char *driver);
/* A PF with its interface; no VFs yet. */
void fake_pf(const struct sysfs *fs, const char *bdf, const char *ifname, unsigned total);

#endif
