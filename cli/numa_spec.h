/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * numa_spec: a NUMA node of a VM as a user types it: "1" (all of the VM belongs to the host's node
 * 1), "0,cpus=0-1,memory=256M", "any,cpus=2:4". Nothing is logged; `why` gets one line.
 */
#ifndef CLI_NUMA_SPEC_H
#define CLI_NUMA_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv-core/hv.h"

#define NUMA_SPEC_WHY 160

struct numa_spec {
	struct hv_node node;
	bool has_cpus, has_memory;
};

/* -EINVAL */
int numa_spec_parse(const char *text, struct numa_spec *spec, char why[NUMA_SPEC_WHY]);

/* Fills in what was left out: CPUs and memory that nobody named are dealt out in equal shares, the
 * first CPUs and the first memory to the first node. For one of the two all nodes must say, or
 * none. `page`: a share's unit. -EINVAL: they do not make up the machine. */
int numa_spec_complete(struct numa_spec *specs, size_t count, unsigned cpus, uint64_t ram,
		       uint64_t page, char why[NUMA_SPEC_WHY]);

#endif
