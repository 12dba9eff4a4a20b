/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_machine: one run of a guest: the place where hv-core, vdev and iommu are joined.
 *
 * A machine is made from the configuration, started once, and destroyed when it has ended; a guest
 * that resets gets a new one, in the same process, with the same descriptors.
 */
#ifndef CLI_VMM_MACHINE_H
#define CLI_VMM_MACHINE_H

#include "base/loop.h"
#include "cli/vmm_config.h"
#include "cli/vmm_console.h"
#include "cli/vmm_touch.h"
#include "hv-core/hv.h"
#include "iommu/iommu.h"
#include "vdev/vdev.h"

struct vmm_machine {
	struct vmm_config *config; /* follows the devices that come and go */
	struct loop *loop;
	struct vmm_console *console;
	struct iommu_domain *domain; /* NULL when nothing is passed through */
	size_t announced;	     /* groups of the config that the engine knows */
	struct hv_vm *vm;
	struct vdev_machine *devices;
	struct vmm_touch *touch;
	bool restored;	     /* goes on with config->restore */
	uint32_t gaps;	     /* its root ports, by number, that nothing is behind */
	struct state *saved; /* its state, until it is taken over */
};

/* Everything up to the guest's first instruction. When the guest has ended, `loop` is stopped with
 * the enum hv_end as its value. */
int vmm_machine_create(struct vmm_config *config, struct loop *loop, struct vmm_console *console,
		       struct vmm_machine **out);
int vmm_machine_start(struct vmm_machine *machine);
void vmm_machine_destroy(struct vmm_machine *machine);

/* Opens a function of a group that was announced and puts it into the machine, in its slot when it
 * had one; device->slot says where it is. */
int vmm_machine_add_device(struct vmm_machine *machine, struct vmm_device *device);
/* The same for a disk; its descriptor stays the configuration's. */
int vmm_machine_add_disk(struct vmm_machine *machine, struct vmm_disk *disk);
int vmm_machine_add_net(struct vmm_machine *machine, struct vmm_net *net);

#endif
