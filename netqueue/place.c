/* SPDX-License-Identifier: BSD-3-Clause */
/* place: see place.h. */
#include "netqueue/place.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "base/log.h"
#include "base/util.h"
#include "netqueue/switch.h"

static bool is_live(const struct port *port, unsigned queue)
{
	return !port->ops->live || port->ops->live(port, queue);
}

/* ---- by number ---- */

static unsigned least(const unsigned *counts, unsigned workers)
{
	unsigned best = 0;

	for (unsigned w = 1; w < workers; w++)
		if (counts[w] < counts[best])
			best = w;
	return best;
}

/* Those that are live keep their worker if there is still such a one. */
static void count_owned(struct nq_switch *sw, unsigned workers, unsigned counts[NQ_WORKERS])
{
	for (unsigned id = 0; id < NQ_PORTS; id++) {
		struct port *port = sw->ports[id];

		for (unsigned q = 0; port && q < port->config.queues; q++) {
			if (!is_live(port, q) || port->owner[q] >= workers)
				port->owner[q] = NO_WORKER;
			else
				counts[port->owner[q]]++;
		}
	}
}

/* To all that are live and have none. */
static void give_owners(struct nq_switch *sw, unsigned workers, unsigned counts[NQ_WORKERS])
{
	for (unsigned id = 0; id < NQ_PORTS; id++) {
		struct port *port = sw->ports[id];

		for (unsigned q = 0; port && q < port->config.queues; q++) {
			if (port->owner[q] != NO_WORKER || !is_live(port, q))
				continue;
			unsigned w = least(counts, workers);
			port->owner[q] = (uint8_t)w;
			counts[w]++;
		}
	}
}

/* From workers that have more than their share. */
static void spread(struct nq_switch *sw, unsigned workers, unsigned counts[NQ_WORKERS])
{
	for (unsigned id = 0; id < NQ_PORTS; id++) {
		struct port *port = sw->ports[id];

		for (unsigned q = 0; port && q < port->config.queues; q++) {
			unsigned from = port->owner[q], to = least(counts, workers);

			if (from == NO_WORKER || counts[from] < counts[to] + 2)
				continue;
			counts[from]--;
			counts[to]++;
			port->owner[q] = (uint8_t)to;
		}
	}
}

bool place_queues(struct nq_switch *sw)
{
	unsigned workers = MAX(sw->options.workers, 1u), counts[NQ_WORKERS] = {0};
	bool moves = false;

	count_owned(sw, workers, counts);
	give_owners(sw, workers, counts);
	if (sw->place.spread_over != workers)
		spread(sw, workers, counts);
	sw->place.spread_over = workers;
	for (unsigned id = 0; id < NQ_PORTS; id++)
		for (unsigned q = 0; sw->ports[id] && q < sw->ports[id]->config.queues; q++)
			moves |= place_moves(sw->ports[id], q);
	return moves;
}

void place_published(struct nq_switch *sw)
{
	for (unsigned id = 0; id < NQ_PORTS; id++)
		if (sw->ports[id])
			memcpy(sw->ports[id]->polled_by, sw->ports[id]->owner,
			       sizeof(sw->ports[id]->owner));
}

/* ---- by load ---- */

bool place_choose(const struct place_load *queues, size_t count, unsigned workers,
		  struct place_move *out)
{
	uint32_t load[NQ_WORKERS] = {0};
	unsigned high = 0, low = 0;

	for (size_t i = 0; i < count; i++)
		load[queues[i].worker] += queues[i].load;
	for (unsigned w = 1; w < workers; w++) {
		high = load[w] > load[high] ? w : high;
		low = load[w] < load[low] ? w : low;
	}
	*out = (struct place_move){.to = low, .before = load[high], .after = load[high]};
	if (load[high] < PLACE_BUSY || load[high] - load[low] < PLACE_GAP)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (queues[i].worker != high)
			continue;
		uint32_t after = MAX(load[high] - queues[i].load, load[low] + queues[i].load);
		if (after < out->after) {
			out->after = after;
			out->index = i;
		}
	}
	return out->before - out->after >= PLACE_GAIN;
}

static size_t measure(struct nq_switch *sw, uint64_t elapsed, struct place_load *queues)
{
	size_t count = 0;

	for (unsigned id = 0; id < NQ_PORTS; id++) {
		struct port *port = sw->ports[id];

		for (unsigned q = 0; port && q < port->config.queues; q++) {
			uint64_t now = __atomic_load_n(&port->rx[q].cycles, __ATOMIC_RELAXED);
			uint64_t took = now - port->cycles[q];

			port->cycles[q] = now;
			if (port->owner[q] == NO_WORKER)
				continue;
			queues[count++] = (struct place_load){
				.port = (uint16_t)id,
				.queue = (uint8_t)q,
				.worker = port->owner[q],
				.load = (uint32_t)MIN(took * 1000 / MAX(elapsed, UINT64_C(1)),
						      UINT64_C(1000))};
		}
	}
	return count;
}

static bool is_time(struct place_state *place, bool wanted)
{
	place->wanted = wanted ? place->wanted + 1 : 0;
	if (place->rest) {
		place->rest--;
		return false;
	}
	return place->wanted >= PLACE_TICKS;
}

bool place_tick(struct nq_switch *sw)
{
	uint64_t now = rte_rdtsc(), elapsed = now - sw->place.last_tsc;
	struct place_load *queues = malloc(PLACE_QUEUES * sizeof(*queues));
	struct place_move move;

	if (!queues)
		return false;
	sw->place.last_tsc = now;
	size_t count = measure(sw, elapsed, queues);
	bool moves = is_time(&sw->place, place_choose(queues, count, sw->options.workers, &move));
	if (moves) {
		const struct place_load *q = &queues[move.index];
		struct port *port = sw->ports[q->port];

		port->owner[q->queue] = (uint8_t)move.to;
		sw->place.wanted = 0;
		sw->place.rest = PLACE_REST;
		sw->place.moves++;
		log_msg(LOG_WARN, port->config.name,
			"queue %u goes from worker %u (%u %% busy) to worker %u: then %u %%",
			q->queue, q->worker, move.before / 10, move.to, move.after / 10);
	}
	free(queues);
	return moves;
}
