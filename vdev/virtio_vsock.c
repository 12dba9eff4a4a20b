/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_vsock: sockets between guest and host (virtio 1.2, 5.10), served by the kernel.
 *
 * The guest's context ID is its address; the host is 2. Data goes through /dev/vhost-vsock, so that
 * any program of the host with an AF_VSOCK socket is a peer. The event queue would tell the driver
 * that its connections are gone, after the VM moved to another host: nothing is ever put there.
 */
#include "vdev/virtio_vsock.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_vsock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/vhost.h"

#define QUEUE_SIZE 128u

enum { RECEIVE, TRANSMIT, EVENT, QUEUES };
#define SERVED 2u /* the kernel knows nothing of the event queue */

_Static_assert(sizeof(struct virtio_vsock_config) == 8, "virtio 1.2, 5.10.4");

struct vdev_vsock {
	struct vdev_virtio virtio;
	int vhost;
	uint64_t cid;
};

static struct vdev_vsock *vsock_of(struct vdev_virtio *dev)
{
	return container_of(dev, struct vdev_vsock, virtio);
}

static int run(const struct vdev_vsock *v, int on)
{
	return ioctl(v->vhost, VHOST_VSOCK_SET_RUNNING, &on) < 0 ? -errno : 0;
}

static int start(struct vdev_virtio *dev)
{
	struct vdev_vsock *v = vsock_of(dev);
	const char *name = dev->fn.name;
	int err = vdev_vhost_prepare(name, v->vhost, dev);

	for (unsigned i = 0; i < SERVED && !err; i++) {
		if (dev->queue[i].enabled)
			err = vdev_vhost_queue_set(name, v->vhost, i, &dev->queue[i]);
		else
			err = log_fail(-EINVAL, name, "its driver did not set up queue %u", i);
	}
	if (err < 0)
		return err;
	err = run(v, 1);
	if (err < 0)
		return log_fail(err, name, "vhost does not serve it: %s", strerror(-err));
	for (unsigned i = 0; i < SERVED; i++)
		vdev_virtio_kick_self(dev, i); /* for what was there before */
	return 0;
}

static void stop(struct vdev_virtio *dev)
{
	struct vdev_vsock *v = vsock_of(dev);

	run(v, 0); /* fails for a bad value only */
	for (unsigned i = 0; i < SERVED; i++)
		vdev_vhost_queue_get(v->vhost, i, &dev->queue[i]);
}

static void call_changed(struct vdev_virtio *dev, unsigned queue)
{
	if (queue < SERVED && dev->running)
		vdev_vhost_queue_call(dev->fn.name, vsock_of(dev)->vhost, queue,
				      &dev->queue[queue]);
}

static void config_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	struct virtio_vsock_config config = {.guest_cid = vsock_of(dev)->cid};

	memcpy(data, (const uint8_t *)&config + offset, len);
}

static const char *unsavable(const struct vdev_virtio *dev)
{
	(void)dev;
	return "the kernel of this host keeps its connections";
}

static void destroy(struct vdev_virtio *dev)
{
	struct vdev_vsock *v = vsock_of(dev);

	vdev_virtio_finish(&v->virtio);
	free(v);
}

static const struct vdev_virtio_type vsock_type = {
	.name = "virtio-vsock",
	.id = VIRTIO_ID_VSOCK,
	.class = 0x078000,
	.config_size = sizeof(struct virtio_vsock_config),
	.config_read = config_read,
	.start = start,
	.stop = stop,
	.call_changed = call_changed,
	.unsavable = unsavable,
	.destroy = destroy,
};

/* The number is the host's to give away, and good for as long as the descriptor is open. */
static int take_cid(const struct vdev_vsock *v, const char *name)
{
	/* EBUSY: ours since an earlier run of the guest. */
	if (ioctl(v->vhost, VHOST_SET_OWNER) < 0 && errno != EBUSY)
		return log_fail(-errno, name, "vhost makes no worker for it: %s", strerror(errno));
	if (ioctl(v->vhost, VHOST_VSOCK_SET_GUEST_CID, &v->cid) < 0)
		return log_fail(-errno, name, "context ID %llu not taken: %s%s",
				(unsigned long long)v->cid, strerror(errno),
				errno == EADDRINUSE ? "; another VM has it" : "");
	return 0;
}

int vdev_vsock_create(struct hv_vm *vm, struct loop *loop, const struct vdev_vsock_config *config,
		      struct vdev_function **out)
{
	struct vdev_vsock *v = calloc(1, sizeof(*v));
	struct vdev_virtio_config virtio = {
		.type = &vsock_type,
		.vm = vm,
		.loop = loop,
		.name = "vsock",
		.queues = QUEUES,
		.queue_max = QUEUE_SIZE,
	};
	uint64_t features;

	if (!v)
		return log_fail(-ENOMEM, virtio.name, "no memory for it");
	v->vhost = config->vhost;
	v->cid = config->cid;
	int err = vdev_vhost_features(virtio.name, v->vhost, &features);
	if (!err)
		err = take_cid(v, virtio.name);
	if (!err)
		err = vdev_virtio_init(&v->virtio, &virtio);
	if (err < 0) {
		free(v);
		return err;
	}
	v->virtio.offered &= ~vdev_vhost_unserved();
	*out = &v->virtio.fn;
	return 0;
}
