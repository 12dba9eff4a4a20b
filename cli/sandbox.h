/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox: where sluice-vmm runs, so that a guest that has broken out of its machine has gained
 * nothing.
 *
 * Entered once, before anything of the guest's is read and while there is one thread:
 *
 *     a user of its own, no capability, none to be had again (no_new_privs)
 *     namespaces of its own: mounts, network, IPC, host name, cgroups; its process IDs come from
 *         whoever starts it (CLONE_NEWPID)
 *     a root that is empty but for the kernel's figures on memory and processors, read-only
 *     Landlock over that root, where the kernel has it
 *     an allow-list of system calls, and a shorter one for each kind of thread
 *
 * What is not on the list ends the process (SIGSYS): sandbox_report says which call it was. What
 * it works with came as descriptors. Without root there are no namespaces and no other user; the
 * rest holds.
 */
#ifndef CLI_SANDBOX_H
#define CLI_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Each may do what those behind it may not. Threads begin as what made them. */
enum sandbox_kind {
	SANDBOX_START, /* before the guest runs: may also fill the cache of unpacked kernels */
	SANDBOX_LOOP,  /* the main loop: plugs devices, makes threads */
	SANDBOX_SLOW,  /* touches or saves memory */
	SANDBOX_IO,    /* moves what virtio devices move; talks to their back-ends */
	SANDBOX_CPU,   /* runs the guest, and serves its exits */
};

struct sandbox_config {
	const char *name; /* for messages */
	uid_t uid;	  /* 0: stays who it is */
	gid_t gid;
	uint64_t memlock; /* bytes that devices may pin; 0: as it is */
	int writable_fd;  /* of the one folder in which files may be made, until LOOP; or -1 */
	int report_fd;	  /* for sandbox_report; kept open by the caller */
};

/* Whether this build can: sanitizers look at themselves through /proc and ptrace(2). */
bool sandbox_possible(void);

/* 0, or a negative errno, logged; then the process is in between and must end. */
int sandbox_enter(const struct sandbox_config *config);

/* From here on the calling thread is one of that kind. Without a sandbox: nothing happens. */
void sandbox_thread(enum sandbox_kind kind);

/* What SIGSYS writes to report_fd before the end, a line: "denied NUMBER THREAD". */
#define SANDBOX_REPORT "denied"
#define SANDBOX_STATUS 31 /* the exit status then */

#endif
