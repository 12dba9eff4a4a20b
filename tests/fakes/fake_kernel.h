/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_kernel: what a kernel with one igb-like card would do to a made-up sysfs tree.
 *
 * Linked with --wrap=sysfs_write, --wrap=holders_scan and --wrap=sqlite3_step, and in place of
 * sriov/netlink.o. Writes to driver_override, unbind, drivers_probe and sriov_numvfs have the
 * effects that the real files have; VF settings live in memory that child processes share. Any
 * step can be made to fail, and a process can be killed before or after any step.
 */
#ifndef TESTS_FAKE_KERNEL_H
#define TESTS_FAKE_KERNEL_H

#include <stdbool.h>
#include <sys/types.h>

#include "sriov/sriov.h"
#include "tests/fakes/fake_sysfs.h"

#define FAKE_VFS 1024
#define FAKE_PF	 "0000:01:00.0"
#define FAKE_IF	 "ens1f0"
/* A second card of the kind, once a test has made it with fake_pf(). */
#define FAKE_PF2 "0000:81:00.0"
#define FAKE_IF2 "ens2f0"

struct fake_kernel {
	struct sriov_attrs vf[FAKE_VFS];  /* what the card has stored */
	struct sriov_attrs vf2[FAKE_VFS]; /* and the second one */
	/* faults */
	char refuses[32];	 /* a driver that takes no device */
	bool blocks;		 /* unbind never returns */
	char numvfs_blocks[32];	 /* a PF whose sriov_numvfs never returns */
	bool vanishes;		 /* the PF is unplugged at the next nonzero sriov_numvfs */
	int numvfs_error;	 /* answer to a nonzero sriov_numvfs */
	int numvfs_error_above;	 /* only to more than that */
	unsigned vfs_at_most;	 /* makes that many and calls it success; 0: off */
	unsigned fails, ignores; /* attributes: refused with attr_error; accepted and not stored */
	int attr_error;
	unsigned fails_above;	     /* only while there are more VFs than that */
	const char *words;	     /* extended ack of a refusal */
	int holder_group;	     /* open in process 1; -1: none */
	bool blind;		     /* the scan for holders is incomplete */
	int sql_fails_at, sql_error; /* counts down at every statement's step; then that answer */
	/* kill -9 */
	int kill_at; /* counts down at every step; at 0 `victim` dies */
	pid_t victim;
	unsigned repairs_killed; /* counted by tests */
	unsigned attr_writes, resets;
	unsigned made; /* VFs, by the last sriov_numvfs */
	/* What other files do when written: true when it was one of them, with the answer. */
	bool (*more)(const struct sysfs *fs, const char *text, const char *path, int *err);
};

/* One per test program, shared with its children. */
struct fake_kernel *fake_kernel(void);
void fake_kernel_reset(void);
/* A PF as after a boot: no VFs. */
void fake_reboot(const struct sysfs *fs, const char *pf);

#endif
