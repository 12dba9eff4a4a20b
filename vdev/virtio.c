/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio: the life of a device: negotiation, start, stop, reset (virtio 1.2, 2.1 to 2.4, 3.1).
 *
 * The data path runs while the driver is ready (DRIVER_OK), the VM does not stand still and nothing
 * is broken. `follow` compares that with how things are and starts or stops; everything that
 * changes one of the three calls it.
 */
#include "vdev/virtio.h"

#include <errno.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define RING_FEATURES                                                                        \
	(VDEV_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | VDEV_FEATURE(VIRTIO_RING_F_EVENT_IDX) | \
	 VDEV_FEATURE(VIRTIO_F_VERSION_1) | VDEV_FEATURE(VIRTIO_F_ACCESS_PLATFORM) |         \
	 VDEV_FEATURE(VIRTIO_F_RING_PACKED) | VDEV_FEATURE(VIRTIO_F_RING_RESET))

#define DRIVER_BITS                                                                           \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK | \
	 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED)

bool vdev_virtio_has(const struct vdev_virtio *dev, unsigned feature)
{
	return dev->features & VDEV_FEATURE(feature);
}

struct vdev_virtio *vdev_virtio_of(struct vdev_function *fn)
{
	return fn->ops == &vdev_virtio_function_ops ? container_of(fn, struct vdev_virtio, fn)
						    : NULL;
}

/* ---- kicks ---- */

static void kicked(void *opaque, uint32_t events)
{
	struct vdev_virtio_queue *queue = opaque;
	uint64_t count;

	(void)events;
	if (read(queue->kick_fd, &count, sizeof(count)) != sizeof(count))
		return;
	atomic_fetch_add_explicit(&queue->vq.stat.kicks, count, memory_order_relaxed);
	queue->dev->type->kick(queue->dev, queue->vq.index);
}

/* On the queue's thread. What the driver made available before this is found by the first kick. */
static void listen_here(void *opaque)
{
	struct vdev_virtio_queue *queue = opaque;
	int err = loop_add(vdev_iothread_loop(queue->thread), queue->kick_fd, EPOLLIN, kicked,
			   queue, &queue->source);

	if (err < 0) {
		log_error(queue->vq.name, "queue %u is deaf: %s", queue->vq.index, strerror(-err));
		vdev_virtio_needs_reset(queue->dev);
		return;
	}
	queue->dev->type->kick(queue->dev, queue->vq.index);
}

static void leave_here(void *opaque)
{
	struct vdev_virtio_queue *queue = opaque;

	loop_remove(queue->source);
	queue->source = NULL;
}

static void call_queues(struct vdev_virtio *dev, void (*fn)(void *opaque))
{
	for (unsigned i = 0; i < dev->queues && dev->type->kick; i++)
		if (dev->queue[i].enabled && dev->queue[i].thread)
			vdev_iothread_call(dev->queue[i].thread, fn, &dev->queue[i]);
}

/* ---- start and stop ---- */

static void set_needs_reset(struct vdev_virtio *dev)
{
	if (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK) /* 2.1.2 */
		vdev_virtio_irq_config(dev);
}

static int start(struct vdev_virtio *dev)
{
	int err = 0;

	for (unsigned i = 0; i < dev->queues && !err; i++)
		if (dev->queue[i].enabled)
			err = vdev_virtq_start(&dev->queue[i].vq);
	if (!err && dev->type->start)
		err = dev->type->start(dev);
	if (err < 0)
		return err;
	dev->running = true;
	vdev_virtio_pci_notify_on(dev);
	call_queues(dev, listen_here);
	return 0;
}

static void stop(struct vdev_virtio *dev)
{
	if (!dev->running)
		return;
	vdev_virtio_pci_notify_off(dev);
	call_queues(dev, leave_here);
	if (dev->type->stop)
		dev->type->stop(dev);
	dev->running = false;
}

static void follow(struct vdev_virtio *dev)
{
	bool run = (dev->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
		   !(dev->status & VIRTIO_CONFIG_S_NEEDS_RESET) && !dev->quiet;

	if (!run)
		stop(dev);
	else if (!dev->running && start(dev) < 0)
		set_needs_reset(dev);
}

/* ---- what any thread may ask ---- */

static void wake(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n; /* full means that it is awake */
}

void vdev_virtio_config_changed(struct vdev_virtio *dev)
{
	atomic_fetch_add(&dev->generation, 1);
	atomic_store(&dev->config_dirty, true);
	wake(dev->change.fd);
}

void vdev_virtio_needs_reset(struct vdev_virtio *dev)
{
	atomic_store(&dev->broken, true);
	wake(dev->change.fd);
}

void vdev_virtio_kick_self(struct vdev_virtio *dev, unsigned queue)
{
	wake(dev->queue[queue].kick_fd);
}

static void queue_broken(void *opaque)
{
	vdev_virtio_needs_reset(opaque);
}

/* What was asked becomes so. */
static void settle(struct vdev_virtio *dev)
{
	uint64_t count;
	ssize_t n = read(dev->change.fd, &count, sizeof(count));

	(void)n; /* the two flags tell, not the count */
	if (atomic_exchange(&dev->broken, false)) {
		set_needs_reset(dev);
		follow(dev);
	}
	if (atomic_exchange(&dev->config_dirty, false) && (dev->status & VIRTIO_CONFIG_S_DRIVER_OK))
		vdev_virtio_irq_config(dev);
}

static void on_change(void *opaque, uint32_t events)
{
	struct vdev_virtio *dev = opaque;

	(void)events;
	hv_device_lock(dev->vm);
	settle(dev);
	hv_device_unlock(dev->vm);
}

/* ---- the driver's side ---- */

static void reset_queue(struct vdev_virtio_queue *queue)
{
	uint64_t count;
	ssize_t n = read(queue->kick_fd, &count, sizeof(count)); /* a kick for nobody */

	(void)n;
	vdev_virtq_reset(&queue->vq);
	queue->vq.size = queue->dev->queue_max;
	queue->enabled = false;
	queue->vector = VIRTIO_MSI_NO_VECTOR;
}

void vdev_virtio_reset(struct vdev_virtio *dev)
{
	stop(dev);
	if (dev->type->reset)
		dev->type->reset(dev);
	for (unsigned i = 0; i < dev->queues; i++)
		reset_queue(&dev->queue[i]);
	dev->status = 0;
	dev->features = 0;
	dev->device_select = dev->driver_select = dev->queue_select = 0;
	atomic_store(&dev->broken, false);
	atomic_store(&dev->config_dirty, false);
	vdev_virtio_irq_reset(dev);
}

/* 3.1.1, steps 5 and 6: FEATURES_OK stays only where we can live with the choice. */
static bool features_valid(const struct vdev_virtio *dev)
{
	return !(dev->features & ~dev->offered) && vdev_virtio_has(dev, VIRTIO_F_VERSION_1);
}

void vdev_virtio_set_status(struct vdev_virtio *dev, uint8_t value)
{
	uint8_t added = (uint8_t)(value & DRIVER_BITS & ~dev->status);

	if (!value) {
		vdev_virtio_reset(dev);
		return;
	}
	if ((added & VIRTIO_CONFIG_S_FEATURES_OK) && !features_valid(dev))
		added &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((dev->status | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	dev->status |= added; /* 2.1.1: a driver clears no bit */
	follow(dev);
}

static void agree(const struct vdev_virtio *dev, struct vdev_virtq *q)
{
	q->packed = vdev_virtio_has(dev, VIRTIO_F_RING_PACKED);
	q->event_idx = vdev_virtio_has(dev, VIRTIO_RING_F_EVENT_IDX);
	q->indirect = vdev_virtio_has(dev, VIRTIO_RING_F_INDIRECT_DESC);
}

void vdev_virtio_enable_queue(struct vdev_virtio *dev, struct vdev_virtio_queue *queue)
{
	bool running = dev->running;

	if (queue->enabled || !(dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	/* After DRIVER_OK only a queue that was reset may come back: 4.1.4.3.2. */
	if ((dev->status & VIRTIO_CONFIG_S_DRIVER_OK) && !vdev_virtio_has(dev, VIRTIO_F_RING_RESET))
		return;
	agree(dev, &queue->vq);
	if (!vdev_virtq_size_valid(&queue->vq, dev->queue_max))
		return; /* the driver reads it back as not enabled */
	if (running)
		stop(dev);
	queue->enabled = true;
	vdev_virtio_irq_aim(dev);
	follow(dev);
}

void vdev_virtio_reset_queue(struct vdev_virtio *dev, struct vdev_virtio_queue *queue)
{
	uint16_t vector = queue->vector;

	if (!vdev_virtio_has(dev, VIRTIO_F_RING_RESET) || !queue->enabled)
		return;
	stop(dev);
	if (dev->type->queue_reset)
		dev->type->queue_reset(dev, queue->vq.index);
	reset_queue(queue);
	queue->vector = vector;
	follow(dev);
}

/* ---- the VM's life ---- */

int vdev_virtio_quiesce(struct vdev_function *fn)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);

	dev->quiet = true;
	follow(dev);
	settle(dev);
	vdev_virtio_irq_settle(dev);
	return 0;
}

void vdev_virtio_resume(struct vdev_function *fn)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);

	dev->quiet = false;
	follow(dev);
}

const char *vdev_virtio_unsavable(const struct vdev_function *fn)
{
	const struct vdev_virtio *dev = container_of(fn, const struct vdev_virtio, fn);

	return dev->type->unsavable ? dev->type->unsavable(dev) : NULL;
}

void vdev_virtio_save(struct vdev_function *fn, struct state *s)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);

	state_put(s, "offered", dev->offered);
	state_put(s, "features", dev->features);
	state_put(s, "status", dev->status);
	state_put(s, "device_select", dev->device_select);
	state_put(s, "driver_select", dev->driver_select);
	state_put(s, "queue_select", dev->queue_select);
	state_put(s, "generation", atomic_load(&dev->generation));
	vdev_virtio_irq_save(dev, state_child(s, "irq"));
	for (unsigned i = 0; i < dev->queues; i++) {
		struct state *part = state_item(s, "queue", i);

		state_put(part, "enabled", dev->queue[i].enabled);
		state_put(part, "vector", dev->queue[i].vector);
		vdev_virtq_save(&dev->queue[i].vq, part);
	}
	if (dev->type->save)
		dev->type->save(dev, state_child(s, "device"));
}

static void load_queue(struct vdev_virtio_queue *queue, struct state *s)
{
	struct vdev_virtio *dev = queue->dev;

	queue->enabled = state_take(s, "enabled", 1);
	queue->vector = (uint16_t)state_take(s, "vector", UINT16_MAX);
	vdev_virtq_load(&queue->vq, s);
	agree(dev, &queue->vq);
	if (!state_error(s) && queue->enabled && !vdev_virtq_size_valid(&queue->vq, dev->queue_max))
		state_refuse(s, -EINVAL, "a queue has a size that was never offered");
}

int vdev_virtio_load(struct vdev_function *fn, struct state *s)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);

	dev->quiet = true;
	if (state_take(s, "offered", UINT64_MAX) != dev->offered && !state_error(s))
		state_refuse(s, -EINVAL, "the device offers other features than the saved one");
	dev->features = state_take(s, "features", UINT64_MAX);
	dev->status = (uint8_t)state_take(s, "status", UINT8_MAX);
	dev->device_select = (uint32_t)state_take(s, "device_select", UINT32_MAX);
	dev->driver_select = (uint32_t)state_take(s, "driver_select", UINT32_MAX);
	dev->queue_select = (uint16_t)state_take(s, "queue_select", UINT16_MAX);
	atomic_store(&dev->generation, (uint8_t)state_take(s, "generation", UINT8_MAX));
	if (!state_error(s) && (dev->features & ~dev->offered))
		state_refuse(s, -EINVAL, "the driver took features that were never offered");
	for (unsigned i = 0; i < dev->queues; i++)
		load_queue(&dev->queue[i], state_open_item(s, "queue", i));
	if (dev->type->load)
		dev->type->load(dev, state_open(s, "device"));
	vdev_virtio_irq_load(dev, state_open(s, "irq"));
	return state_error(s);
}

/* ---- creation ---- */

static int init_queues(struct vdev_virtio *dev, const struct vdev_virtio_config *config)
{
	dev->queue = calloc(config->queues, sizeof(*dev->queue));
	if (!dev->queue)
		return -ENOMEM;
	for (unsigned i = 0; i < config->queues; i++) {
		struct vdev_virtio_queue *queue = &dev->queue[i];

		queue->dev = dev;
		queue->thread = config->thread;
		queue->vq.vm = dev->vm;
		queue->vq.name = config->name;
		queue->vq.index = i;
		queue->vq.broken = queue_broken;
		queue->vq.opaque = dev;
		atomic_store(&queue->vq.call_fd, -1);
		queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		dev->queues++;
		if (queue->kick_fd < 0)
			return -errno;
		reset_queue(queue);
	}
	return 0;
}

int vdev_virtio_init(struct vdev_virtio *dev, const struct vdev_virtio_config *config)
{
	*dev = (struct vdev_virtio){
		.fn = {.name = config->name, .ops = &vdev_virtio_function_ops},
		.type = config->type,
		.vm = config->vm,
		.loop = config->loop,
		.offered = config->features | RING_FEATURES,
		.queue_max = config->queue_max,
		.config_vector = VIRTIO_MSI_NO_VECTOR,
		.intx.fd = -1,
		.change.fd = -1,
	};
	int err = init_queues(dev, config);

	if (!err)
		err = vdev_virtio_pci_init(dev);
	if (!err) {
		dev->change.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = dev->change.fd < 0 ? -errno
					 : loop_add(dev->loop, dev->change.fd, EPOLLIN, on_change,
						    dev, &dev->change.source);
	}
	if (err < 0) {
		vdev_virtio_finish(dev);
		return log_fail(err, config->name, "not created: %s", strerror(-err));
	}
	return 0;
}

void vdev_virtio_finish(struct vdev_virtio *dev)
{
	if (!dev->type)
		return;
	vdev_virtio_pci_finish(dev);
	loop_remove(dev->change.source);
	io_close(&dev->change.fd);
	for (unsigned i = 0; i < dev->queues; i++)
		io_close(&dev->queue[i].kick_fd);
	free(dev->queue);
	*dev = (struct vdev_virtio){0};
}

void vdev_virtio_set_thread(struct vdev_virtio *dev, unsigned queue, struct vdev_iothread *thread)
{
	dev->queue[queue].thread = thread;
}
