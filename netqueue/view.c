/* SPDX-License-Identifier: BSD-3-Clause */
/* view: see view.h. Queues go round the workers in the order of their ports. */
#include "netqueue/view.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "netqueue/capture.h"
#include "netqueue/switch.h"

static struct view_port *make_port(const struct nq_switch *sw, struct port *port)
{
	const struct nq_port_rules *rules = &port->config.rules;
	const struct nq_security_rules *security = &rules->security;
	struct view_port *v = calloc(1, sizeof(*v));
	uint64_t burst = rules->rate_burst ? rules->rate_burst
					   : MAX(rules->rate_bytes / 100, UINT64_C(65536));

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
	v->max_frame = port->config.mtu + 14 + 2 * 4;
	v->rules = *rules;
	v->limits[LIMIT_RATE] = limit_make(rules->rate_bytes, burst);
	v->limits[LIMIT_BROADCAST] =
		limit_make(rules->storm.broadcast, MAX(rules->storm.broadcast / 10, 1u));
	v->limits[LIMIT_MULTICAST] =
		limit_make(rules->storm.multicast, MAX(rules->storm.multicast / 10, 1u));
	v->limits[LIMIT_UNKNOWN] =
		limit_make(rules->storm.unknown, MAX(rules->storm.unknown / 10, 1u));
	v->checks = security->mac_count || security->ip4_count || security->ip6_count ||
		    rules->rate_bytes || rules->storm.broadcast || rules->storm.multicast;
	v->capture = capture_of(sw, port);
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

static bool is_live(const struct port *port, unsigned queue)
{
	return !port->ops->live || port->ops->live(port, queue);
}

/* In as many places as there may be at most: which queues are live, guests change at any time. */
static int add_polls(const struct nq_switch *sw, struct view *view)
{
	unsigned workers = MAX(sw->options.workers, 1u), next = 0, most = 0;

	for (unsigned id = 0; id < NQ_PORTS; id++)
		most += view->ports[id] ? view->ports[id]->port->config.queues : 0;
	for (unsigned w = 0; w < workers; w++) {
		view->polls[w] = calloc(most / workers + 1, sizeof(*view->polls[w]));
		if (!view->polls[w])
			return -ENOMEM;
	}
	for (unsigned id = 0; id < NQ_PORTS; id++) {
		const struct view_port *v = view->ports[id];

		for (unsigned q = 0; v && q < v->port->config.queues; q++) {
			if (!is_live(v->port, q))
				continue;
			unsigned w = next++ % workers;
			view->polls[w][view->poll_count[w]++] =
				(struct view_poll){.port = v, .queue = (uint16_t)q};
		}
	}
	return 0;
}

int view_build(const struct nq_switch *sw, struct view **out)
{
	struct view *view = calloc(1, sizeof(*view));
	int err = view ? add_ports(sw, view) : -ENOMEM;

	if (!err)
		err = add_polls(sw, view);
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
	free(view);
}
