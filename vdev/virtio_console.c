/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_console: a terminal without registers (virtio 1.2, 5.3): one port, so neither control
 * queues nor sizes.
 *
 * A serial port costs an exit for each byte, this one a kick for each line. What the guest writes
 * is passed on as it comes. What is typed waits in a small buffer until the driver has given room
 * for it, which may be never.
 */
#include "vdev/virtio_console.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

#define QUEUE_SIZE 64u
#define IOVS	   VDEV_VIRTQ_IOVS(QUEUE_SIZE)
#define TYPED_MAX  4096u

enum { RECEIVE, TRANSMIT, QUEUES };

struct vdev_console {
	struct vdev_virtio virtio;
	struct vdev_console_config config;
	pthread_mutex_t lock; /* what follows */
	uint8_t typed[TYPED_MAX];
	size_t len;
	bool refused; /* somebody waits for room */
};

static struct vdev_console *console_of(struct vdev_virtio *dev)
{
	return container_of(dev, struct vdev_console, virtio);
}

static void transmit(struct vdev_console *c, struct vdev_virtq *q)
{
	struct vdev_virtq_chain chain;
	struct iovec iov[IOVS];

	do {
		vdev_virtq_kick_off(q);
		while (vdev_virtq_pop(q, iov, IOVS, &chain) > 0) {
			for (unsigned i = 0; i < chain.outs; i++)
				c->config.out(c->config.opaque, chain.out[i].iov_base,
					      chain.out[i].iov_len);
			vdev_virtq_push(q, &chain, 0);
		}
		vdev_virtq_notify(q);
	} while (vdev_virtq_kick_on(q));
}

/* Hands over what was typed, as far as it goes; true when somebody waited for that. */
static bool hand_over(struct vdev_console *c, struct vdev_virtq *q)
{
	struct vdev_virtq_chain chain;
	struct iovec iov[IOVS];
	size_t before = c->len;

	while (c->len && vdev_virtq_pop(q, iov, IOVS, &chain) > 0) {
		size_t n = vdev_iov_write(chain.in, chain.ins, 0, c->typed, c->len);

		memmove(c->typed, c->typed + n, c->len - n);
		c->len -= n;
		vdev_virtq_push(q, &chain, (uint32_t)n);
	}
	bool tell = c->refused && c->len < before;
	c->refused &= !tell;
	return tell;
}

static void receive(struct vdev_console *c, struct vdev_virtq *q)
{
	pthread_mutex_lock(&c->lock);
	bool tell = hand_over(c, q);
	pthread_mutex_unlock(&c->lock);
	vdev_virtq_notify(q);
	if (tell)
		c->config.room(c->config.opaque);
}

static void kick(struct vdev_virtio *dev, unsigned queue)
{
	struct vdev_console *c = console_of(dev);

	if (queue == RECEIVE)
		receive(c, &dev->queue[queue].vq);
	else
		transmit(c, &dev->queue[queue].vq);
}

size_t vdev_console_receive(struct vdev_console *c, const uint8_t *bytes, size_t len)
{
	pthread_mutex_lock(&c->lock);
	size_t taken = MIN(len, TYPED_MAX - c->len);
	memcpy(c->typed + c->len, bytes, taken);
	c->len += taken;
	c->refused |= taken < len;
	pthread_mutex_unlock(&c->lock);
	vdev_virtio_kick_self(&c->virtio, RECEIVE);
	return taken;
}

static void config_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	(void)dev;
	(void)offset;
	memset(data, 0, len); /* each field belongs to a feature that is not offered */
}

static void destroy(struct vdev_virtio *dev)
{
	struct vdev_console *c = console_of(dev);

	vdev_virtio_finish(&c->virtio);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static const struct vdev_virtio_type console_type = {
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.class = 0x078000,
	.config_size = sizeof(struct virtio_console_config),
	.config_read = config_read,
	.kick = kick,
	.destroy = destroy,
};

int vdev_console_create(const struct vdev_console_config *config, struct vdev_console **out)
{
	struct vdev_console *c = calloc(1, sizeof(*c));
	struct vdev_virtio_config virtio = {
		.type = &console_type,
		.vm = config->vm,
		.loop = config->loop,
		.name = "console",
		.queues = QUEUES,
		.queue_max = QUEUE_SIZE,
		.thread = config->thread,
	};

	if (!c)
		return log_fail(-ENOMEM, virtio.name, "no memory for it");
	c->config = *config;
	pthread_mutex_init(&c->lock, NULL);
	int err = vdev_virtio_init(&c->virtio, &virtio);
	if (err < 0) {
		pthread_mutex_destroy(&c->lock);
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

struct vdev_function *vdev_console_function(struct vdev_console *c)
{
	return &c->virtio.fn;
}
