/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_path: the ways that a packet can take between a guest and a host, as things that can be set
 * up and taken down. Each has a subnet of its own out of 198.18.0.0/15 (RFC 2544, C.2.2): .1 is the
 * peer's, .2 the guest's.
 */
#ifndef CLI_BENCH_PATH_H
#define CLI_BENCH_PATH_H

#include <limits.h>
#include <stdbool.h>

#include "bench/bench.h"
#include "cli/bench_guest.h"
#include "cli/cli.h"

#define BENCH_PATH_WHY 160

enum bench_end { BENCH_TAP, BENCH_SWITCH, BENCH_VF, BENCH_NATIVE };

struct bench_kind {
	const char *name;  /* "emulated" */
	const char *label; /* for people */
	const char *net;   /* what --net gets behind "tap" */
	enum bench_end end;
	bool qemu;	    /* QEMU is the monitor */
	const char *device; /* its -device */
};

/* Ends with a NULL name. */
extern const struct bench_kind bench_kinds[];

struct bench_settings {
	const char *kernel, *modules, *pf; /* pf may be NULL */
	const char *qemu;		   /* the program, or NULL */
	char work[PATH_MAX], initrd[PATH_MAX];
};

struct bench_path {
	const struct bench_kind *kind;
	unsigned subnet; /* 198.18.SUBNET.0/24 */
	char vm[32];	 /* the VM's name */
	char wire[32];	 /* the host's interface at the other end */
	char dev[32];	 /* native: the VF's interface */
	bool up, addressed, port_made, bridge_made, switch_started;
	char why[BENCH_PATH_WHY]; /* it is not available: the reason */
	struct bench_guest guest;
	struct bench_peer *peer;
	unsigned restarts;
};

struct in_addr bench_path_address(const struct bench_path *path, unsigned host);
/* Whether it can be set up here; false with path->why. */
bool bench_path_available(struct cli *cli, const struct bench_settings *settings,
			  struct bench_path *path);
/* Until its guest is ready. Negative with path->why; -EINTR: stop_fd. */
int bench_path_start(struct cli *cli, const struct bench_settings *settings,
		     struct bench_path *path, int stop_fd);
void bench_path_stop(struct cli *cli, struct bench_path *path);

#endif
