/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_net: the host's side of a VM's NICs: taps found or made, joined to a bridge, and opened, one
 * descriptor per queue pair; and /dev/vhost-net beside them.
 *
 * A tap made for a VM lives as long as somebody has it open, which is the VM's process alone: it
 * goes with the VM, however that ends.
 */
#ifndef CLI_VM_NET_H
#define CLI_VM_NET_H

#include "base/sysfs.h"
#include "cli/net_spec.h"
#include "cli/vmm_config.h"

/* Whether NIC number `index` of `vm` can be had, without changing anything; opens a tap that exists
 * already, since only that tells whether it is busy. `net` is filled with what the VMM will be
 * told. Failures are logged under `subject`. */
int vm_net_check(const struct sysfs *fs, const char *subject, const char *vm, unsigned index,
		 const struct net_spec *spec, struct vmm_net *net);
/* Makes what does not exist yet. */
int vm_net_open(const struct sysfs *fs, const char *subject, const struct net_spec *spec,
		struct vmm_net *net);

#endif
