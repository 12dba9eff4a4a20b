/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_claim: the functions that a VM asks for, from being found to being the VM's. */
#ifndef CLI_VM_CLAIM_H
#define CLI_VM_CLAIM_H

#include "cli/vm_request.h"

#define VM_PICK_NAME 96

/* "vf ens1f0/2 (0000:01:10.0)", "device 0000:02:00.0" */
const char *vm_pick_name(const struct vm_pick *pick, char name[VM_PICK_NAME]);

/* Takes it for the VM that `r` is about, whose lock is held; from a dead VM first, if it is still
 * in such a one's name. On failure it is as before. */
int vm_claim_pick(struct cli *cli, const struct vm_request *r, const struct vm_pick *pick);

/* The IOMMU group of what was found. Logs. */
int vm_pick_group(struct cli *cli, const struct vm_pick *pick, int *id);
/* A slice of a GPU by its name, UUID or address: 1 found, 0 none. */
int vm_find_slice(struct cli *cli, const char *text, struct bdf *out);

/* /dev/vfio/ID of its group, into *fd; *group gets the id. Logged. */
int vm_open_group(const char *subject, int group, int *fd);
/* /dev/vfio/vfio */
int vm_open_container(const char *subject, int *fd);

/* The node of the host's that the function is plugged in at; -1 where the host does not tell. */
int vm_device_node(const struct sysfs *fs, struct bdf bdf);

/* The address of "PF/N", of a VF's address, or of a whole device's. */
int vm_find_function(struct sriov *sriov, const char *text, struct bdf *out);

#endif
