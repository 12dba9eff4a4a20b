/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace_json: exits in the Trace Event Format (JSON), which Perfetto and chrome://tracing read: one
 * slice per exit, on the track of its CPU.
 */
#ifndef CLI_TRACE_JSON_H
#define CLI_TRACE_JSON_H

#include <jansson.h>
#include <stdio.h>

struct trace_json {
	FILE *out;
	int pid;
	const json_t *regions; /* of method "stat": whose address it was; may be NULL */
	unsigned long long events;
};

/* The head, with the names of the process and of its CPUs' tracks. */
void trace_json_begin(struct trace_json *trace, const char *name, unsigned cpus);
/* "events" of method "trace-read". */
void trace_json_add(struct trace_json *trace, const json_t *events);
void trace_json_end(struct trace_json *trace);

#endif
