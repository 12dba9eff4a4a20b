/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_def_plug: devices of a VM as it is defined: given to it and taken from it while it does not
 * run, or for its next start.
 *
 * A VF is kept as it was named: "ens1f0" or a pool's name mean any free one, which is chosen at
 * each start. What would be chosen now is told, and that there is none now is no reason to refuse.
 */
#ifndef CLI_VM_DEF_PLUG_H
#define CLI_VM_DEF_PLUG_H

#include "cli/cli.h"
#include "cli/vm_request.h"

/* An option of `vm run`: "--vf", "ens1f0/2:vlan=100". */
struct vm_def_device {
	const char *option, *value;
};

/* Whether its definition would take them. -EINVAL, logged; nothing is changed. */
int vm_def_check_attach(struct cli *cli, const char *name, const struct vm_def_device *devices,
			size_t count);
int vm_def_attach(struct cli *cli, const char *name, const struct vm_def_device *devices,
		  size_t count);
/* Which VFs the request's picks would be now, in words. */
void vm_def_foretell(struct cli *cli, struct vm_request *request);

/* The device that is called so, as for vm_plug_detach(), or by the words it was given with.
 * -ENOENT, logged. */
int vm_def_detach(struct cli *cli, const char *name, const char *what);

#endif
