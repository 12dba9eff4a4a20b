/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * proc: what the kernel tells in the text files below /proc. Every reader takes an open stream, so
 * that tests can hand in captured text; closing it is the caller's.
 */
#ifndef CLI_PROC_H
#define CLI_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "MemAvailable" of /proc/meminfo, in bytes. -ENOENT when it is not there. */
int proc_meminfo(FILE *in, const char *name, uint64_t *bytes);

struct proc_cpu {
	char model[128];
	bool vmx, svm, ept, npt;
	unsigned count;
};
/* /proc/cpuinfo */
void proc_cpuinfo(FILE *in, struct proc_cpu *out);

/* Whether any line of /proc/interrupts is remapped: its chip is named "IR-…". */
bool proc_interrupts_remapped(FILE *in);
/* Sum over all CPUs of the interrupt whose action is `action` ("vfio-msix[0](0000:01:10.0)"). The
 * chip's name is told in `chip`. -ENOENT when there is none. */
int proc_interrupt(FILE *in, const char *action, uint64_t *count, char *chip, size_t size);
/* Sum over all CPUs of a row that has a name instead of a number: "PIN". -ENOENT when this kernel
 * or this processor has none. */
int proc_interrupt_named(FILE *in, const char *name, uint64_t *count);
/* Its number, the directory below /proc/irq. -ENOENT. */
int proc_interrupt_number(FILE *in, const char *action, unsigned *irq);

struct proc_memory {
	uint64_t pss;	  /* of everything but `ram` */
	uint64_t ram_pss; /* of what lies in `ram` */
};
struct proc_area {
	uint64_t start, size;
};
/* /proc/PID/smaps. A mapping belongs to RAM when it starts inside one of `ram`. */
void proc_smaps(FILE *in, const struct proc_area *ram, size_t ram_count, struct proc_memory *out);
/* /proc/PID/numa_maps: the node that has three quarters of the memory at least; -1: none has. */
int proc_numa_node(FILE *in);
/* A line "NAME: … kB" of /proc/PID/status, in bytes. */
int proc_status(FILE *in, const char *name, uint64_t *bytes);

#endif
