/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * patience: waiting with something switched on that must be switched off again. While it lasts,
 * Ctrl-C and its like do not end the process: they end the wait.
 */
#ifndef CLI_PATIENCE_H
#define CLI_PATIENCE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct patience {
	sigset_t ending, before;
	bool over; /* a signal came */
};

void patience_begin(struct patience *p);
/* False when a signal came, now or before. */
bool patience_wait(struct patience *p, int64_t ms);
void patience_end(struct patience *p);

#endif
