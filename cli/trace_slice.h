/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_slice: one exit of a trace, as method "trace-read" gives it and a reader wants it. */
#ifndef CLI_TRACE_SLICE_H
#define CLI_TRACE_SLICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct trace_slice {
	uint64_t start, ns; /* CLOCK_MONOTONIC */
	unsigned cpu;
	const char *word;   /* "io-write" */
	const char *region; /* that held the address, or "" */
	bool access;	    /* to a port or to memory, at … */
	uint64_t addr;
};

/* `regions` of method "stat"; its texts are borrowed. -EINVAL: no such event. */
int trace_slice_read(const json_t *event, const json_t *regions, struct trace_slice *out);

#endif
