/* SPDX-License-Identifier: BSD-3-Clause */
/* view: see view.h. */
#include "netqueue/view.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "netqueue/capture.h"
#include "netqueue/place.h"
#include "netqueue/shaper.h"
#include "netqueue/snoop.h"
#include "netqueue/switch.h"
#include "netqueue/trace.h"

static struct view_port *make_port(const struct nq_switch *sw, struct port *port)
{
	const struct nq_port_rules *rules = &port->config.rules;
	const struct nq_security_rules *security = &rules->security;
	struct view_port *v = calloc(1, sizeof(*v));
	uint64_t burst = rules->rate_burst ? rules->rate_burst
					   : MAX(rules->rate_bytes / 100, UINT64_C(65536));

	uint64_t shape_burst =
		MAX(rules->shape_burst ? rules->shape_burst : rules->shape_bytes / 100,
		    (uint64_t)SHAPER_BURST);

	if (port->ops->offloads) /* a whole frame of 64 KiB, or it would never pass */
		burst = MAX(burst, (uint64_t)SHAPER_BURST);
	if (!v)
		return NULL;
	v->port = port;
	v->id = port->id;
	v->mirror = port->mirror;
	/* A bond that is being removed has no members any more. */
	v->bond = port->bond != NQ_NO_PORT && sw->ports[port->bond] ? port->bond : NQ_NO_PORT;
	v->bridge = port->mirrors || v->bond != NQ_NO_PORT ? VIEW_NO_BRIDGE : port->bridge;
	v->aside = v->bridge == VIEW_NO_BRIDGE || port->ops == &port_bond;
	v->tx_queues = (uint16_t)port->ops->tx_queues(port);
	v->max_frame = (port->peer_mtu ? MIN(port->config.mtu, (unsigned)port->peer_mtu)
				       : port->config.mtu) +
		       14 + 2 * 4;
	v->rules = *rules;
	v->limits[LIMIT_RATE] = limit_make(rules->rate_bytes, burst);
	v->limits[LIMIT_BROADCAST] =
		limit_make(rules->storm.broadcast, MAX(rules->storm.broadcast / 10, 1u));
	v->limits[LIMIT_MULTICAST] =
		limit_make(rules->storm.multicast, MAX(rules->storm.multicast / 10, 1u));
	v->limits[LIMIT_UNKNOWN] =
		limit_make(rules->storm.unknown, MAX(rules->storm.unknown / 10, 1u));
	v->limits[LIMIT_SHAPE] = limit_make(rules->shape_bytes, shape_burst);
	v->shaped = port->shapers;
	v->acl_in = switch_acl(sw, rules->acl_in);
	v->acl_out = switch_acl(sw, rules->acl_out);
	v->trace_every = trace_every(sw, port);
	v->checks = security->mac_count || security->ip4_count || security->ip6_count ||
		    rules->rate_bytes || rules->storm.broadcast || rules->storm.multicast;
	v->capture = capture_of(sw, port);
	v->looked_at = v->capture || v->mirror != NQ_NO_PORT || v->trace_every;
	return v;
}

static int add_ports(const struct nq_switch *sw, struct view *view)
{
	for (uint16_t id = 0; id < NQ_PORTS; id++) {
		if (!sw->ports[id])
			continue;
		struct view_port *v = make_port(sw, sw->ports[id]);

		if (!v)
			return -ENOMEM;
		view->ports[id] = v;
		if (v->bridge != VIEW_NO_BRIDGE) {
			struct view_bridge *b = &view->bridges[v->bridge];
			b->ports[b->count++] = id;
		}
	}
	return 0;
}

/* Who polls what, by place.h. */
static int add_polls(bool hold, struct view *view)
{
	unsigned most = 0;

	for (unsigned id = 0; id < NQ_PORTS; id++)
		most += view->ports[id] ? view->ports[id]->port->config.queues : 0;
	for (unsigned w = 0; w < view->workers; w++) {
		view->polls[w] = calloc(most + 1, sizeof(*view->polls[w]));
		if (!view->polls[w])
			return -ENOMEM;
	}
	for (unsigned id = 0; id < NQ_PORTS; id++) {
		const struct view_port *v = view->ports[id];

		for (unsigned q = 0; v && q < v->port->config.queues; q++) {
			unsigned w = v->port->owner[q];

			if (w == NO_WORKER || (hold && place_moves(v->port, q)))
				continue;
			view->polls[w][view->poll_count[w]++] =
				(struct view_poll){.port = v, .queue = (uint16_t)q};
		}
	}
	return 0;
}

int view_build(const struct nq_switch *sw, bool hold, struct view **out)
{
	struct view *view = calloc(1, sizeof(*view));
	int err = view ? add_ports(sw, view) : -ENOMEM;

	if (!err) {
		view->workers = MAX(sw->options.workers, 1u);
		for (unsigned i = 0; i < NQ_BRIDGES; i++)
			view->bridges[i].snoops = !sw->bridges[i].config.no_snooping;
		err = snoop_view_build(sw->snoop, &view->groups);
	}
	if (!err)
		err = add_polls(hold, view);
	if (err) {
		view_free(view);
		return err;
	}
	*out = view;
	return 0;
}

void view_free(struct view *view)
{
	if (!view)
		return;
	for (unsigned w = 0; w < NQ_WORKERS; w++)
		free(view->polls[w]);
	for (unsigned id = 0; id < NQ_PORTS; id++)
		free(view->ports[id]);
	snoop_view_free(view->groups);
	free(view);
}
