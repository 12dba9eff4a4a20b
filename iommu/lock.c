/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock: may this process pin the guest's memory?
 *
 * A device may touch any guest page at any time, so VFIO pins all of them and counts them as
 * locked (mm->locked_vm) against RLIMIT_MEMLOCK, unless the process has CAP_IPC_LOCK
 * (drivers/vfio/vfio_iommu_type1.c, vfio_lock_acct). Asked before the start, the answer is one
 * clear line instead of an ENOMEM halfway.
 */
#include "iommu/iommu.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"

static bool may_lock_all(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK);
}

/* VmLck of this process, in bytes; 0 when it cannot be read, which only makes the check milder. */
static uint64_t locked_now(void)
{
	char line[128];
	unsigned long long kib = 0;
	FILE *file = fopen("/proc/self/status", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file) && sscanf(line, "VmLck: %llu kB", &kib) != 1)
		;
	fclose(file);
	return kib * KIB;
}

int iommu_locked_check(const char *name, uint64_t ram)
{
	char need[PARSE_SIZE_TEXT], have[PARSE_SIZE_TEXT], used[PARSE_SIZE_TEXT];
	struct rlimit limit;
	uint64_t locked = locked_now();

	if (may_lock_all() || getrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return 0;
	if (locked <= limit.rlim_cur && ram <= limit.rlim_cur - locked)
		return 0;
	return log_fail(-ENOMEM, name,
			"its %s of memory must be locked for device access, but this process may "
			"lock %s and has locked %s; raise the limit (ulimit -l, or LimitMEMLOCK= "
			"in a unit), or run as root",
			format_size(ram, need), format_size(limit.rlim_cur, have),
			format_size(locked, used));
}
