/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exit_trace: exits counted by the processor's own reasons, for a while.
 *
 * The kernel's tracepoint kvm_exit has the reason of every exit, also of those that the kernel
 * handles without us. A histogram on it counts inside the kernel: nothing is written to a trace
 * buffer. Each use has an instance of its own below tracefs, so that it disturbs no other tracing.
 */
#ifndef CLI_EXIT_TRACE_H
#define CLI_EXIT_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "hv-core/hv.h"

#define EXIT_TRACE_ROWS 256

struct exit_trace_row {
	enum hv_caps_kind kind;
	uint32_t reason;
	uint64_t count;
};

/* Counts the exits of some threads (of all their CPUs) until `seconds` have gone. Logged. Returns
 * how many rows there are, the most frequent first. */
int exit_trace(const char *tracefs, const int *threads, size_t count, unsigned seconds,
	       struct exit_trace_row rows[EXIT_TRACE_ROWS]);

/* The kernel's text of the histogram. Returns how many rows. */
size_t exit_trace_parse(const char *text, struct exit_trace_row rows[EXIT_TRACE_ROWS]);

#endif
