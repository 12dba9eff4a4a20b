/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_hotplug: devices that come and go while the guest runs, as a running VMM sees it.
 *
 * The first device of a VM makes its I/O address space: all RAM is touched and mapped before the
 * guest hears of the device. The last one takes it away again: RAM is unpinned, and group and
 * container are closed. What the configuration says is kept up to date, so that a guest that resets
 * finds the devices where they were.
 */
#ifndef CLI_VMM_HOTPLUG_H
#define CLI_VMM_HOTPLUG_H

#include "cli/vmm_machine.h"

/* Descriptors that come with a device; -1: none. Those that are kept become -1. */
struct vmm_hotplug_files {
	int group, container;
};

/* `device->name` is taken over on success. Logged. -EEXIST: the VM has it already. */
int vmm_hotplug_attach(struct vmm_machine *machine, struct vmm_device *device,
		       struct vmm_hotplug_files *files);
/* The disk is taken over, its descriptor too, on success. */
int vmm_hotplug_attach_disk(struct vmm_machine *machine, struct vmm_disk *disk);
/* A NIC on a switch's port, likewise. Its memory must be such that others can map it. */
int vmm_hotplug_attach_net(struct vmm_machine *machine, struct vmm_net *net);
/* Asks the guest to let go of the function, of the disk or of the NIC; -ENOENT. */
int vmm_hotplug_detach(struct vmm_machine *machine, struct bdf bdf, unsigned timeout_ms);
int vmm_hotplug_detach_disk(struct vmm_machine *machine, const char *name, unsigned timeout_ms);
int vmm_hotplug_detach_net(struct vmm_machine *machine, const char *name, unsigned timeout_ms);
/* For vdev_machine_config; opaque is the machine. */
void vmm_hotplug_ejected(void *opaque, unsigned slot);

/* A guest that resets has no say any more: what was asked of it is marked, and when its machine is
 * gone, left out of the next one, which has as many CPUs as this one has now. */
void vmm_hotplug_mark(struct vmm_machine *machine);
void vmm_hotplug_prune(struct vmm_config *config);

#endif
