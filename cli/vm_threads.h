/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_threads: a VMM's process and threads, as the host numbers them.
 *
 * What a VMM says of itself is not believed: the process must be a sluice-vmm, and its threads,
 * which it knows only by the numbers inside its sandbox (pid_namespaces(7)), are looked up in
 * /proc.
 */
#ifndef CLI_VM_THREADS_H
#define CLI_VM_THREADS_H

#include <jansson.h>
#include <stdio.h>

/* In an answer to "status" or "stat": a "pid" that is no VMM becomes 0; each of "cpus" gets the
 * host's number in "thread", 0 when there is no such thread. `proc` is "/proc" outside tests. */
void vm_threads_translate(const char *proc, json_t *answer);

/* The last number in the line "NSpid:" of /proc/PID/task/TID/status; 0 when there is only one. */
int vm_threads_inner(FILE *status);

#endif
