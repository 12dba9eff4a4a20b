/* SPDX-License-Identifier: BSD-3-Clause */
/* tool: a vendor's program, with a deadline. */
#ifndef GPU_TOOL_H
#define GPU_TOOL_H

#include "gpu/context.h"

#define TOOL_OUTPUT 16384
#define TOOL_ARGS   10

/* Runs PROGRAM with `args` (NULL behind the last); `out` gets what it printed, on both outputs. 0,
 * or its exit status when that is not 0. -ENOENT: there is no such program; -ETIMEDOUT: ended by us
 * at the deadline. Nothing is logged. */
int tool_run(const struct gpu *gpu, const char *program, const char *const args[TOOL_ARGS],
	     char out[TOOL_OUTPUT]);
/* The last line that it printed, for messages. */
const char *tool_last(char out[TOOL_OUTPUT]);

#endif
