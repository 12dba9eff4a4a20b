/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_ethdev: ports whose other end is one of DPDK's drivers: NICs and VFs on vfio-pci, taps,
 * packet and XDP sockets, memory shared with another process (memif), pcap files and the null
 * device. One driver's device is probed for each port, and removed with it. A receive queue belongs
 * to the worker that polls it; a transmit queue to one worker, or behind a lock where workers
 * outnumber queues.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_hash_crc.h>

#include "base/bdf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "netqueue/switch.h"
#include "netqueue/xdp_sockets.h"

#define DESCRIPTORS	1024
#define LONGEST		512
#define XDP_FRAMES	8192u /* of a queue: 4096 in the kernel's hands, and as many on their way */
#define XDP_RETRY_MS	20
#define XDP_PATIENCE_MS 2000

struct ethdev {
	uint16_t id;
	unsigned queues; /* pairs */
	rte_spinlock_t locks[NQ_QUEUES];
	bool shared; /* transmit queues */
	/* It is removed with the port. A memif server is not: its driver would free the listener
	 * and go on using it. It stops, and the next port at that socket takes it over. */
	bool hotplugged;
	/* af_xdp's driver never gives back what waits in the kernel's rings: it gets a pool of its
	 * own, no frame of which leaves this file. NULL: frames are the switch's. */
	struct rte_mempool *own;
	struct xdp_sockets sockets;
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

/* Queues of the interface from 0 on; frames of others do not come here. */
static int args_af_xdp(const struct port *port, char args[LONGEST])
{
	return snprintf(args, LONGEST, "net_af_xdp%s%u,iface=%s,start_queue=0,queue_count=%u",
			port->sw->text, port->id, port->config.where, port->config.queues);
}

/* "SOCKET[,ID]": one socket serves many pairs of interfaces, told apart by a number. */
static int args_memif(const struct port *port, char args[LONGEST])
{
	const char *where = port->config.where, *comma = strchr(where, ',');
	uint32_t id = 0;

	if (where[0] != '/' || (comma && parse_u32(comma + 1, 0, UINT32_MAX, &id)))
		return -1;
	int len = (int)strcspn(where, ",");
	if (port->config.server) /* found again by this name; see `hotplugged` */
		return snprintf(args, LONGEST,
				"net_memif_server%08x_%u,role=server,id=%u,socket=%.*s,"
				"socket-abstract=no,rsize=10",
				rte_hash_crc(where, (uint32_t)len, 0), id, id, len, where);
	return snprintf(args, LONGEST,
			"net_memif%s%u,role=client,id=%u,socket=%.*s,socket-abstract=no,rsize=10",
			port->sw->text, port->id, id, len, where);
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

static const struct {
	const struct port_ops *ops;
	int (*args)(const struct port *port, char args[LONGEST]);
	bool interface; /* `where` is one of this host's */
} drivers[] = {
	{&port_null, args_null, false},
	{&port_tap, args_tap, true},
	{&port_af_packet, args_af_packet, true},
	{&port_af_xdp, args_af_xdp, true},
	{&port_memif, args_memif, false},
	{&port_pcap, args_pcap, false},
	{&port_pci, args_pci, false},
};

/* What the kernel takes as a name (net/core/dev.c, dev_valid_name), and DPDK as a value. */
static bool is_interface(const char *name)
{
	size_t len = strlen(name);

	return len && len < IFNAMSIZ && strcspn(name, "/:, \t\n") == len;
}

/* The length of what EAL is to be told; -1: `where` is none for this kind. */
static int args_of(const struct port *port, char args[LONGEST])
{
	const char *where = port->config.where;
	size_t i = 0;

	while (drivers[i].ops != port->ops)
		i++;
	if (where && (strpbrk(where, "=\"") || (drivers[i].interface && !is_interface(where))))
		return -1;
	return drivers[i].args(port, args);
}

/* ---- opening ---- */

/* Before DPDK is asked, whose errors all say that it is not permitted. */
static int check_where(const struct port *port)
{
	const char *where = port->config.where, *name = port->config.name;
	bool joins = port->ops == &port_af_packet || port->ops == &port_af_xdp;

	if (joins && !if_nametoindex(where))
		return log_fail(-ENODEV, name, "there is no interface %s; see ip link", where);
	/* The driver would take another queue of somebody's tap. */
	if (port->ops == &port_tap && if_nametoindex(where))
		return log_fail(-EEXIST, name,
				"there is an interface %s already; af_packet:%s joins it", where,
				where);
	return 0;
}

static bool is_memif_server(const struct port *port)
{
	return port->ops == &port_memif && port->config.server;
}

/* The driver does not bind over what a switch that was killed has left. */
static void remove_stale(const struct port *port)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strcspn(port->config.where, ",");
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && len < sizeof(address.sun_path)) {
		memcpy(address.sun_path, port->config.where, len);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
		    errno == ECONNREFUSED)
			unlink(address.sun_path);
	}
	io_close(&fd);
}

static int find_device(struct port *port, struct ethdev *dev)
{
	char args[LONGEST], name[RTE_ETH_NAME_MAX_LEN];
	int len = args_of(port, args), err;

	if (len < 0 || len >= LONGEST)
		return log_fail(-EINVAL, port->config.name,
				"'%.64s' is not one for a port of kind %s", port->config.where,
				port->config.kind);
	err = check_where(port);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(args, ","), args);
	err = rte_eth_dev_get_port_by_name(name, &dev->id);
	if (!err)
		return 0;
	if (is_memif_server(port))
		remove_stale(port);
	err = rte_dev_probe(args);
	if (err)
		return log_fail(err, port->config.name, "%s not opened: %s%s",
				port->config.where ? port->config.where : port->config.kind,
				err == -EPERM ? "its driver did not take it" : strerror(-err),
				port->ops == &port_pci ? "; is it bound to vfio-pci, and the "
							 "switch started with --hugepages --pci?"
						       : "");
	dev->hotplugged = !is_memif_server(port);
	err = rte_eth_dev_get_port_by_name(name, &dev->id);
	return err ? log_fail(err, port->config.name, "its device has no driver in DPDK") : 0;
}

static int set_queues(struct port *port, struct ethdev *dev)
{
	int socket = rte_eth_dev_socket_id(dev->id), err = 0;
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;

	struct rte_mempool *pool = dev->own ? dev->own : port->pool;

	err = rte_eth_dev_adjust_nb_rx_tx_desc(dev->id, &rx, &tx);
	for (uint16_t q = 0; q < dev->queues && !err; q++) {
		err = rte_eth_rx_queue_setup(dev->id, q, rx, (unsigned)socket, NULL, pool);
		if (!err)
			err = rte_eth_tx_queue_setup(dev->id, q, tx, (unsigned)socket, NULL);
	}
	return err;
}

static int make_own_pool(const struct port *port, struct ethdev *dev)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "%.16s-x%u", port->sw->text, port->id);
	dev->own = rte_pktmbuf_pool_create(name, XDP_FRAMES * dev->queues, 0, 0,
					   RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return dev->own ? 0 : -rte_errno;
}

static int configure(struct port *port, struct ethdev *dev)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int err = rte_eth_dev_info_get(dev->id, &info);

	if (err)
		return err;
	dev->queues = MIN(port->config.queues, MIN(info.max_rx_queues, info.max_tx_queues));
	dev->shared = dev->queues < port->sw->options.workers;
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
	if (!err && port->ops == &port_af_xdp)
		err = make_own_pool(port, dev);
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
	xdp_sockets_close(&dev->sockets);
	rte_mempool_free(dev->own);
	dev->own = NULL;
}

static int ethdev_open(struct port *port)
{
	const struct timespec moment = {.tv_nsec = XDP_RETRY_MS * 1000000L};
	unsigned wait_ms = port->ops == &port_af_xdp ? XDP_PATIENCE_MS : 0;
	struct ethdev *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return log_fail(-ENOMEM, port->config.name, "no memory");
	for (unsigned q = 0; q < NQ_QUEUES; q++)
		rte_spinlock_init(&dev->locks[q]);
	int err = find_device(port, dev);
	while (!err) {
		xdp_sockets_read(&dev->sockets);
		err = configure(port, dev);
		xdp_sockets_new(&dev->sockets);
		if (!err) {
			port->backend = dev;
			return 0;
		}
		release(dev);
		if (err != -EINVAL || !wait_ms) {
			log_error(port->config.name, "not started: %s", strerror(-err));
			break;
		}
		/* The kernel lets go of an interface's queue some time after the socket that had it
		 * is closed. */
		wait_ms -= XDP_RETRY_MS;
		nanosleep(&moment, NULL);
		err = find_device(port, dev);
	}
	free(dev);
	return err;
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

static uint16_t af_xdp_rx(struct port *port, unsigned queue, struct rte_mbuf **frames,
			  uint16_t count)
{
	struct rte_mbuf *theirs[NQ_BURST];
	unsigned n = ethdev_rx(port, queue, theirs, count), kept = 0;

	for (unsigned i = 0; i < n; i++) {
		frames[kept] = rte_pktmbuf_copy(theirs[i], port->pool, 0, UINT32_MAX);
		kept += frames[kept] != NULL;
	}
	if (n)
		rte_pktmbuf_free_bulk(theirs, n);
	return (uint16_t)kept;
}

static void ethdev_tx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count,
		      uint64_t bytes, struct nq_stats *stats)
{
	struct ethdev *dev = port->backend;

	if (dev->shared)
		rte_spinlock_lock(&dev->locks[queue]);
	uint16_t sent = rte_eth_tx_burst(dev->id, (uint16_t)queue, frames, count);
	if (dev->shared)
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

#define ETHDEV_OPS_RX(kind_name, needs, take)                                                      \
	{                                                                                          \
		.kind = {.name = kind_name, .where = needs}, .open = ethdev_open,                  \
		.close = ethdev_close, .rx = take, .tx = ethdev_tx, .tx_queues = ethdev_tx_queues, \
		.info = ethdev_info,                                                               \
	}
#define ETHDEV_OPS(kind_name, needs) ETHDEV_OPS_RX(kind_name, needs, ethdev_rx)

const struct port_ops port_null = ETHDEV_OPS("null", NULL);
const struct port_ops port_pcap = ETHDEV_OPS("pcap", "IN,OUT");
const struct port_ops port_tap = ETHDEV_OPS("tap", "INTERFACE");
const struct port_ops port_af_packet = ETHDEV_OPS("af_packet", "INTERFACE");
const struct port_ops port_af_xdp = ETHDEV_OPS_RX("af_xdp", "INTERFACE", af_xdp_rx);
const struct port_ops port_memif = ETHDEV_OPS("memif", "SOCKET");
const struct port_ops port_pci = ETHDEV_OPS("pci", "ADDRESS");
