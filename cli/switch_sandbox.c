/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_sandbox: see switch_sandbox.h. */
#include "cli/switch_sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#define SUBJECT "sluice-switch"

/* Physical addresses (SYS_ADMIN), VFIO and huge pages (IPC_LOCK, DAC_OVERRIDE), old NICs' ports
 * (SYS_RAWIO), taps (NET_ADMIN), packet sockets (NET_RAW), priorities (SYS_NICE), files that were
 * given to others (FOWNER, CHOWN). */
static const int kept[] = {CAP_SYS_ADMIN, CAP_IPC_LOCK,	   CAP_DAC_OVERRIDE, CAP_SYS_RAWIO,
			   CAP_NET_ADMIN, CAP_NET_RAW,	   CAP_SYS_NICE,     CAP_FOWNER,
			   CAP_CHOWN,	  CAP_SYS_RESOURCE};

static const int never[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kcmp),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsmount),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),

	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(setuid),
	SCMP_SYS(setgid),
	SCMP_SYS(setresuid),
	SCMP_SYS(setresgid),
	SCMP_SYS(setgroups),
	SCMP_SYS(vhangup),
};

static bool keeps(int cap)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i] == cap)
			return true;
	return false;
}

/* Those that it has, and those that it could get. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!keeps(cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return -errno; /* EPERM: not root, who has none to give up */
	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int cap = 0; cap < 64; cap++) {
		uint32_t mask = keeps(cap) ? ~0u : ~CAP_TO_MASK(cap);

		data[CAP_TO_INDEX(cap)].effective &= mask;
		data[CAP_TO_INDEX(cap)].permitted &= mask;
		data[CAP_TO_INDEX(cap)].inheritable &= mask;
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int forbid_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err = filter ? 0 : -ENOMEM;

	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < ARRAY_SIZE(never) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, never[i], 0);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

int switch_sandbox_enter(void)
{
	int err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;

	/* Whoever may not have namespaces of its own is not root. */
	if (!err && unshare(CLONE_NEWIPC | CLONE_NEWUTS) < 0 && errno != EPERM)
		err = -errno;
	if (!err)
		err = drop_capabilities();
	if (!err)
		err = forbid_calls();
	return err ? log_fail(err, SUBJECT,
			      "not hardened: %s; switch start --no-sandbox does without",
			      strerror(-err))
		   : 0;
}
