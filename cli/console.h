/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console: joins this terminal (or whatever standard input and output are) with a VM's serial
 * line. `vm console` and a `vm run` in the foreground are both this.
 */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct console;

/* Looks at a byte typed at a terminal: true lets it pass to the guest. */
typedef bool (*console_key)(void *opaque, uint8_t byte);

struct console_config {
	struct loop *loop;
	int sock;		      /* from console_connect; taken over, also on failure */
	int in, out;		      /* stay the caller's */
	console_key key;	      /* NULL: everything passes */
	void (*closed)(void *opaque); /* the VM's side is gone; may be NULL */
	/* After `in` has ended, the guest has been given all of it, and has then said nothing for
	 * `patience_ms` to twice that; never where it is 0. */
	void (*silent)(void *opaque);
	unsigned patience_ms;
	void *opaque;
};

/* A descriptor, or a negative errno that is not logged. */
int console_connect(const char *path);

/* -ENOMEM and what epoll has to say; not logged. */
int console_open(const struct console_config *config, struct console **out);
/* Types one byte, past `key`. */
void console_type(struct console *console, uint8_t byte);
/* After the VM has ended: shows what is still on the way. */
void console_drain(struct console *console);
void console_close(struct console *console);

#endif
