/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shaper: what leaves by a port leaves no faster than its rate; what comes faster waits for a
 * while.
 *
 * Each worker has a short queue of its own for the port, and all share one clock (limit.h). What a
 * queue has no room for is dropped and counted. A queue is given on by its worker in each round, so
 * a worker that has frames waiting does not sleep.
 */
#ifndef NETQUEUE_SHAPER_H
#define NETQUEUE_SHAPER_H

#include "netqueue/port.h"

#define SHAPER_FRAMES 256u
/* The least burst: a frame of a guest's that is not cut yet must fit. */
#define SHAPER_BURST  65600u

struct worker;
struct view;
struct view_port;
struct stage;

struct shaper {
	unsigned head, count;
	struct rte_mbuf *frames[SHAPER_FRAMES];
};

/* One for each worker there may be; NULL: no memory. */
struct shaper *shaper_create(void);
void shaper_destroy(struct shaper *shapers); /* accepts NULL; frees what waits */
/* What waits for worker `index`, which is gone. */
void shaper_drop(struct port *port, unsigned index);

/* Takes the stage's frames over: sends what may go now, keeps the rest. */
void shaper_stage(struct worker *w, const struct view *view, const struct view_port *out,
		  struct stage *stage);
/* What may go by now, of all ports. */
void shaper_round(struct worker *w, const struct view *view);

#endif
