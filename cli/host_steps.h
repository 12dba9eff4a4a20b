/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_steps: what is to be done on a host, step by step: each with a line that a person reads
 * before, and the deed.
 *
 * The switch's and the VMs' halves of a host file become steps here. (Functions have plans and a
 * journal of their own: sriov.h.) Making steps changes nothing.
 */
#ifndef CLI_HOST_STEPS_H
#define CLI_HOST_STEPS_H

#include "cli/cli.h"
#include "cli/host_file.h"

struct host_step {
	int (*run)(struct cli *cli, const struct host_step *step);
	const char *method; /* of the switch */
	json_t *params;
	json_t *row; /* show_plan.h; its "name" is what the step is about */
};

struct host_steps {
	struct host_step *list;
	size_t count;
};

/* Takes `params` over. `before` and `after` may be NULL. -ENOMEM. */
int host_steps_add(struct host_steps *steps, const struct host_step *step, const char *name,
		   const char *what, const char *before, const char *after,
		   enum sriov_effect effect);
void host_steps_free(struct host_steps *steps);

/* What is missing of section "switch" (NULL: nothing). What the section does not name stays, but
 * bridges, ports and mirrors that it does not name go. */
int host_switch_steps(struct cli *cli, const json_t *wanted, struct host_steps *steps);
/* What is missing of section "vms". Definitions that came from a host file and are not in it any
 * more go; those that a person made stay. */
int host_vms_steps(struct cli *cli, const struct host_file *file, struct host_steps *steps);

/* The sections as the file has them, of what there is now; NULL for none. */
json_t *host_switch_export(const struct cli *cli);
json_t *host_vms_export(const struct cli *cli);

#endif
