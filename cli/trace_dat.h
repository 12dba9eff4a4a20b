/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace_dat: exits as a trace.dat, which trace-cmd, KernelShark and libtracecmd read (its version
 * 6, trace-cmd.dat.v6(5)).
 *
 * The file describes its own events, in the words of the kernel's tracefs, and then holds one
 * stream of them per CPU, in pages as the kernel's ring buffer has them. A CPU of it is a virtual
 * CPU; a process of it is the virtual CPU's thread. There is one event, sluice:exit.
 *
 * Streams follow each other in the file, and events come from all CPUs by turns: so they wait in
 * temporary files.
 */
#ifndef CLI_TRACE_DAT_H
#define CLI_TRACE_DAT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct trace_stream;

struct trace_dat {
	FILE *out;
	char name[64];
	const json_t *regions; /* of method "stat"; may be NULL */
	struct trace_stream *stream;
	unsigned cpus;
	int err;
};

/* `cpus` and `regions` of method "stat". -ENOMEM, or why there is no temporary file. */
int trace_dat_begin(struct trace_dat *trace, const char *name, const json_t *cpus);
/* "events" of method "trace-read". */
void trace_dat_add(struct trace_dat *trace, const json_t *events);
/* Writes all of it, and frees what begin took. What ferror(out) does not tell is returned. */
int trace_dat_end(struct trace_dat *trace);

#endif
