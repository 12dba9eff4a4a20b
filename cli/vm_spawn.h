/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_spawn: opens what a VM may use, and starts sluice-vmm with exactly that.
 *
 * The VMM gets no path and no right to open one: kernel, initrd, /dev/kvm, the VFIO descriptors,
 * its sockets and its log are open when it starts, and nothing else is.
 */
#ifndef CLI_VM_SPAWN_H
#define CLI_VM_SPAWN_H

#include <sys/types.h>

#include "cli/vm_request.h"

struct vm_process {
	pid_t pid;
	int pidfd;   /* readable when it has ended */
	int report;  /* vmm_report.h, non-blocking */
	int dial;    /* vm_dial_serve */
	int console; /* already connected: not a byte of the guest's is missed; -1 when detached */
};

/* What can fail for reasons outside of sluice, and changes nothing: kernel, initrd, /dev/kvm. They
 * go into `config`, which the caller has initialized. */
int vm_open_files(const struct vm_request *request, struct vmm_config *config);

/* The rest (the VM's folder exists, its devices are claimed), then the process. `lock` is the
 * owner's lock, which the VMM keeps too. All descriptors in `config` are closed, in any case. */
int vm_spawn(struct cli *cli, const struct vm_request *request, struct vmm_config *config, int lock,
	     struct vm_process *out);

void vm_config_close(struct vmm_config *config);

#endif
