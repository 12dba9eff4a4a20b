/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_net: a network device on a tap (virtio 1.2, 5.1).
 *
 * Queue pairs are moved either by our own I/O threads (net_pair.c) or by the kernel (vhost.c, on
 * /dev/vhost-net); both know nothing but the descriptor of the tap. The control queue is always
 * ours: what it asks for is the tap's to do (offloads, which frames come in, which descriptors take
 * part), so it is the same for both.
 *
 * The driver begins with one pair, whatever there are (5.1.6.5.5), and sees every frame until it
 * says otherwise. What it agreed on ends with its reset: the tap offloads nothing then.
 */
#include "vdev/virtio_net.h"

#include <errno.h>
#include <linux/vhost.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "vdev/net_ctrl.h"
#include "vdev/net_pair.h"
#include "vdev/net_tap.h"
#include "vdev/vhost.h"

#define QUEUE_SIZE 512u
#define CTRL_IOVS  64u

#define FEATURES                                                                                \
	(VDEV_FEATURE(VIRTIO_NET_F_MAC) | VDEV_FEATURE(VIRTIO_NET_F_MTU) |                      \
	 VDEV_FEATURE(VIRTIO_NET_F_STATUS) | VDEV_FEATURE(VIRTIO_NET_F_MRG_RXBUF) |             \
	 VDEV_FEATURE(VIRTIO_NET_F_CTRL_VQ) | VDEV_FEATURE(VIRTIO_NET_F_CTRL_RX) |              \
	 VDEV_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | VDEV_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) | \
	 VDEV_FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))

struct vdev_net {
	struct vdev_virtio virtio;
	char *name;
	uint8_t mac[6]; /* until the driver sets another */
	uint16_t mtu;
	bool standby;
	unsigned pairs;
	int tap[VDEV_NET_PAIRS_MAX], vhost[VDEV_NET_PAIRS_MAX];
	bool kernel; /* vhost moves the frames */
	struct vdev_iothread *thread[VDEV_NET_PAIRS_MAX];
	struct vdev_net_pair *pair[VDEV_NET_PAIRS_MAX]; /* without vhost */
	unsigned served;    /* pairs that vhost has taken; while it runs only the control queue's */
	atomic_uint active; /* pairs that the driver uses */
	bool fresh;	    /* the driver has said nothing since its reset */
	bool announce;	    /* the driver shall tell its network where it is (5.1.6.5.4) */
	/* The control queue's thread changes these while others read the address, and change a
	 * queue's interrupt. */
	pthread_mutex_t lock;
	struct vdev_net_ctrl ctrl;
};

static struct vdev_net *net_of(struct vdev_virtio *dev)
{
	return container_of(dev, struct vdev_net, virtio);
}

/* 5.1.2: behind the last pair; with one pair only, as if there were no others. */
static unsigned ctrl_queue(const struct vdev_net *net)
{
	return vdev_virtio_has(&net->virtio, VIRTIO_NET_F_MQ) ? 2 * net->pairs : 2;
}

/* ---- vhost ---- */

static int set_backend(const struct vdev_net *net, unsigned index, bool on)
{
	struct vhost_vring_file file = {.index = index & 1, .fd = on ? net->tap[index / 2] : -1};

	return ioctl(net->vhost[index / 2], VHOST_NET_SET_BACKEND, &file) < 0 ? -errno : 0;
}

static void halt_queue(struct vdev_net *net, unsigned index)
{
	struct vdev_virtio_queue *q = &net->virtio.queue[index];

	if (!q->enabled)
		return;
	set_backend(net, index, false);
	vdev_vhost_queue_get(net->vhost[index / 2], index & 1, q);
}

static int serve_queue(struct vdev_net *net, unsigned index)
{
	struct vdev_virtio_queue *q = &net->virtio.queue[index];
	int err;

	if (!q->enabled)
		return 0;
	err = vdev_vhost_queue_set(net->name, net->vhost[index / 2], index & 1, q);
	if (err < 0)
		return err;
	err = set_backend(net, index, true);
	if (err < 0)
		return log_fail(err, net->name, "vhost does not take its tap: %s", strerror(-err));
	vdev_virtio_kick_self(&net->virtio, index); /* for what was there before */
	return 0;
}

/* The first `pairs` pairs are the kernel's, no others. On failure none more than before. */
static int serve(struct vdev_net *net, unsigned pairs)
{
	int err = 0;

	while (net->served > pairs) {
		net->served--;
		halt_queue(net, 2 * net->served);
		halt_queue(net, 2 * net->served + 1);
	}
	while (net->served < pairs && !err) {
		err = vdev_vhost_prepare(net->name, net->vhost[net->served], &net->virtio);
		if (!err)
			err = serve_queue(net, 2 * net->served);
		if (!err)
			err = serve_queue(net, 2 * net->served + 1);
		if (err < 0) {
			set_backend(net, 2 * net->served, false);
			set_backend(net, 2 * net->served + 1, false);
		} else {
			net->served++;
		}
	}
	return err;
}

/* ---- pairs come and go ---- */

static int use_pairs(struct vdev_net *net, unsigned pairs)
{
	int err = 0;

	if (net->kernel && net->served > pairs)
		serve(net, pairs); /* taking away does not fail */
	for (unsigned i = 1; i < net->pairs && !err; i++)
		err = vdev_net_tap_attach(net->tap[i], i < pairs);
	if (err < 0)
		return log_fail(err, net->name, "its tap does not spread over %u queues: %s", pairs,
				strerror(-err));
	atomic_store(&net->active, pairs);
	if (net->kernel)
		return serve(net, pairs);
	for (unsigned i = 1; i < net->pairs; i++)
		vdev_virtio_kick_self(&net->virtio, 2 * i); /* its thread looks at its part in it */
	return 0;
}

/* ---- the control queue ---- */

static int apply(struct vdev_net *net, unsigned changed)
{
	int err = 0;

	if (changed & VDEV_NET_OFFLOADS)
		err = vdev_net_tap_offload(net->tap[0], net->ctrl.offloads);
	if (!err && (changed & VDEV_NET_FILTER))
		err = vdev_net_tap_filter(net->tap[0], &net->ctrl.filter);
	if (!err && (changed & VDEV_NET_PAIRS))
		err = use_pairs(net, net->ctrl.pairs);
	if (changed & VDEV_NET_ANNOUNCED)
		net->announce = false;
	return err;
}

static uint8_t obey(struct vdev_net *net, const struct vdev_virtq_chain *c)
{
	unsigned changed;

	pthread_mutex_lock(&net->lock);
	struct vdev_net_ctrl before = net->ctrl;
	uint8_t ack = vdev_net_ctrl_message(&net->ctrl, c->out, c->outs, &changed);
	if (changed && apply(net, changed) < 0) {
		net->ctrl = before;
		ack = VIRTIO_NET_ERR;
	}
	pthread_mutex_unlock(&net->lock);
	return ack;
}

static void control(struct vdev_net *net, struct vdev_virtq *q)
{
	struct iovec iov[CTRL_IOVS];
	struct vdev_virtq_chain c;

	do {
		vdev_virtq_kick_off(q);
		while (vdev_virtq_pop(q, iov, ARRAY_SIZE(iov), &c) > 0) {
			uint8_t ack = obey(net, &c);

			vdev_virtq_push(
				q, &c, (uint32_t)vdev_iov_write(c.in, c.ins, 0, &ack, sizeof(ack)));
		}
		vdev_virtq_notify(q);
	} while (vdev_virtq_kick_on(q));
}

/* ---- the device, as virtio.c sees it ---- */

static void kick(struct vdev_virtio *dev, unsigned queue)
{
	struct vdev_net *net = net_of(dev);

	if (queue == ctrl_queue(net))
		control(net, &dev->queue[queue].vq);
	else if (queue >= 2 * net->pairs || net->kernel)
		return;
	else if (queue & 1)
		vdev_net_pair_transmit(net->pair[queue / 2]);
	else
		vdev_net_pair_receive(net->pair[queue / 2], queue / 2 < atomic_load(&net->active));
}

static void config_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	struct vdev_net *net = net_of(dev);
	struct virtio_net_config config = {
		.status = VIRTIO_NET_S_LINK_UP,
		.max_virtqueue_pairs = (uint16_t)net->pairs,
		.mtu = net->mtu,
	};

	pthread_mutex_lock(&net->lock);
	memcpy(config.mac, net->fresh ? net->mac : net->ctrl.filter.mac, sizeof(config.mac));
	if (net->announce)
		config.status |= VIRTIO_NET_S_ANNOUNCE;
	pthread_mutex_unlock(&net->lock);
	memcpy(data, (const uint8_t *)&config + offset, len);
}

/* Whose thread hears which queue; the kernel hears those it serves. */
static void share_out(struct vdev_net *net)
{
	for (unsigned i = 0; i < net->virtio.queues; i++) {
		bool ours = i == ctrl_queue(net) || !net->kernel;
		unsigned pair = i < 2 * net->pairs ? i / 2 : 0;

		vdev_virtio_set_thread(&net->virtio, i,
				       !ours ? NULL : net->thread[net->kernel ? 0 : pair]);
	}
}

static int start(struct vdev_virtio *dev)
{
	struct vdev_net *net = net_of(dev);
	int err;

	pthread_mutex_lock(&net->lock);
	if (net->fresh)
		vdev_net_ctrl_init(&net->ctrl, dev->features, net->pairs, net->mac);
	net->fresh = false;
	share_out(net);
	err = apply(net, VDEV_NET_OFFLOADS | VDEV_NET_FILTER | VDEV_NET_PAIRS);
	if (err < 0 && net->kernel)
		serve(net, 0);
	bool announce = net->announce;
	pthread_mutex_unlock(&net->lock);
	if (announce)
		vdev_virtio_config_changed(dev);
	return err;
}

static void silence(void *opaque)
{
	vdev_net_pair_silence(opaque);
}

static void stop(struct vdev_virtio *dev)
{
	struct vdev_net *net = net_of(dev);

	if (net->kernel)
		serve(net, 0);
	for (unsigned i = 0; i < net->pairs && !net->kernel; i++)
		vdev_iothread_call(net->thread[i], silence, net->pair[i]);
}

static void call_changed(struct vdev_virtio *dev, unsigned queue)
{
	struct vdev_net *net = net_of(dev);

	pthread_mutex_lock(&net->lock);
	if (net->kernel && queue / 2 < net->served)
		vdev_vhost_queue_call(net->name, net->vhost[queue / 2], queue & 1,
				      &dev->queue[queue]);
	pthread_mutex_unlock(&net->lock);
}

static void queue_reset(struct vdev_virtio *dev, unsigned queue)
{
	struct vdev_net *net = net_of(dev);

	if (queue < 2 * net->pairs && !(queue & 1) && !net->kernel)
		vdev_net_pair_reset(net->pair[queue / 2]);
}

static void reset(struct vdev_virtio *dev)
{
	struct vdev_net *net = net_of(dev);

	for (unsigned i = 0; i < net->pairs; i++)
		queue_reset(dev, 2 * i);
	vdev_net_ctrl_init(&net->ctrl, 0, net->pairs, net->mac);
	apply(net, VDEV_NET_OFFLOADS | VDEV_NET_FILTER);
	for (unsigned i = 1; i < net->pairs; i++)
		vdev_net_tap_attach(net->tap[i], false);
	net->fresh = true;
	net->announce = false;
}

static void save(struct vdev_virtio *dev, struct state *s)
{
	const struct vdev_net *net = net_of(dev);
	const struct vdev_net_filter *f = &net->ctrl.filter;

	state_put(s, "fresh", net->fresh);
	state_put(s, "pairs", net->ctrl.pairs);
	state_put(s, "offloads", net->ctrl.offloads);
	state_put_bytes(s, "mac", f->mac, sizeof(f->mac));
	state_put(s, "promisc", f->promisc);
	state_put(s, "allmulti", f->allmulti);
	state_put(s, "more_unicasts", f->more_unicasts);
	state_put(s, "more_multicasts", f->more_multicasts);
	state_put_bytes(s, "unicast", f->unicast, 6 * (size_t)f->unicasts);
	state_put_bytes(s, "multicast", f->multicast, 6 * (size_t)f->multicasts);
}

static void load_list(struct state *s, const char *name, uint8_t (*list)[6], unsigned room,
		      unsigned *count)
{
	size_t len = state_bytes(s, name);

	*count = 0;
	if (len > 6 * (size_t)room || len % 6) {
		state_refuse(s, -EINVAL, "a list of addresses has a size that it cannot have");
		return;
	}
	state_take_bytes(s, name, list, len);
	*count = (unsigned)(len / 6);
}

static void load(struct vdev_virtio *dev, struct state *s)
{
	struct vdev_net *net = net_of(dev);
	struct vdev_net_filter *f = &net->ctrl.filter;

	vdev_net_ctrl_init(&net->ctrl, dev->features, net->pairs, net->mac);
	net->fresh = state_take(s, "fresh", 1);
	net->ctrl.pairs = MAX((unsigned)state_take(s, "pairs", net->pairs), 1u);
	net->ctrl.offloads =
		state_take(s, "offloads", UINT64_MAX) & vdev_net_guest_offloads(dev->features);
	state_take_bytes(s, "mac", f->mac, sizeof(f->mac));
	f->promisc = state_take(s, "promisc", 1);
	f->allmulti = state_take(s, "allmulti", 1);
	f->more_unicasts = state_take(s, "more_unicasts", 1);
	f->more_multicasts = state_take(s, "more_multicasts", 1);
	load_list(s, "unicast", f->unicast, VDEV_NET_UNICASTS, &f->unicasts);
	load_list(s, "multicast", f->multicast, VDEV_NET_MULTICASTS, &f->multicasts);
	/* Switches may know it behind another port, or not at all. */
	net->announce = vdev_virtio_has(dev, VIRTIO_NET_F_GUEST_ANNOUNCE);
}

static void destroy(struct vdev_virtio *dev)
{
	vdev_net_destroy(net_of(dev));
}

static const struct vdev_virtio_type net_type = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.class = 0x020000,
	.config_size = offsetof(struct virtio_net_config, mtu) + sizeof(uint16_t),
	.config_read = config_read,
	.start = start,
	.stop = stop,
	.kick = kick,
	.call_changed = call_changed,
	.queue_reset = queue_reset,
	.reset = reset,
	.save = save,
	.load = load,
	.destroy = destroy,
};

/* ---- its life ---- */

/* One thread for each pair; one for the control queue alone where the kernel does the rest. */
static int start_threads(struct vdev_net *net, const struct hv_vm *vm)
{
	unsigned count = net->kernel ? 1 : net->pairs;
	int err = 0;

	for (unsigned i = 0; i < count && !err; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%.32s/q%u", net->name, i);
		err = vdev_iothread_create(vm, name, &net->thread[i]);
	}
	return err;
}

static int create_pairs(struct vdev_net *net)
{
	int err = 0;

	for (unsigned i = 0; i < net->pairs && !err && !net->kernel; i++)
		err = vdev_net_pair_create(&net->virtio, i, net->tap[i], net->thread[i],
					   &net->pair[i]);
	return err;
}

static int init_virtio(struct vdev_net *net, struct hv_vm *vm, struct loop *loop)
{
	struct vdev_virtio_config config = {
		.type = &net_type,
		.vm = vm,
		.loop = loop,
		.name = net->name,
		.features = FEATURES | vdev_net_tap_features(net->tap[0]),
		.queues = 2 * net->pairs + 1,
		.queue_max = QUEUE_SIZE,
		.thread = net->thread[0],
	};

	if (net->pairs > 1)
		config.features |= VDEV_FEATURE(VIRTIO_NET_F_MQ);
	if (net->standby) /* virtio 1.2 section 5.1.3; what follows is the guest's to do */
		config.features |= VDEV_FEATURE(VIRTIO_NET_F_STANDBY);
	int err = vdev_virtio_init(&net->virtio, &config);
	if (!err && net->kernel)
		net->virtio.offered &= ~vdev_vhost_unserved();
	return err;
}

static int set_up(struct vdev_net *net, struct hv_vm *vm, struct loop *loop)
{
	uint64_t features;
	int err = vdev_net_tap_init(net->name, net->tap, net->pairs);

	if (!err && net->kernel)
		err = vdev_vhost_features(net->name, net->vhost[0], &features);
	if (!err)
		err = start_threads(net, vm);
	if (!err)
		err = init_virtio(net, vm, loop);
	return err ? err : create_pairs(net);
}

int vdev_net_create(struct hv_vm *vm, struct loop *loop, const struct vdev_net_config *config,
		    struct vdev_net **out)
{
	struct vdev_net *net = calloc(1, sizeof(*net));

	if (net)
		net->name = strdup(config->name);
	if (!net || !net->name) {
		free(net);
		return log_fail(-ENOMEM, config->name, "no memory for it");
	}
	pthread_mutex_init(&net->lock, NULL);
	memcpy(net->mac, config->mac, sizeof(net->mac));
	net->mtu = config->mtu;
	net->standby = config->standby;
	net->pairs = config->pairs;
	net->kernel = config->vhost != NULL;
	net->fresh = true;
	memcpy(net->tap, config->tap, config->pairs * sizeof(int));
	if (net->kernel)
		memcpy(net->vhost, config->vhost, config->pairs * sizeof(int));
	int err = set_up(net, vm, loop);
	if (err < 0) {
		vdev_net_destroy(net);
		return err;
	}
	*out = net;
	return 0;
}

void vdev_net_destroy(struct vdev_net *net)
{
	if (!net)
		return;
	vdev_virtio_finish(&net->virtio);
	for (unsigned i = 0; i < net->pairs; i++) {
		vdev_iothread_destroy(net->thread[i]);
		vdev_net_pair_destroy(net->pair[i]);
	}
	pthread_mutex_destroy(&net->lock);
	free(net->name);
	free(net);
}

struct vdev_function *vdev_net_function(struct vdev_net *net)
{
	return &net->virtio.fn;
}

struct vdev_net *vdev_net_of(struct vdev_function *fn)
{
	struct vdev_virtio *dev = fn ? vdev_virtio_of(fn) : NULL;

	return dev && dev->type == &net_type ? net_of(dev) : NULL;
}

static void add_counts(struct vdev_net_traffic *sum, const struct vdev_net_counts *counts)
{
	sum->packets += atomic_load_explicit(&counts->packets, memory_order_relaxed);
	sum->bytes += atomic_load_explicit(&counts->bytes, memory_order_relaxed);
	sum->drops += atomic_load_explicit(&counts->drops, memory_order_relaxed);
}

void vdev_net_fill_stat(struct vdev_net *net, struct vdev_net_stat *out)
{
	*out = (struct vdev_net_stat){
		.name = net->name,
		.backend = net->kernel ? "vhost" : "user",
		.pairs = net->pairs,
		.pairs_used = net->virtio.running ? atomic_load(&net->active) : 0,
		.features = net->virtio.features,
		.up = true,
	};
	pthread_mutex_lock(&net->lock);
	memcpy(out->mac, net->fresh ? net->mac : net->ctrl.filter.mac, sizeof(out->mac));
	pthread_mutex_unlock(&net->lock);
	for (unsigned i = 0; i < net->pairs && !net->kernel; i++) {
		add_counts(&out->received, vdev_net_pair_received(net->pair[i]));
		add_counts(&out->sent, vdev_net_pair_sent(net->pair[i]));
	}
}
