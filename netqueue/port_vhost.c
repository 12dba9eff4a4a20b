/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_vhost: a guest behind a vhost-user socket, by DPDK's rte_vhost.
 *
 * The library has a thread of its own for all sockets, which calls back when a guest's driver
 * starts or stops and when it turns queues on and off. The callbacks only note that down in atomics
 * and wake the control thread: vring_state_changed runs with every ring of the device locked, so it
 * may ask the library nothing. A device number (`vid`) is used again for the next guest;
 * destroy_device therefore takes it away and waits until every worker has passed (RCU) before the
 * library goes on.
 *
 * Rings are seen from the guest: even ones it receives by, odd ones it sends by. The library copies
 * a frame into the guest's buffers and leaves it to us, so one frame serves many guests.
 *
 * What is offered to guests never changes for a port: a guest that reconnects to a restarted switch
 * must find the features it has negotiated.
 */
#include <errno.h>
#include <limits.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "netqueue/switch.h"

#define RX_RING(queue) ((uint16_t)((queue)*2)) /* the guest's */
#define TX_RING(queue) ((uint16_t)((queue)*2 + 1))
#define BIT(n)	       (UINT64_C(1) << (n))

/* What is done for guests, and what never is: rte_vhost forgets that a segment's ECN bits were
 * special, and fragments of UDP (UFO) nobody sends any more. */
#define OFFLOADS                                                                                \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) | \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6))
#define NOT_OFFERED                                                                               \
	(BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_GUEST_UFO) | BIT(VIRTIO_NET_F_HOST_ECN) | \
	 BIT(VIRTIO_NET_F_HOST_UFO))

struct vhost {
	struct port *port;
	struct vhost *next;		     /* of the table below */
	_Atomic int vid;		     /* -1: no guest, or its driver does not run */
	_Atomic uint32_t guest_rx, guest_tx; /* queues that the guest has turned on */
	_Atomic uint64_t negotiated;
	_Atomic uint64_t connects, starts, changes;
	/* The control thread holds it while it asks the library about `vid`; destroy_device takes
	 * it. Never taken in vring_state_changed. */
	pthread_mutex_t asking;
};

/* rte_vhost's callbacks carry nothing but a device number, which leads to the socket's path: so
 * this is the one table of this folder that no handle owns. */
static struct {
	pthread_mutex_t lock;
	struct vhost *first;
} sockets = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void enlist(struct vhost *v)
{
	pthread_mutex_lock(&sockets.lock);
	v->next = sockets.first;
	sockets.first = v;
	pthread_mutex_unlock(&sockets.lock);
}

static void delist(struct vhost *v)
{
	pthread_mutex_lock(&sockets.lock);
	for (struct vhost **at = &sockets.first; *at; at = &(*at)->next)
		if (*at == v) {
			*at = v->next;
			break;
		}
	pthread_mutex_unlock(&sockets.lock);
}

/* Outlives the callback: it is freed after rte_vhost_driver_unregister, which waits for them. */
static struct vhost *vhost_of(int vid)
{
	char path[PATH_MAX];
	struct vhost *v;

	if (rte_vhost_get_ifname(vid, path, sizeof(path)))
		return NULL;
	pthread_mutex_lock(&sockets.lock);
	for (v = sockets.first; v && strcmp(v->port->config.where, path); v = v->next)
		;
	pthread_mutex_unlock(&sockets.lock);
	return v;
}

/* ---- what the library tells ---- */

static int on_start(int vid)
{
	struct vhost *v = vhost_of(vid);
	uint64_t features = 0;

	if (!v)
		return -1;
	rte_vhost_get_negotiated_features(vid, &features);
	atomic_store(&v->negotiated, features);
	atomic_fetch_add(&v->starts, 1);
	/* Release: a worker that sees the number sees a device that is ready. */
	atomic_store_explicit(&v->vid, vid, memory_order_release);
	port_changed(v->port);
	return 0;
}

static void on_stop(int vid)
{
	struct vhost *v = vhost_of(vid);

	if (!v)
		return;
	pthread_mutex_lock(&v->asking);
	atomic_store(&v->vid, -1);
	pthread_mutex_unlock(&v->asking);
	port_quiesce(v->port);
	port_changed(v->port);
}

static int on_queue(int vid, uint16_t ring, int enable)
{
	struct vhost *v = vhost_of(vid);
	unsigned queue = ring / 2u;

	if (!v || queue >= v->port->config.queues)
		return 0;
	_Atomic uint32_t *set = ring & 1 ? &v->guest_tx : &v->guest_rx;
	if (enable)
		atomic_fetch_or(set, 1u << queue);
	else
		atomic_fetch_and(set, ~(1u << queue));
	atomic_fetch_add(&v->changes, 1);
	port_changed(v->port);
	return 0;
}

static int on_connect(int vid)
{
	struct vhost *v = vhost_of(vid);

	if (!v)
		return -1;
	atomic_fetch_add(&v->connects, 1);
	return 0;
}

/* No vring_state_changed tells that the rings are gone. */
static void on_disconnect(int vid)
{
	struct vhost *v = vhost_of(vid);

	if (!v)
		return;
	atomic_store(&v->guest_rx, 0);
	atomic_store(&v->guest_tx, 0);
	port_changed(v->port);
}

static const struct rte_vhost_device_ops callbacks = {
	.new_device = on_start,
	.destroy_device = on_stop,
	.vring_state_changed = on_queue,
	.new_connection = on_connect,
	.destroy_connection = on_disconnect,
};

/* ---- opening ---- */

static int check_path(const struct port *port)
{
	const char *path = port->config.where;

	if (path[0] != '/' || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return log_fail(-EINVAL, port->config.name,
				"'%.120s' is no socket: an absolute path of less than 108 bytes",
				path);
	pthread_mutex_lock(&sockets.lock);
	const struct vhost *v = sockets.first;
	while (v && strcmp(v->port->config.where, path))
		v = v->next;
	pthread_mutex_unlock(&sockets.lock);
	return v ? log_fail(-EADDRINUSE, port->config.name, "port %s has the socket %s already",
			    v->port->config.name, path)
		 : 0;
}

/* A switch that was killed leaves its sockets behind, and rte_vhost does not bind over them. One
 * that nobody answers on may go. */
static void remove_stale(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path); /* check_path has measured it */
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
	    errno == ECONNREFUSED)
		unlink(path);
	io_close(&fd);
}

static int start(struct vhost *v)
{
	const struct nq_port_config *config = &v->port->config;
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;

	if (config->server)
		remove_stale(config->where);
	else
		flags |= RTE_VHOST_USER_CLIENT;
	if (rte_vhost_driver_register(config->where, flags))
		return log_fail(-EIO, config->name, "%s not registered with rte_vhost",
				config->where);
	enlist(v);
	const uint64_t masked = NOT_OFFERED | (config->no_offloads ? OFFLOADS : 0);
	if (rte_vhost_driver_disable_features(config->where, masked) == 0 &&
	    rte_vhost_driver_callback_register(config->where, &callbacks) == 0 &&
	    rte_vhost_driver_start(config->where) == 0)
		return 0;
	rte_vhost_driver_unregister(config->where);
	delist(v);
	return log_fail(-EADDRNOTAVAIL, config->name,
			"%s not opened: its folder must be there, and nobody else may listen on it",
			config->where);
}

static int vhost_open(struct port *port)
{
	int err = check_path(port);
	struct vhost *v = err ? NULL : calloc(1, sizeof(*v));

	if (err)
		return err;
	if (!v)
		return log_fail(-ENOMEM, port->config.name, "no memory");
	v->port = port;
	atomic_store(&v->vid, -1);
	pthread_mutex_init(&v->asking, NULL);
	port->backend = v;
	err = start(v);
	if (err)
		free(v);
	return err;
}

static void vhost_close(struct port *port)
{
	struct vhost *v = port->backend;

	rte_vhost_driver_unregister(port->config.where); /* on_stop and on_disconnect run in it */
	delist(v);
	pthread_mutex_destroy(&v->asking);
	free(v);
}

/* ---- frames ---- */

static bool is_on(const _Atomic uint32_t *set, unsigned queue)
{
	return atomic_load_explicit(set, memory_order_relaxed) >> queue & 1;
}

/*
 * How many frames the library may be given, or asked for, in one call. It notes down the buffers it
 * has used in an array as long as the ring, and believes the guest's index: one that says that more
 * buffers wait than the ring has entries makes it write past the end of that array (DPDK 22.11 and
 * 24.11). A frame takes one buffer, so a burst may be as long as the ring; where buffers are
 * merged, one frame may take as many as there are entries, and goes alone. Asked each time, because
 * a frontend may change it at any time.
 */
static unsigned most_per_call(const struct vhost *v, int vid, uint16_t ring)
{
	struct rte_vhost_vring vring;

	if (rte_vhost_get_vhost_vring(vid, ring, &vring))
		return 0;
	if (ring % 2 == 0 && atomic_load_explicit(&v->negotiated, memory_order_relaxed) &
				     BIT(VIRTIO_NET_F_MRG_RXBUF))
		return 1;
	return MIN(vring.size, NQ_BURST);
}

static uint16_t vhost_rx(struct port *port, unsigned queue, struct rte_mbuf **frames,
			 uint16_t count)
{
	struct vhost *v = port->backend;
	int vid = atomic_load_explicit(&v->vid, memory_order_acquire);

	if (vid < 0 || !is_on(&v->guest_tx, queue))
		return 0;
	unsigned most = most_per_call(v, vid, TX_RING(queue));
	return rte_vhost_dequeue_burst(vid, TX_RING(queue),
				       __atomic_load_n(&port->pool, __ATOMIC_RELAXED), frames,
				       (uint16_t)MIN(count, most));
}

/* The library stops at a frame that does not fit into the buffers that are there. Either there are
 * none, or it alone is too large: then a shorter one behind it goes through. Nobody waits for it.
 */
static unsigned next_shorter(struct rte_mbuf *const *frames, unsigned at, unsigned count)
{
	uint32_t len = frames[at]->pkt_len;

	for (at++; at < count; at++)
		if (frames[at]->pkt_len < len)
			return at;
	return count;
}

struct sending {
	int vid;
	uint16_t ring;
	struct rte_mbuf **frames;
	unsigned count, sent, most;
	uint64_t lost_bytes;
};

static void lose(struct sending *s, unsigned from, unsigned end, struct nq_stats *stats,
		 enum nq_drop why)
{
	for (unsigned i = from; i < end; i++)
		s->lost_bytes += s->frames[i]->pkt_len;
	if (end > from)
		count_drop(stats, why, end - from);
}

static void enqueue(struct sending *s, struct nq_stats *stats)
{
	unsigned at = 0;

	while (at < s->count) {
		unsigned n = rte_vhost_enqueue_burst(s->vid, s->ring, s->frames + at,
						     (uint16_t)MIN(s->count - at, s->most));
		s->sent += n;
		at += n;
		if (n || at == s->count)
			continue;
		unsigned next = next_shorter(s->frames, at, s->count);
		unsigned got = next < s->count ? rte_vhost_enqueue_burst(s->vid, s->ring,
									 s->frames + next, 1)
					       : 0;
		lose(s, at, next, stats, got ? NQ_DROP_OVERSIZE : NQ_DROP_FULL);
		if (!got) {
			lose(s, next, s->count, stats, NQ_DROP_FULL);
			return;
		}
		s->sent++;
		at = next + 1;
	}
}

static void vhost_tx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count,
		     uint64_t bytes, struct nq_stats *stats)
{
	struct vhost *v = port->backend;
	int vid = atomic_load_explicit(&v->vid, memory_order_acquire);

	if (vid < 0 || !is_on(&v->guest_rx, queue)) {
		port_drop(frames, count, stats, NQ_DROP_DOWN);
		return;
	}
	struct sending s = {.vid = vid, .ring = RX_RING(queue), .frames = frames, .count = count};

	s.most = most_per_call(v, vid, s.ring);
	enqueue(&s, stats);
	count_sent(stats, s.sent, bytes - s.lost_bytes);
	rte_pktmbuf_free_bulk(frames, count);
}

/* ---- the control thread ---- */

static bool vhost_live(const struct port *port, unsigned queue)
{
	const struct vhost *v = port->backend;

	return atomic_load(&v->vid) >= 0 && is_on(&v->guest_tx, queue);
}

/* Those that are on, from the first: as a guest's driver turns them on. */
static unsigned vhost_tx_queues(const struct port *port)
{
	const struct vhost *v = port->backend;
	uint32_t on = atomic_load(&v->guest_rx);
	unsigned count = (unsigned)__builtin_ctz(~on);

	return MAX(count, 1u);
}

/* Workers poll: the guest need not kick, which is to be said again for rings that came later. Its
 * frames go into memory near its own. */
static void vhost_event(struct port *port)
{
	struct vhost *v = port->backend;

	pthread_mutex_lock(&v->asking);
	int vid = atomic_load(&v->vid);
	for (unsigned q = 0; vid >= 0 && q < port->config.queues; q++)
		if (is_on(&v->guest_tx, q))
			rte_vhost_enable_guest_notification(vid, TX_RING(q), 0);
	int node = vid >= 0 ? rte_vhost_get_numa_node(vid) : -1;
	/* Only of a device that is ready and has VIRTIO_NET_F_MTU. */
	if (vid < 0 || rte_vhost_get_mtu(vid, &port->peer_mtu))
		port->peer_mtu = 0;
	pthread_mutex_unlock(&v->asking);
	/* Workers may have either. */
	if (vid >= 0)
		__atomic_store_n(&port->pool, switch_pool(port->sw, node), __ATOMIC_RELAXED);
}

static unsigned vhost_offloads(const struct port *port)
{
	const struct vhost *v = port->backend;
	uint64_t features = atomic_load_explicit(&v->negotiated, memory_order_relaxed);

	return (features & BIT(VIRTIO_NET_F_CSUM) ? OFFLOAD_FROM : 0) |
	       (features & BIT(VIRTIO_NET_F_GUEST_CSUM) ? OFFLOAD_CSUM : 0) |
	       (features & BIT(VIRTIO_NET_F_GUEST_TSO4) ? OFFLOAD_TSO4 : 0) |
	       (features & BIT(VIRTIO_NET_F_GUEST_TSO6) ? OFFLOAD_TSO6 : 0);
}

/* ---- workers that sleep ---- */

static int vhost_wait_fd(struct port *port, unsigned queue)
{
	const struct vhost *v = port->backend;
	int vid = atomic_load_explicit(&v->vid, memory_order_acquire);
	struct rte_vhost_vring ring;

	if (vid < 0 || rte_vhost_get_vhost_vring(vid, TX_RING(queue), &ring))
		return -1;
	return ring.kickfd;
}

static void vhost_notify(struct port *port, unsigned queue, bool on)
{
	const struct vhost *v = port->backend;
	int vid = atomic_load_explicit(&v->vid, memory_order_acquire);

	if (vid >= 0 && is_on(&v->guest_tx, queue))
		rte_vhost_enable_guest_notification(vid, TX_RING(queue), on);
}

static void vhost_info(const struct port *port, struct nq_port_info *out)
{
	struct vhost *v = port->backend;

	out->up = atomic_load(&v->vid) >= 0;
	if (!out->up) {
		snprintf(out->text, sizeof(out->text), "%s",
			 atomic_load(&v->connects) ? "the guest's driver is not there (any more)"
						   : "nobody has connected yet");
		return;
	}
	out->queues = (unsigned)__builtin_popcount(atomic_load(&v->guest_tx));
	out->features = atomic_load(&v->negotiated);
	snprintf(out->text, sizeof(out->text), "%s ring%s",
		 out->features & BIT(34) ? "packed" : "split",
		 out->features & BIT(VIRTIO_NET_F_MRG_RXBUF) ? ", mergeable buffers" : "");
}

const struct port_ops port_vhost = {
	.kind = {.name = "vhost", .where = "SOCKET"},
	.open = vhost_open,
	.close = vhost_close,
	.rx = vhost_rx,
	.tx = vhost_tx,
	.live = vhost_live,
	.tx_queues = vhost_tx_queues,
	.event = vhost_event,
	.info = vhost_info,
	.offloads = vhost_offloads,
	.wait_fd = vhost_wait_fd,
	.notify = vhost_notify,
};
