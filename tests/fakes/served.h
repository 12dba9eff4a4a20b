/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * served: a listening socket in a directory of its own, and a loop that serves it on a thread. What
 * answers there is the test's: it is made between open and start, and destroyed between stop and
 * close.
 */
#ifndef TESTS_SERVED_H
#define TESTS_SERVED_H

#include <pthread.h>

#include "base/loop.h"

struct served {
	char dir[48], path[64];
	struct loop *loop;
	int listen; /* -1 in place of one that somebody has taken over */
	pthread_t thread;
};

void served_open(struct served *s);
void served_start(struct served *s);
void served_stop(struct served *s);
void served_close(struct served *s);

/* A client without any manners yet. */
int served_dial(const struct served *s);

#endif
