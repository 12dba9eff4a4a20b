/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * numa: which part of a guest is near which other part. Private to hv-core; the public half is in
 * hv.h (struct hv_node).
 *
 * A guest node is some of the CPUs and one piece of RAM. It may stand for a node of the host's:
 * then its RAM comes from there, and the threads of its CPUs run there. The guest is told by SRAT
 * and SLIT (acpi_numa.c).
 */
#ifndef HV_CORE_NUMA_H
#define HV_CORE_NUMA_H

#include <sched.h>

#include "base/sysfs.h"
#include "hv-core/hv.h"

struct hv_numa_node {
	uint64_t offset, ram; /* its piece of RAM, counted from RAM's start and without the holes */
	uint64_t cpus;	      /* bit n: CPU n */
	int host;	      /* -1: any */
	cpu_set_t run;	      /* where its CPUs' threads may run; empty: anywhere */
};

struct hv_numa {
	unsigned count; /* 0: the guest is told nothing */
	struct hv_numa_node node[HV_MAX_NODES];
	uint8_t distance[HV_MAX_NODES][HV_MAX_NODES]; /* ACPI 6.5, 5.2.17 */
};

/* From config->nodes. -EINVAL, logged: they do not make up the machine, or the host has no such
 * node. */
int hv_numa_plan(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		 struct hv_numa *out);

/* Whether each of the host's nodes has what is wanted of it. -ENOMEM, logged. */
int hv_numa_check(const char *subject, const struct hv_config *config, const struct sysfs *sys);

/* The RAM at `hva`, not yet touched, will come from the nodes that it was planned for. */
int hv_numa_bind(const char *subject, const struct hv_config *config, void *hva);

/* Of a VM (vm.c). */
const struct hv_numa *hv_vm_numa(const struct hv_vm *vm);

/* The guest node of a CPU; -1: there are no nodes. */
int hv_numa_of_cpu(const struct hv_numa *numa, unsigned cpu);

#endif
