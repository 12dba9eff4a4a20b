/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_ethdev: ports whose other end is one of DPDK's drivers: NICs and VFs on vfio-pci, taps,
 * packet sockets, pcap files and the null device. One driver's device is probed for each port, and
 * removed with it. A receive queue belongs to the worker that polls it; a transmit queue is behind
 * a lock: workers may outnumber queues, and their number changes while they run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "base/bdf.h"
#include "base/log.h"
#include "base/util.h"
#include "netqueue/switch.h"

#define DESCRIPTORS 1024
#define LONGEST	    512

struct ethdev {
	uint16_t id;
	unsigned queues; /* pairs */
	rte_spinlock_t locks[NQ_QUEUES];
	bool hotplugged;
};

/* ---- what EAL calls the device ---- */

static int args_null(const struct port *port, char args[LONGEST])
{
	unsigned size = port->config.size ? port->config.size : 64;

	return snprintf(args, LONGEST, "net_null_%s_%u,size=%u,copy=0", port->sw->text, port->id,
			size);
}

static int args_tap(const struct port *port, char args[LONGEST])
{
	return snprintf(args, LONGEST, "net_tap%s%u,iface=%s", port->sw->text, port->id,
			port->config.where);
}

static int args_af_packet(const struct port *port, char args[LONGEST])
{
	return snprintf(args, LONGEST, "net_af_packet%s%u,iface=%s,qpairs=%u", port->sw->text,
			port->id, port->config.where, port->config.queues);
}

/* "IN,OUT", where either may be empty. */
static int args_pcap(const struct port *port, char args[LONGEST])
{
	const char *where = port->config.where, *comma = strchr(where, ',');
	int in = comma ? (int)(comma - where) : (int)strlen(where);
	const char *out = comma && comma[1] ? comma + 1 : NULL;

	return snprintf(args, LONGEST, "net_pcap_%s_%u%s%.*s%s%s", port->sw->text, port->id,
			in ? ",rx_pcap=" : "", in, where, out ? ",tx_pcap=" : "", out ? out : "");
}

static int args_pci(const struct port *port, char args[LONGEST])
{
	struct bdf bdf;
	char text[BDF_TEXT];

	if (bdf_parse(port->config.where, &bdf))
		return -1;
	return snprintf(args, LONGEST, "%s", bdf_format(bdf, text));
}

static int (*args_of(const struct port *port))(const struct port *port, char args[LONGEST])
{
	return port->ops == &port_null	      ? args_null
	       : port->ops == &port_tap	      ? args_tap
	       : port->ops == &port_af_packet ? args_af_packet
	       : port->ops == &port_pcap      ? args_pcap
					      : args_pci;
}

/* ---- opening ---- */

static int find_device(struct port *port, struct ethdev *dev)
{
	char args[LONGEST], name[RTE_ETH_NAME_MAX_LEN];
	int len = args_of(port)(port, args), err;

	if (len < 0 || len >= LONGEST ||
	    strpbrk(port->config.where ? port->config.where : "", "=\""))
		return log_fail(-EINVAL, port->config.name,
				"'%.64s' is not one for a port of kind %s", port->config.where,
				port->config.kind);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(args, ","), args);
	err = rte_eth_dev_get_port_by_name(name, &dev->id);
	if (!err)
		return 0;
	err = rte_dev_probe(args);
	if (err)
		return log_fail(err, port->config.name, "%s not opened: %s%s",
				port->config.where ? port->config.where : port->config.kind,
				strerror(-err),
				port->ops == &port_pci ? "; is it bound to vfio-pci?" : "");
	dev->hotplugged = true;
	err = rte_eth_dev_get_port_by_name(name, &dev->id);
	return err ? log_fail(err, port->config.name, "its device has no driver in DPDK") : 0;
}

static int set_queues(struct port *port, struct ethdev *dev)
{
	int socket = rte_eth_dev_socket_id(dev->id), err = 0;
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;

	port->pool = switch_pool(port->sw, socket);
	err = rte_eth_dev_adjust_nb_rx_tx_desc(dev->id, &rx, &tx);
	for (uint16_t q = 0; q < dev->queues && !err; q++) {
		err = rte_eth_rx_queue_setup(dev->id, q, rx, (unsigned)socket, NULL, port->pool);
		if (!err)
			err = rte_eth_tx_queue_setup(dev->id, q, tx, (unsigned)socket, NULL);
	}
	return err;
}

static int configure(struct port *port, struct ethdev *dev)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int err = rte_eth_dev_info_get(dev->id, &info);

	if (err)
		return err;
	dev->queues = MIN(port->config.queues, MIN(info.max_rx_queues, info.max_tx_queues));
	port->config.queues = dev->queues;
	/* Frames of one flow to one queue; what the NIC can tell apart of these. */
	if (dev->queues > 1 && info.flow_type_rss_offloads) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	}
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	err = rte_eth_dev_configure(dev->id, (uint16_t)dev->queues, (uint16_t)dev->queues, &conf);
	if (!err)
		err = set_queues(port, dev);
	if (!err)
		err = rte_eth_dev_start(dev->id);
	if (!err && port->ops != &port_null && port->ops != &port_pcap)
		err = rte_eth_promiscuous_enable(dev->id);
	return err == -ENOTSUP ? 0 : err;
}

static void release(struct ethdev *dev)
{
	struct rte_eth_dev_info info;

	rte_eth_dev_stop(dev->id);
	if (dev->hotplugged && !rte_eth_dev_info_get(dev->id, &info)) {
		rte_eth_dev_close(dev->id);
		rte_dev_remove(info.device);
	}
}

static int ethdev_open(struct port *port)
{
	struct ethdev *dev = calloc(1, sizeof(*dev));
	int err = dev ? find_device(port, dev) : -ENOMEM;

	if (err) {
		free(dev);
		return err;
	}
	for (unsigned q = 0; q < NQ_QUEUES; q++)
		rte_spinlock_init(&dev->locks[q]);
	err = configure(port, dev);
	if (err) {
		release(dev);
		free(dev);
		return log_fail(err, port->config.name, "not started: %s", strerror(-err));
	}
	port->backend = dev;
	return 0;
}

static void ethdev_close(struct port *port)
{
	release(port->backend);
	free(port->backend);
}

/* ---- frames ---- */

static uint16_t ethdev_rx(struct port *port, unsigned queue, struct rte_mbuf **frames,
			  uint16_t count)
{
	const struct ethdev *dev = port->backend;

	return rte_eth_rx_burst(dev->id, (uint16_t)queue, frames, count);
}

static void ethdev_tx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count,
		      uint64_t bytes, struct nq_stats *stats)
{
	struct ethdev *dev = port->backend;

	rte_spinlock_lock(&dev->locks[queue]);
	uint16_t sent = rte_eth_tx_burst(dev->id, (uint16_t)queue, frames, count);
	rte_spinlock_unlock(&dev->locks[queue]);
	bytes -= port_drop(frames + sent, (unsigned)count - sent, stats, NQ_DROP_FULL);
	count_sent(stats, sent, bytes);
}

static unsigned ethdev_tx_queues(const struct port *port)
{
	return ((const struct ethdev *)port->backend)->queues;
}

static void ethdev_info(const struct port *port, struct nq_port_info *out)
{
	const struct ethdev *dev = port->backend;
	struct rte_eth_dev_info info;
	struct rte_eth_link link = {0};

	out->up =
		rte_eth_link_get_nowait(dev->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
	out->queues = dev->queues;
	if (rte_eth_dev_info_get(dev->id, &info) == 0)
		snprintf(out->text, sizeof(out->text), "%s, %u Mb/s", info.driver_name,
			 link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed);
}

#define ETHDEV_OPS(kind_name, needs)                                              \
	{                                                                         \
		.kind = {.name = kind_name, .where = needs}, .open = ethdev_open, \
		.close = ethdev_close, .rx = ethdev_rx, .tx = ethdev_tx,          \
		.tx_queues = ethdev_tx_queues, .info = ethdev_info,               \
	}

const struct port_ops port_null = ETHDEV_OPS("null", NULL);
const struct port_ops port_pcap = ETHDEV_OPS("pcap", "IN,OUT");
const struct port_ops port_tap = ETHDEV_OPS("tap", "INTERFACE");
const struct port_ops port_af_packet = ETHDEV_OPS("af_packet", "INTERFACE");
const struct port_ops port_pci = ETHDEV_OPS("pci", "ADDRESS");
