/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox_paths: see sandbox_paths.h. Landlock has no wrappers in the C library
 * (Documentation/userspace-api/landlock.rst); what a newer one could forbid beyond this kernel's
 * headers is asked for by its number.
 */
#include "cli/sandbox_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define FIRST_RIGHTS UINT64_C(0x1fff)	 /* version 1: execute … make_sym */
#define REFER	     (UINT64_C(1) << 13) /* 2 */
#define TRUNCATE     (UINT64_C(1) << 14) /* 3 */
#define READ_FILE    LANDLOCK_ACCESS_FS_READ_FILE
#define READ_BELOW   (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_BELOW                                                                    \
	(READ_BELOW | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_REG)

static int add(int rules, int folder, uint64_t rights)
{
	const struct landlock_path_beneath_attr below = {.allowed_access = rights,
							 .parent_fd = folder};

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0u) < 0
		       ? -errno
		       : 0;
}

/* Where it is not there, there is nothing to be read either. */
static int add_path(int rules, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int err = fd < 0 ? 0 : add(rules, fd, rights);

	io_close(&fd);
	return err;
}

static uint64_t rights_of(long version)
{
	return FIRST_RIGHTS | (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0);
}

int sandbox_paths(const char *name, int writable_fd)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* the version, please */);

	if (version < 1) {
		log_info(name, "no Landlock here: %m; its other walls stand");
		return 0;
	}
	const struct landlock_ruleset_attr attr = {.handled_access_fs = rights_of(version)};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs),
				 0u);
	int err = rules < 0 ? -errno : 0;
	if (!err)
		err = add_path(rules, "/sys", READ_BELOW);
	if (!err)
		err = add_path(rules, "/proc/meminfo", READ_FILE);
	if (!err && writable_fd >= 0)
		err = add(rules, writable_fd, WRITE_BELOW);
	if (!err && syscall(SYS_landlock_restrict_self, rules, 0u) < 0)
		err = -errno;
	io_close(&rules);
	return err ? log_fail(err, name, "its paths are not closed: %s", strerror(-err)) : 0;
}
