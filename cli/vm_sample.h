/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_sample: what a VM has used up to a moment, and what two such moments say about the time
 * between. */
#ifndef CLI_VM_SAMPLE_H
#define CLI_VM_SAMPLE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/vmm_config.h"

struct vm_sample {
	char name[VMM_NAME_MAX];
	int pid;
	uint64_t ticks;	 /* of CPU time, the guest's included */
	uint64_t ours;	 /* exits that came to sluice-vmm */
	uint64_t all;	 /* exits; 0 where the engine does not tell */
	uint64_t memory; /* bytes present */
};

enum vm_sample_sort { VM_SORT_CPU, VM_SORT_EXITS, VM_SORT_MEMORY, VM_SORT_NAME };

/* User and system time out of /proc/PID/stat. -EINVAL. */
int vm_sample_ticks(FILE *in, uint64_t *ticks);

/* [{"name", "pid", "cpu" (percent of one CPU), "exits" (per second), "kernel" (those which the
 * kernel handled, per second), "memory"}], the first in order first. A VM that was not there
 * before, or has been reset, starts from 0. A new reference. */
json_t *vm_sample_rates(const struct vm_sample *before, size_t before_count, struct vm_sample *now,
			size_t count, double seconds, long hz, enum vm_sample_sort sort);

#endif
