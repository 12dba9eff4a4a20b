/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tune: settings of the host that VMs feel, changed where that can be done, and back again.
 *
 * A step is a file and what shall be in it: a switch of the kernel's below /sys or /proc, which
 * acts at once, or a file below /etc, which brings it back at the next boot. What was there before
 * is noted in STATE_DIR/tune.json first, so that a killed command can be undone as well. What
 * somebody else has changed since is left as it is.
 */
#ifndef CLI_TUNE_H
#define CLI_TUNE_H

#include <jansson.h>
#include <sched.h>
#include <stdint.h>

#include "cli/cli.h"

struct tune_wish {
	uint64_t hugepages; /* of 2 MiB; 0: as they are */
	cpu_set_t isolate;  /* for VMs alone, from the next boot on; interrupts leave at once */
};

/* [{"path", "now", "want", "why", "when"}] of all that is not yet as it should be; "now" is null
 * for a file that is not there. NULL, logged. */
json_t *tune_plan(struct cli *cli, const struct tune_wish *wish);
/* Does them; a step that fails is logged, and the others are done. How many were done, or a
 * negative errno when any failed. */
int tune_apply(struct cli *cli, const json_t *plan);
/* Everything back that was done. How many files, or a negative errno. */
int tune_undo(struct cli *cli);

#endif
