/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_place: which CPUs of the host a VM runs on, and which it has for itself.
 *
 * Each VM notes in its folder (VM_CPUS) where its threads run: `pins`, where virtual CPUs were
 * pinned to; `threads`, where everything else of it may run; `reserved`, the cores that it keeps to
 * itself (--isolate). A VM that comes later stays off what is reserved; the threads of one that
 * runs already are moved away. Those notes, read and written under one lock of the run directory,
 * are all there is: what a dead VM reserved is free.
 *
 * Cores are reserved among VMs of sluice only. Whether the host's kernel leaves them alone too is
 * its own affair (isolcpus, nohz_full), and said when it does not.
 */
#ifndef CLI_VM_PLACE_H
#define CLI_VM_PLACE_H

#include "cli/vm_request.h"

/* Nothing is changed: that the host has the nodes and CPUs that were named (-EINVAL, logged), and a
 * warning for each device that is plugged in far from where the VM will be. */
int vm_place_check(struct cli *cli, const struct vm_request *request);

/* Where the VM of the request's name runs, into the request: as it was started (--numa, --pin), and
 * the node that has most of its memory. */
void vm_place_recall(struct cli *cli, struct vm_request *request);
/* The same warning for devices that a VM gets while it runs: vm_place_recall() comes before. */
void vm_place_check_attach(struct cli *cli, const struct vm_request *request);

#define VM_PLACE_WHY 96
/* The one node of the host that the VM is on, by --numa, by its pins, or because it has its memory
 * there; -1 where that is none or several. `why` gets it in words. */
int vm_place_node(struct cli *cli, const struct vm_request *request, char why[VM_PLACE_WHY]);

/* Takes the VM's place, with its life's lock held: from here on this process, and what it starts,
 * runs where the VM's threads may. -EBUSY, logged: another VM runs there or has reserved it. */
int vm_place_take(struct cli *cli, const struct vm_request *request);

#endif
