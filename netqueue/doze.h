/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doze: a worker whose guests have been silent for a while waits until one of them kicks.
 *
 * It lets each of its queues tell (virtio 1.2 section 2.7.10), looks into all of them once more,
 * and then waits for their descriptors, offline for RCU. What arrives before the look is found by
 * it, and what arrives later kicks. A new view wakes it, too. Queues of a kind that cannot tell are
 * polled, with pauses (worker.c).
 */
#ifndef NETQUEUE_DOZE_H
#define NETQUEUE_DOZE_H

#include <stdbool.h>

struct doze;
struct worker;

int doze_create(struct doze **out);
void doze_destroy(struct doze *doze); /* accepts NULL */

/* By the worker. False: it cannot wait, or need not, because there are frames. */
bool doze_wait(struct worker *w);
/* By the worker, when its view is a new one: its queues need not tell. */
void doze_look(struct worker *w);
/* From any thread. */
void doze_wake(struct doze *doze);

#endif
