/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_cost: what a trial cost: exits, interrupts and the host's time, per packet; and a sentence
 * that says what follows from it.
 */
#ifndef CLI_BENCH_COST_H
#define CLI_BENCH_COST_H

#include <jansson.h>

#include "cli/cli.h"

/* A VM's counters now, and the time that its threads have used; NULL: it does not tell. */
json_t *bench_cost_look(struct cli *cli, const char *vm);
/* The difference, for so many packets:
 * {"packets", "exits", "exits_to_vmm", "by_reason": {…}, "interrupts", "cpu_us": {THREAD: …}} */
json_t *bench_cost_of(const json_t *before, const json_t *after, double packets);
/* A sentence about the cost of a path; to be freed. */
char *bench_cost_why(const json_t *cost);

#endif
