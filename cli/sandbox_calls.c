/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox_calls: which system calls each kind of thread may make (seccomp(2), libseccomp).
 *
 * One table: a call, and the last kind that may make it; those before it may as well. Filters add
 * up, so a thread only ever loses calls. A call without a condition costs nothing: the kernel keeps
 * the answer (seccomp's action cache, Linux 5.11).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/sandbox_calls.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

struct call {
	int number;
	enum sandbox_kind last;
};

#define LINE(name, kind)                       \
	{                                      \
		SCMP_SYS(name), SANDBOX_##kind \
	}

static const struct call calls[] = {
	/* descriptors that are there */
	LINE(read, CPU),
	LINE(write, CPU),
	LINE(readv, CPU),
	LINE(writev, CPU),
	LINE(pread64, CPU),
	LINE(pwrite64, CPU),
	LINE(preadv, CPU),
	LINE(pwritev, CPU),
	LINE(preadv2, IO),
	LINE(pwritev2, IO),
	LINE(lseek, CPU),
	LINE(fstat, CPU),
	LINE(fsync, CPU),
	LINE(fdatasync, CPU),
	LINE(sync_file_range, IO),
	LINE(fallocate, CPU),
	LINE(ftruncate, CPU),
	LINE(flock, LOOP),
	LINE(fcntl, CPU),
	LINE(dup, CPU),
	LINE(dup2, LOOP),
	LINE(dup3, CPU),
	LINE(close, CPU),
	LINE(close_range, LOOP),
	LINE(ioctl, CPU),
	/* waiting */
	LINE(poll, CPU),
	LINE(ppoll, CPU),
	LINE(select, LOOP),
	LINE(pselect6, LOOP),
	LINE(epoll_create1, CPU),
	LINE(epoll_ctl, CPU),
	LINE(epoll_wait, CPU),
	LINE(epoll_pwait, CPU),
	LINE(epoll_pwait2, CPU),
	LINE(eventfd2, CPU),
	LINE(pipe2, CPU),
	LINE(signalfd4, LOOP),
	LINE(timerfd_create, CPU),
	LINE(timerfd_settime, CPU),
	LINE(timerfd_gettime, CPU),
	LINE(futex, CPU),
	LINE(nanosleep, CPU),
	LINE(clock_nanosleep, CPU),
	LINE(restart_syscall, CPU),
	LINE(sched_yield, CPU),
	/* sockets that are there; none is made but pairs, none is connected */
	LINE(accept4, IO),
	LINE(accept, IO),
	LINE(sendmsg, CPU),
	LINE(recvmsg, CPU),
	LINE(sendto, CPU),
	LINE(recvfrom, CPU),
	LINE(shutdown, CPU),
	LINE(getsockopt, CPU),
	LINE(setsockopt, IO),
	LINE(getsockname, IO),
	LINE(getpeername, IO),
	/* asynchronous I/O; what a ring could open there is not in the namespaces */
	LINE(io_uring_setup, CPU),
	LINE(io_uring_enter, CPU),
	LINE(io_uring_register, CPU),
	/* memory */
	LINE(munmap, CPU),
	LINE(mremap, CPU),
	LINE(madvise, CPU),
	LINE(mincore, CPU),
	LINE(msync, CPU),
	LINE(brk, CPU),
	LINE(membarrier, CPU),
	LINE(memfd_create, LOOP),
	LINE(mbind, LOOP),
	LINE(set_mempolicy, LOOP),
	LINE(get_mempolicy, CPU),
	/* itself */
	LINE(getpid, CPU),
	LINE(gettid, CPU),
	LINE(getuid, CPU),
	LINE(geteuid, CPU),
	LINE(getgid, CPU),
	LINE(getegid, CPU),
	LINE(capget, LOOP),
	LINE(uname, CPU),
	LINE(sysinfo, CPU),
	LINE(getrusage, CPU),
	LINE(getrlimit, CPU),
	LINE(getcpu, CPU),
	LINE(getpriority, CPU),
	LINE(setpriority, SLOW),
	LINE(sched_getaffinity, CPU),
	LINE(sched_setaffinity, SLOW),
	LINE(getrandom, CPU),
	LINE(clock_gettime, CPU),
	LINE(clock_getres, CPU),
	LINE(gettimeofday, CPU),
	LINE(time, CPU),
	/* signals and threads */
	LINE(rt_sigprocmask, CPU),
	LINE(rt_sigreturn, CPU),
	LINE(rt_sigpending, CPU),
	LINE(rt_sigtimedwait, CPU),
	LINE(sigaltstack, CPU),
	LINE(set_robust_list, CPU),
	LINE(rseq, CPU),
	LINE(seccomp, CPU),
	LINE(exit, CPU),
	LINE(exit_group, CPU),
	/* the cache of unpacked kernels */
	LINE(unlinkat, START),
	LINE(renameat, START),
	LINE(renameat2, START),
	LINE(getdents64, START),
};

/* ---- with a condition ---- */

#define ALLOW SCMP_ACT_ALLOW

/* Nothing is opened for writing once the guest runs, and by threads that serve it nothing at all.
 */
static int allow_open(scmp_filter_ctx filter, enum sandbox_kind kind)
{
	const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
	int err = 0;

	if (kind == SANDBOX_START)
		err = seccomp_rule_add(filter, ALLOW, SCMP_SYS(openat), 0);
	else if (kind <= SANDBOX_SLOW)
		err = seccomp_rule_add(filter, ALLOW, SCMP_SYS(openat), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
	/* fstat(2) is this call in newer libraries, with an empty path. */
	return err ? err : seccomp_rule_add(filter, ALLOW, SCMP_SYS(newfstatat), 0);
}

/* Threads, not processes. clone3's flags lie in memory, out of a filter's reach; the C library
 * takes clone where it is told that there is none. */
static int allow_clone(scmp_filter_ctx filter, enum sandbox_kind kind)
{
	const uint64_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	const uint64_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

	if (kind > SANDBOX_SLOW)
		return 0;
	int err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return err ? err
		   : seccomp_rule_add(filter, ALLOW, SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, thread | spaces, thread));
}

/* The handler that tells of a call that was refused stays. */
static int allow_signals(scmp_filter_ctx filter)
{
	int err = seccomp_rule_add(filter, ALLOW, SCMP_SYS(rt_sigaction), 1,
				   SCMP_A0(SCMP_CMP_NE, SIGSYS));

	return err ? err
		   : seccomp_rule_add(filter, ALLOW, SCMP_SYS(tgkill), 1,
				      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

static int allow_prctl(scmp_filter_ctx filter)
{
	static const int options[] = {PR_SET_NAME,	 PR_GET_NAME,	      PR_SET_VMA,
				      PR_SET_TIMERSLACK, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP,
				      PR_GET_SECCOMP};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(options) && !err; i++)
		err = seccomp_rule_add(filter, ALLOW, SCMP_SYS(prctl), 1,
				       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)options[i]));
	return err;
}

/* A page that can be run must have been so from the start. Limits are looked at, not set. A socket
 * pair is a way to be answered. */
static int allow_rest(scmp_filter_ctx filter, enum sandbox_kind kind)
{
	int err = seccomp_rule_add(filter, ALLOW, SCMP_SYS(mprotect), 1,
				   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (!err)
		err = seccomp_rule_add(filter, ALLOW, SCMP_SYS(mmap), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!err)
		err = seccomp_rule_add(filter, ALLOW, SCMP_SYS(prlimit64), 1,
				       SCMP_A2(SCMP_CMP_EQ, 0));
	if (!err && kind <= SANDBOX_IO)
		err = seccomp_rule_add(filter, ALLOW, SCMP_SYS(socketpair), 1,
				       SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	return err;
}

int sandbox_allow(enum sandbox_kind kind)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int err = filter ? 0 : -ENOMEM;

	if (!err) /* a binary tree in place of a list (libseccomp 2.5) */
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < ARRAY_SIZE(calls) && !err; i++)
		if (kind <= calls[i].last)
			err = seccomp_rule_add(filter, ALLOW, calls[i].number, 0);
	if (!err)
		err = allow_open(filter, kind);
	if (!err)
		err = allow_clone(filter, kind);
	if (!err)
		err = allow_signals(filter);
	if (!err)
		err = allow_prctl(filter);
	if (!err)
		err = allow_rest(filter, kind);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
