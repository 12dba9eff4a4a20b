/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_trace: the methods by which somebody looks closer at a running VM's exits.
 *
 *     timing      {"on"}      → {"on"}: count time beside exits and accesses, or no longer
 *     trace       {"events"}  → null: keep that many exits until they are read, and forget
 *                             those of a trace before; 0: stop
 *     trace-read  {}          → {"events": [[START, NS, CPU, REASON, ADDRESS], …], "lost"}: those
 * kept, at most TRACE_READ_MAX at once; call again until there are none
 */
#ifndef CLI_VMM_TRACE_H
#define CLI_VMM_TRACE_H

#include <jansson.h>

#define TRACE_READ_MAX 8192 /* what fits an answer (RPC_MAX) */

int vmm_method_timing(void *opaque, const json_t *params, json_t **result, char *error);
int vmm_method_trace(void *opaque, const json_t *params, json_t **result, char *error);
int vmm_method_trace_read(void *opaque, const json_t *params, json_t **result, char *error);

#endif
