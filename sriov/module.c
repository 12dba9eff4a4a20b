/* SPDX-License-Identifier: BSD-3-Clause */
/* module: see module.h. modprobe(8) knows aliases, dependencies and the administrator's blacklist,
 * which the system call does not. */
#include "sriov/module.h"

#include <errno.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

void module_load(const char *name)
{
	char *const argv[] = {"modprobe", "-q", "-b", "--", (char *)(uintptr_t)name, NULL};
	pid_t pid;

	if (posix_spawnp(&pid, "modprobe", NULL, NULL, argv, environ))
		return; /* no modprobe: the driver stays missing, and its user says so */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
