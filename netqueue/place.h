/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place: which worker polls which queue.
 *
 * A queue stays with its worker. A new one goes to the worker that has the fewest; when the number
 * of workers changes they are spread anew. Beyond that, queues follow load: each tells the cycles
 * that its frames took, and when one worker has had much more to do than another for some seconds,
 * the queue whose move evens it out best goes over. What would be evened out too little is left
 * alone, and so is everything for a while after a move.
 *
 * A queue that changes hands is polled by nobody for one grace period: so its frames stay in order,
 * and none is lost but what its ring has no room for.
 */
#ifndef NETQUEUE_PLACE_H
#define NETQUEUE_PLACE_H

#include "netqueue/port.h"

#define PLACE_QUEUES (NQ_PORTS * NQ_QUEUES)
#define PLACE_BUSY   500u /* of a thousand: the busiest worker must be more so to be relieved */
#define PLACE_GAP    200u /* and be ahead of the least busy one by this */
#define PLACE_GAIN   100u /* and lose this */
#define PLACE_TICKS  3u	  /* for so many seconds on end */
#define PLACE_REST   10u  /* seconds after a move */

/* Gives live queues an owner; true: some go from one worker to another. */
bool place_queues(struct nq_switch *sw);
/* The published view has it so. */
void place_published(struct nq_switch *sw);

static inline bool place_moves(const struct port *port, unsigned queue)
{
	return port->polled_by[queue] != NO_WORKER && port->owner[queue] != NO_WORKER &&
	       port->polled_by[queue] != port->owner[queue];
}

/* Parts of a thousand of a worker's time, as they were in the last second. */
struct place_load {
	uint16_t port;
	uint8_t queue, worker;
	uint32_t load;
};
struct place_move {
	size_t index; /* of the queue */
	unsigned to;
	uint32_t before, after; /* load of the busier one of the two */
};
/* The best move, if there is one that is worth it. */
bool place_choose(const struct place_load *queues, size_t count, unsigned workers,
		  struct place_move *out);

struct place_state {
	uint64_t last_tsc;
	unsigned wanted; /* seconds for which a move was worth it */
	unsigned rest;
	unsigned spread_over; /* workers, when queues were last spread */
	uint64_t moves;
};
/* Once a second; true: an owner has changed, and it was told in the log. */
bool place_tick(struct nq_switch *sw);

#endif
