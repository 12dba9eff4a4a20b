/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpuset: sets of host CPUs as text: "0-3,8", the way sysfs writes them (cpulist).
 *
 * Sets are the C library's cpu_set_t, so a host has at most CPU_SETSIZE CPUs here.
 */
#ifndef BASE_CPUSET_H
#define BASE_CPUSET_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* The whole text, with one trailing newline at most; "" is the empty set. `separator` stands
 * between ranges. -EINVAL, -ERANGE: a CPU from CPU_SETSIZE on; `out` is untouched then. */
int cpuset_parse(const char *text, char separator, cpu_set_t *out);

/* Writes "0-3,8"; what does not fit is left out. Returns `text`. */
char *cpuset_format(const cpu_set_t *set, char *text, size_t size);

/* a without b. */
void cpuset_remove(cpu_set_t *a, const cpu_set_t *b);
bool cpuset_overlaps(const cpu_set_t *a, const cpu_set_t *b);

#endif
