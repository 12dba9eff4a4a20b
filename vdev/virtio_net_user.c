/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_net_user: a NIC (virtio 1.2, 5.1) on a port of a switch in another process, over
 * vhost-user: sluice's own switch, OVS-DPDK, anything built on rte_vhost.
 *
 * The switch moves the frames. Ours are registers, the link's state, and the control queue, whose
 * messages it never sees (net_ctrl.c): how many pairs the driver uses becomes which queues are
 * enabled; what frames the driver wants is for a switch that learns addresses anyway to decide.
 * Offloads are the switch's to agree on, once: the driver cannot change them later.
 */
#include "vdev/virtio_net_user.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/net_ctrl.h"
#include "vdev/vhost_user.h"
#include "vdev/virtio.h"

#define QUEUE_SIZE 1024u
#define CTRL_IOVS  64u

/* What a switch may offer to the guest; a switch that offers anything else is not believed. */
#define THEIRS                                                                           \
	(VDEV_FEATURE(VIRTIO_NET_F_CSUM) | VDEV_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |       \
	 VDEV_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | VDEV_FEATURE(VIRTIO_NET_F_GUEST_TSO6) | \
	 VDEV_FEATURE(VIRTIO_NET_F_GUEST_ECN) | VDEV_FEATURE(VIRTIO_NET_F_GUEST_UFO) |   \
	 VDEV_FEATURE(VIRTIO_NET_F_HOST_TSO4) | VDEV_FEATURE(VIRTIO_NET_F_HOST_TSO6) |   \
	 VDEV_FEATURE(VIRTIO_NET_F_HOST_ECN) | VDEV_FEATURE(VIRTIO_NET_F_HOST_UFO) |     \
	 VDEV_FEATURE(VIRTIO_NET_F_MRG_RXBUF))
#define RINGS                                                                           \
	(VDEV_FEATURE(VIRTIO_F_VERSION_1) | VDEV_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VDEV_FEATURE(VIRTIO_RING_F_EVENT_IDX))
/* What is answered here, whatever they say. */
#define OURS                                                                         \
	(VDEV_FEATURE(VIRTIO_NET_F_MAC) | VDEV_FEATURE(VIRTIO_NET_F_STATUS) |        \
	 VDEV_FEATURE(VIRTIO_NET_F_CTRL_VQ) | VDEV_FEATURE(VIRTIO_NET_F_CTRL_RX) |   \
	 VDEV_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | VDEV_FEATURE(VIRTIO_NET_F_MTU) | \
	 VDEV_FEATURE(VIRTIO_NET_F_MQ) | VDEV_FEATURE(VIRTIO_F_ACCESS_PLATFORM) |    \
	 VDEV_FEATURE(VIRTIO_F_RING_RESET))
#define PROTOCOL                                                                \
	(UINT64_C(1) << VU_PROTOCOL_MQ | UINT64_C(1) << VU_PROTOCOL_REPLY_ACK | \
	 UINT64_C(1) << VU_PROTOCOL_MTU)

struct net_user {
	struct vdev_virtio virtio;
	struct vdev_vhost_user *back;
	char *name;
	uint8_t mac[6]; /* until the driver sets another */
	uint16_t mtu;
	unsigned pairs;
	atomic_bool ready; /* `virtio` may be told of changes */
	bool fresh;	   /* the driver has said nothing since its reset */
	/* The control queue's thread changes these while others read them. */
	pthread_mutex_t lock;
	struct vdev_net_ctrl ctrl;
};

static struct net_user *net_of(struct vdev_virtio *dev)
{
	return container_of(dev, struct net_user, virtio);
}

/* 5.1.2: behind the last pair; with one pair only, as if there were no others. */
static unsigned ctrl_queue(const struct net_user *net)
{
	return vdev_virtio_has(&net->virtio, VIRTIO_NET_F_MQ) ? 2 * net->pairs : 2;
}

/* ---- the control queue, on the connection's thread ---- */

static uint8_t obey(struct net_user *net, const struct vdev_virtq_chain *c)
{
	unsigned changed;

	pthread_mutex_lock(&net->lock);
	uint8_t ack = vdev_net_ctrl_message(&net->ctrl, c->out, c->outs, &changed);
	unsigned pairs = net->ctrl.pairs;
	pthread_mutex_unlock(&net->lock);
	if (changed & VDEV_NET_PAIRS)
		vdev_vhost_user_enable(net->back, 2 * pairs);
	return ack;
}

static void kick(struct vdev_virtio *dev, unsigned queue)
{
	struct vdev_virtq *q = &dev->queue[queue].vq;
	struct iovec iov[CTRL_IOVS];
	struct vdev_virtq_chain c;

	do {
		vdev_virtq_kick_off(q);
		while (vdev_virtq_pop(q, iov, ARRAY_SIZE(iov), &c) > 0) {
			uint8_t ack = obey(net_of(dev), &c);

			vdev_virtq_push(
				q, &c, (uint32_t)vdev_iov_write(c.in, c.ins, 0, &ack, sizeof(ack)));
		}
		vdev_virtq_notify(q);
	} while (vdev_virtq_kick_on(q));
}

/* ---- the device, as virtio.c sees it ---- */

/* On the connection's thread: the link goes with the switch. */
static void changed(void *opaque)
{
	struct net_user *net = opaque;

	if (atomic_load(&net->ready))
		vdev_virtio_config_changed(&net->virtio);
}

static void config_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	struct net_user *net = net_of(dev);
	unsigned ignored;
	struct virtio_net_config config = {
		.status = vdev_vhost_user_up(net->back, &ignored) ? VIRTIO_NET_S_LINK_UP : 0,
		.max_virtqueue_pairs = (uint16_t)net->pairs,
		.mtu = net->mtu,
	};

	pthread_mutex_lock(&net->lock);
	memcpy(config.mac, net->fresh ? net->mac : net->ctrl.filter.mac, sizeof(config.mac));
	pthread_mutex_unlock(&net->lock);
	memcpy(data, (const uint8_t *)&config + offset, len);
}

/* The back-end hears the queues of frames, the connection's thread the one of control. */
static int start(struct vdev_virtio *dev)
{
	struct net_user *net = net_of(dev);
	unsigned ctrl = ctrl_queue(net);

	pthread_mutex_lock(&net->lock);
	if (net->fresh)
		vdev_net_ctrl_init(&net->ctrl, dev->features, net->pairs, net->mac);
	net->fresh = false;
	unsigned pairs = net->ctrl.pairs;
	pthread_mutex_unlock(&net->lock);
	for (unsigned i = 0; i < dev->queues; i++)
		vdev_virtio_set_thread(dev, i,
				       i == ctrl ? vdev_vhost_user_thread(net->back) : NULL);
	vdev_vhost_user_start(net->back, dev, ctrl, 2 * pairs);
	return 0;
}

static void stop(struct vdev_virtio *dev)
{
	vdev_vhost_user_stop(net_of(dev)->back);
}

static void reset(struct vdev_virtio *dev)
{
	struct net_user *net = net_of(dev);

	vdev_vhost_user_forget(net->back);
	net->fresh = true;
}

static void call_changed(struct vdev_virtio *dev, unsigned queue)
{
	if (queue < ctrl_queue(net_of(dev)))
		vdev_vhost_user_call_changed(net_of(dev)->back, queue);
}

static const char *unsavable(const struct vdev_virtio *dev)
{
	return vdev_vhost_user_unsavable(container_of(dev, const struct net_user, virtio)->back);
}

static void save(struct vdev_virtio *dev, struct state *s)
{
	const struct net_user *net = net_of(dev);

	state_put(s, "fresh", net->fresh);
	state_put(s, "pairs", net->ctrl.pairs);
	state_put_bytes(s, "mac", net->ctrl.filter.mac, sizeof(net->ctrl.filter.mac));
}

static void load(struct vdev_virtio *dev, struct state *s)
{
	struct net_user *net = net_of(dev);

	vdev_net_ctrl_init(&net->ctrl, dev->features, net->pairs, net->mac);
	net->fresh = state_take(s, "fresh", 1);
	net->ctrl.pairs = MAX((unsigned)state_take(s, "pairs", net->pairs), 1u);
	state_take_bytes(s, "mac", net->ctrl.filter.mac, sizeof(net->ctrl.filter.mac));
}

static void destroy(struct vdev_virtio *dev)
{
	struct net_user *net = net_of(dev);

	vdev_vhost_user_close(net->back);
	vdev_virtio_finish(dev);
	pthread_mutex_destroy(&net->lock);
	free(net->name);
	free(net);
}

static const struct vdev_virtio_type net_user_type = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.class = 0x020000,
	.config_size = offsetof(struct virtio_net_config, mtu) + sizeof(uint16_t),
	.config_read = config_read,
	.start = start,
	.stop = stop,
	.kick = kick,
	.reset = reset,
	.call_changed = call_changed,
	.unsavable = unsavable,
	.save = save,
	.load = load,
	.destroy = destroy,
};

/* ---- life ---- */

static int open_back(struct net_user *net, struct hv_vm *vm, const struct vdev_net_config *config)
{
	const struct vdev_vhost_user_config back = {
		.name = net->name,
		.vm = vm,
		.path = config->socket,
		.dial = config->dial,
		.listener = config->listener,
		.protocol = PROTOCOL,
		.ours = OURS,
		.mtu = net->mtu,
		.ordered = true, /* and a frame that comes twice does no harm */
		.changed = changed,
		.opaque = net,
	};

	return vdev_vhost_user_open(&back, &net->back);
}

/* A guest that was told of a pair would use it. */
static int check_queues(struct net_user *net)
{
	unsigned most = vdev_vhost_user_queues(net->back) / 2;

	if (net->pairs <= most)
		return 0;
	return log_fail(-EINVAL, net->name,
			"its switch has %u queues for it, not %u; pass queues=%u", most, net->pairs,
			most);
}

static int attach(struct net_user *net, struct hv_vm *vm, struct loop *loop, bool packed)
{
	uint64_t theirs = vdev_vhost_user_features(net->back);
	uint64_t rings = RINGS | (packed ? VDEV_FEATURE(VIRTIO_F_RING_PACKED) : 0);
	const struct vdev_virtio_config config = {
		.type = &net_user_type,
		.vm = vm,
		.loop = loop,
		.name = net->name,
		.features = OURS | (theirs & THEIRS),
		.queues = 2 * net->pairs + 1,
		.queue_max = QUEUE_SIZE,
	};
	int err = vdev_virtio_init(&net->virtio, &config);

	if (err)
		return err;
	net->virtio.offered &= (theirs & (THEIRS | rings)) | OURS;
	if (net->pairs == 1)
		net->virtio.offered &= ~VDEV_FEATURE(VIRTIO_NET_F_MQ);
	return 0;
}

int vdev_net_user_create(struct hv_vm *vm, struct loop *loop, const struct vdev_net_config *config,
			 struct vdev_function **out)
{
	struct net_user *net = calloc(1, sizeof(*net));

	if (net)
		net->name = strdup(config->name);
	if (!net || !net->name) {
		free(net);
		return log_fail(-ENOMEM, config->name, "no memory for it");
	}
	pthread_mutex_init(&net->lock, NULL);
	memcpy(net->mac, config->mac, sizeof(net->mac));
	net->mtu = config->mtu;
	net->pairs = config->pairs;
	net->fresh = true;
	int err = open_back(net, vm, config);
	if (!err)
		err = check_queues(net);
	if (!err)
		err = attach(net, vm, loop, config->packed);
	if (err) {
		destroy(&net->virtio);
		return err;
	}
	atomic_store(&net->ready, true);
	*out = &net->virtio.fn;
	return 0;
}

bool vdev_net_user_stat(struct vdev_function *fn, struct vdev_net_stat *out)
{
	struct vdev_virtio *dev = vdev_virtio_of(fn);
	unsigned ignored;

	if (!dev || dev->type != &net_user_type)
		return false;
	struct net_user *net = net_of(dev);
	*out = (struct vdev_net_stat){
		.name = net->name,
		.backend = "vhost-user",
		.pairs = net->pairs,
		.features = dev->features,
		.up = vdev_vhost_user_up(net->back, &ignored),
	};
	pthread_mutex_lock(&net->lock);
	out->pairs_used = dev->running ? net->ctrl.pairs : 0;
	memcpy(out->mac, net->fresh ? net->mac : net->ctrl.filter.mac, sizeof(out->mac));
	pthread_mutex_unlock(&net->lock);
	return true;
}
