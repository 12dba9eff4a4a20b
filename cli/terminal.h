/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * terminal: this terminal as the guest's: every key goes through, nothing is echoed.
 *
 * The keys that would raise signals (Ctrl-C and its like) arrive as bytes; who reads them decides.
 * Output is left as it was, so that messages of our own still begin at the left margin.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
	int fd;
	bool raw; /* `saved` is to be restored */
	struct termios saved;
};

/* Does nothing, and leaves raw false, when `fd` is no terminal. */
void terminal_raw(struct terminal *terminal, int fd);
void terminal_restore(struct terminal *terminal);

#endif
