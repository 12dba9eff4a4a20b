/* SPDX-License-Identifier: BSD-3-Clause */
/* shaper: see shaper.h. */
#include "netqueue/shaper.h"

#include <stdlib.h>

#include "netqueue/switch.h"

struct shaper *shaper_create(void)
{
	return calloc(NQ_WORKERS, sizeof(struct shaper));
}

static struct rte_mbuf *take(struct shaper *s)
{
	struct rte_mbuf *m = s->frames[s->head];

	s->head = (s->head + 1) % SHAPER_FRAMES;
	s->count--;
	return m;
}

void shaper_destroy(struct shaper *shapers)
{
	for (unsigned i = 0; shapers && i < NQ_WORKERS; i++)
		while (shapers[i].count)
			rte_pktmbuf_free(take(&shapers[i]));
	free(shapers);
}

void shaper_drop(struct port *port, unsigned index)
{
	struct shaper *s = port->shapers ? &port->shapers[index] : NULL;

	while (s && s->count) {
		rte_pktmbuf_free(take(s));
		count_drop(port_tx_stats(port, index, 0), NQ_DROP_SHAPED, 1);
	}
}

/* Gives on what is allowed, in order, in one burst. */
static unsigned pass(struct worker *w, const struct view *view, const struct view_port *out,
		     struct shaper *s)
{
	const struct limit *limit = &out->limits[LIMIT_SHAPE];
	struct limit_clock *clock = &out->port->clocks[LIMIT_SHAPE];
	struct stage part = {0};

	while (s->count && part.count < NQ_BURST) {
		struct rte_mbuf *m = s->frames[s->head];

		if (limit->cost && !limit_pass(limit, clock, w->now_ns, m->pkt_len))
			break;
		part.frames[part.count++] = take(s);
		part.bytes += m->pkt_len;
	}
	if (part.count)
		transmit(w, view, out, &part);
	return part.count;
}

static void enlist(struct worker *w, uint16_t id)
{
	for (unsigned i = 0; i < w->shaped_count; i++)
		if (w->shaped[i] == id)
			return;
	w->shaped[w->shaped_count++] = id;
}

void shaper_stage(struct worker *w, const struct view *view, const struct view_port *out,
		  struct stage *stage)
{
	struct shaper *s = &out->port->shapers[w->index];
	struct nq_stats *stats = port_tx_stats(out->port, w->index, 0);

	for (unsigned i = 0; i < stage->count; i++) {
		if (s->count == SHAPER_FRAMES) {
			port_drop(&stage->frames[i], 1, stats, NQ_DROP_SHAPED);
			continue;
		}
		s->frames[(s->head + s->count++) % SHAPER_FRAMES] = stage->frames[i];
	}
	while (pass(w, view, out, s))
		;
	if (s->count)
		enlist(w, out->id);
}

void shaper_round(struct worker *w, const struct view *view)
{
	for (unsigned i = 0; i < w->shaped_count;) {
		const struct view_port *out = view->ports[w->shaped[i]];
		/* A port that is gone has taken what waited with it. */
		struct shaper *s = out && out->shaped ? &out->port->shapers[w->index] : NULL;

		while (s && pass(w, view, out, s))
			;
		if (s && s->count)
			i++;
		else
			w->shaped[i] = w->shaped[--w->shaped_count];
	}
}
