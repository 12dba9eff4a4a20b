/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpuid: what a guest CPU says about itself.
 *
 * The engine offers what the host's CPU and the engine itself can do; a guest gets that, minus
 * what belongs to the host alone (monitoring, power, virtualization, caches of neighbours), plus
 * its own place in the topology and the paravirtual leaves of a hypervisor. Pure: a table goes
 * in, a table comes out.
 */
#ifndef HV_CORE_CPUID_H
#define HV_CORE_CPUID_H

#include <stddef.h>
#include <stdint.h>

#include "hv-core/engine.h"

/* cpus = sockets * cores * threads; `cores` are those of one socket, `threads` those of one core.
 */
struct hv_cpuid_topology {
	unsigned cpus, sockets, cores, threads;
	uint32_t tsc_khz;  /* 0: unknown */
	uint8_t phys_bits; /* guest physical address width; 0: the host's */
};

/* (Initial) APIC ID of a CPU: thread, core and socket in bit fields just wide enough (SDM vol. 3,
 * 9.9.3). Equals `cpu` unless a count is no power of two. */
unsigned hv_cpuid_apic_id(const struct hv_cpuid_topology *topology, unsigned cpu);

/* The table for the CPU with `apic_id`, allocated. -ENOMEM, or -EINVAL for a topology that does
 * not multiply out. */
int hv_cpuid_build(const struct hv_cpuid_entry *host, size_t host_count,
		   const struct hv_cpuid_topology *topology, unsigned apic_id,
		   struct hv_cpuid_entry **out, size_t *count);

/* Whether a guest that was shown the table `want` can run where `have` is on offer (cpuid_check.c).
 * -ENOTSUP with what is missing, by name, in `why`. */
int hv_cpuid_check(const struct hv_cpuid_entry *want, size_t want_count,
		   const struct hv_cpuid_entry *have, size_t have_count, char *why, size_t size);

#endif
