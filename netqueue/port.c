/* SPDX-License-Identifier: BSD-3-Clause */
/* port: see port.h. */
#include "netqueue/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "netqueue/switch.h"

static const struct port_ops *const kinds[] = {
	&port_vhost, &port_tap,	 &port_af_packet, &port_af_xdp, &port_memif, &port_pci,
	&port_pcap,  &port_null, &port_ring,	  &port_bond,	&port_vtep,  &port_vxlan,
};

static const struct port_ops *find_kind(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i]->kind.name, name))
			return kinds[i];
	return NULL;
}

static int check(const struct nq_port_config *config, const struct port_ops *ops)
{
	const struct nq_vlan_rules *vlan = &config->rules.vlan;

	if (!ops)
		return log_fail(-EINVAL, config->name, "no such kind of port: %s",
				config->kind ? config->kind : "(none)");
	if (ops->kind.where && (!config->where || !*config->where))
		return log_fail(-EINVAL, config->name, "a port of kind %s needs its %s",
				config->kind, ops->kind.where);
	if (config->queues > NQ_QUEUES)
		return log_fail(-EINVAL, config->name, "%u queues asked for; %u are the most",
				config->queues, NQ_QUEUES);
	if (vlan->vlan > 4094 || (vlan->mode != NQ_VLAN_TRUNK && !vlan->vlan))
		return log_fail(-EINVAL, config->name, "VLAN %u is not one of 1 to 4094",
				vlan->vlan);
	return 0;
}

int port_create(struct nq_switch *sw, struct rte_mempool *pool, uint16_t id,
		const struct nq_port_config *config, struct port **out)
{
	const struct port_ops *ops = find_kind(config->kind);
	int err = check(config, ops);
	if (err)
		return err;
	struct port *port = aligned_alloc(64, sizeof(*port));
	if (!port)
		return log_fail(-ENOMEM, config->name, "no memory for a port");
	memset(port, 0, sizeof(*port));
	port->sw = sw;
	port->pool = pool;
	port->id = id;
	port->mirror = NQ_NO_PORT;
	port->bond = NQ_NO_PORT;
	port->ops = ops;
	port->config = *config;
	port->config.kind = ops->kind.name;
	port->config.queues = MAX(config->queues, 1u);
	port->config.mtu = config->mtu ? config->mtu : 1500;
	port->config.where = config->where ? strdup(config->where) : NULL;
	err = config->where && !port->config.where ? -ENOMEM : ops->open(port);
	if (err) {
		free((char *)port->config.where);
		free(port);
		return err;
	}
	*out = port;
	return 0;
}

void port_destroy(struct port *port)
{
	if (!port)
		return;
	port->ops->close(port);
	free((char *)port->config.where);
	free(port);
}

void port_changed(struct port *port)
{
	uint64_t one = 1;

	/* Full only after 2^64 - 2 events that nobody has read: then it is readable anyway. */
	if (write(port->sw->event_fd, &one, sizeof(one)) < 0)
		return;
}

void port_quiesce(struct port *port)
{
	switch_wait(port->sw);
}

uint64_t port_drop(struct rte_mbuf **frames, unsigned count, struct nq_stats *stats,
		   enum nq_drop reason)
{
	uint64_t bytes = 0;

	if (!count)
		return 0;
	for (unsigned i = 0; i < count; i++)
		bytes += frames[i]->pkt_len;
	rte_pktmbuf_free_bulk(frames, count);
	count_drop(stats, reason, count);
	return bytes;
}
