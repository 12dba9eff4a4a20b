/* SPDX-License-Identifier: BSD-3-Clause */
/* sandbox: see sandbox.h. */
#include "cli/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/sandbox_calls.h"
#include "cli/sandbox_paths.h"

#define FILES_MAX 65536 /* descriptors: of every vector of every device, and then some */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

bool sandbox_possible(void)
{
	return !SANITIZED;
}

static int failed(const struct sandbox_config *config, const char *what)
{
	int err = errno ? -errno : -EIO;

	return log_fail(err, config->name,
			"not put into its sandbox: %s: %s; --no-sandbox does without", what,
			strerror(-err));
}

/* ---- limits ---- */

/* No more than `most`, for good. Who has more already, and may not set it, keeps it. */
static int limit(int what, rlim_t most)
{
	const struct rlimit both = {most, most};

	return setrlimit((__rlimit_resource_t)what, &both);
}

static int set_limits(const struct sandbox_config *config)
{
	struct rlimit files;

	if (limit(RLIMIT_CORE, 0) < 0) /* a core would have the guest's memory in it */
		return failed(config, "no limit on core files");
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    limit(RLIMIT_NOFILE, MIN(files.rlim_max, (rlim_t)FILES_MAX)) < 0)
		return failed(config, "no limit on descriptors");
	/* Who may not raise it hears from iommu_locked_check whether what there is will do. */
	if (config->uid && config->memlock && limit(RLIMIT_MEMLOCK, config->memlock) < 0 &&
	    errno != EPERM)
		return failed(config, "no limit on locked memory");
	return 0;
}

/* ---- a root of its own ---- */

/* What is bound into it, read-only: figures of the kernel's, and nothing that anybody wrote. */
static const struct bound {
	const char *path;
	bool file;
} bounds[] = {
	{"/sys/kernel/mm", false},
	{"/sys/devices/system", false},
	{"/sys/module/kvm_intel/parameters", false},
	{"/sys/module/kvm_amd/parameters", false},
	{"/proc/meminfo", true},
};

#define NEW_ROOT   "/tmp"
#define ROOT_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static int make_dirs(char *path)
{
	for (char *at = path + sizeof(NEW_ROOT); (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* Absent: it is absent there too. */
static int bind_one(const struct bound *bound)
{
	char path[PATH_MAX];

	if (access(bound->path, F_OK) < 0)
		return 0;
	snprintf(path, sizeof(path), NEW_ROOT "%s%s", bound->path, bound->file ? "" : "/");
	int err = make_dirs(path);
	if (!err && bound->file) {
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
		err = fd < 0 ? -errno : 0;
		io_close(&fd);
	}
	if (!err &&
	    (mount(bound->path, path, NULL, MS_BIND, NULL) < 0 ||
	     mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | ROOT_FLAGS, NULL) < 0))
		err = -errno;
	return err;
}

/* The old one is gone for this process: nothing of it is open or mounted here any more. In a root
 * that is itself only a folder, pivot_root(2) cannot be; then the new one is moved over it. */
static int change_root(void)
{
	if (chdir(NEW_ROOT) < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
	return mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0
		       ? -errno
		       : 0;
}

static int make_root(const struct sandbox_config *config)
{
	int err = 0;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 && errno != EINVAL)
		return failed(config, "its mounts stay shared");
	if (mount("sluice", NEW_ROOT, "tmpfs", ROOT_FLAGS, "size=64k,mode=0755") < 0)
		return failed(config, "no empty root");
	for (size_t i = 0; i < ARRAY_SIZE(bounds) && !err; i++)
		err = bind_one(&bounds[i]);
	if (!err)
		err = change_root();
	if (!err && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | ROOT_FLAGS, NULL) < 0)
		err = -errno;
	errno = -err;
	return err ? failed(config, "no root of its own") : 0;
}

static int separate(const struct sandbox_config *config)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		return failed(config, "no namespaces");
	return make_root(config);
}

/* ---- a user of its own ---- */

static int become_user(const struct sandbox_config *config)
{
	/* With the last number, EINVAL: the kernel knows no more of them. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (errno != EINVAL)
		return failed(config, "capabilities not given up");
	if (setgroups(0, NULL) < 0 || setresgid(config->gid, config->gid, config->gid) < 0 ||
	    setresuid(config->uid, config->uid, config->uid) < 0)
		return failed(config, "no other user");
	return 0;
}

/* ---- telling of what was refused ---- */

/* Nothing here may take a lock: it may be held where the call was made. */
static char *put_number(char *at, unsigned n)
{
	char digits[12];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + n % 10);
	while (n /= 10);
	while (count)
		*at++ = digits[--count];
	return at;
}

/* The call's number is all that can be told without a library that allocates; whoever reads it has
 * the names. Standard output is the report's (sandbox_enter). */
static void refused(int sig, siginfo_t *info, void *context)
{
	char line[64] = SANDBOX_REPORT " ", *at = line + strlen(line), name[17] = "";

	(void)sig, (void)context;
	at = put_number(at, (unsigned)info->si_syscall);
	*at++ = ' ';
	prctl(PR_GET_NAME, name, 0, 0, 0);
	for (const char *c = name; *c; c++)
		*at++ = *c > ' ' ? *c : '_';
	*at++ = '\n';
	if (write(STDOUT_FILENO, line, (size_t)(at - line)) < 0)
		_exit(SANDBOX_STATUS); /* nobody listens: then nobody is told */
	_exit(SANDBOX_STATUS);
}

static int tell_refusals(const struct sandbox_config *config)
{
	struct sigaction action = {.sa_sigaction = refused, .sa_flags = SA_SIGINFO};

	sigfillset(&action.sa_mask);
	if (dup2(config->report_fd, STDOUT_FILENO) < 0 || sigaction(SIGSYS, &action, NULL) < 0)
		return failed(config, "no way to tell of what is refused");
	return 0;
}

/* ---- the whole ---- */

int sandbox_enter(const struct sandbox_config *config)
{
	int err = set_limits(config);

	if (!err && config->uid)
		err = separate(config);
	if (!err && config->uid)
		err = become_user(config);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err = failed(config, "privileges may come back");
	if (!err)
		err = sandbox_paths(config->name, config->writable_fd);
	if (!err)
		err = tell_refusals(config);
	if (err)
		return err;
	err = sandbox_allow(SANDBOX_START);
	errno = -err;
	return err ? failed(config, "no list of system calls") : 0;
}

/* A thread that is in no sandbox has no filter to make narrower. */
void sandbox_thread(enum sandbox_kind kind)
{
	sigset_t refusal;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2 /* SECCOMP_MODE_FILTER */)
		return;
	sigemptyset(&refusal);
	sigaddset(&refusal, SIGSYS);
	pthread_sigmask(SIG_UNBLOCK, &refusal, NULL);
	/* What cannot be made narrower ends: a thread of a guest's with too much in its hands is
	 * what the sandbox is there against. */
	if (sandbox_allow(kind))
		abort();
}
