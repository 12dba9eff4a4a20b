/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_irq: a device's interrupts (virtio 1.2, 4.1.4.5, 4.1.5.1.2, 4.1.5.3 and 4.1.5.4).
 *
 * Every vector of the MSI-X table has an eventfd that lives as long as the device, so that an I/O
 * thread (or vhost, in the kernel) signals it whenever it likes, and never asks who listens. While
 * the vector is usable the engine does; masked, the count stays in the eventfd, which is the
 * pending bit. Without MSI-X queues signal one more eventfd, and the main loop drives the INTx line
 * from it: it can take the device lock, which an I/O thread cannot.
 */
#include <errno.h>
#include <linux/virtio_pci.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/virtio.h"

#define ISR_QUEUE  1u
#define ISR_CONFIG 2u

/* ---- INTx ---- */

static void follow_line(struct vdev_virtio *dev)
{
	struct vdev_config *c = &dev->fn.config;
	bool wanted = dev->isr && !vdev_msix_enabled(&dev->msix, c);

	/* Interrupt Status tells also while the command register disables the line: 7.5.1.1.4. */
	if (wanted)
		c->data[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	else
		c->data[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
	if (vdev_config_get(c, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE)
		wanted = false;
	if (dev->fn.bridge)
		vdev_host_intx_set(&dev->fn, wanted);
}

void vdev_virtio_irq_settle(struct vdev_virtio *dev)
{
	uint64_t count;

	if (read(dev->intx.fd, &count, sizeof(count)) != sizeof(count))
		return;
	dev->isr |= ISR_QUEUE;
	follow_line(dev);
}

static void on_intx(void *opaque, uint32_t events)
{
	struct vdev_virtio *dev = opaque;

	(void)events;
	hv_device_lock(dev->vm);
	vdev_virtio_irq_settle(dev);
	hv_device_unlock(dev->vm);
}

uint8_t vdev_virtio_irq_take_isr(struct vdev_virtio *dev)
{
	uint8_t isr = dev->isr;

	dev->isr = 0;
	follow_line(dev);
	return isr;
}

/* ---- MSI-X ---- */

static bool usable(const struct vdev_virtio *dev, unsigned v)
{
	struct hv_msi msi = vdev_msix_message(&dev->msix, v);

	return vdev_msix_enabled(&dev->msix, &dev->fn.config) &&
	       !vdev_msix_masked(&dev->msix, &dev->fn.config, v) && vdev_vector_reaches_cpu(&msi);
}

/* Routes first, in one commit; then the eventfds. */
static void sync_vectors(struct vdev_virtio *dev, unsigned first, unsigned last)
{
	bool commit = false;

	for (unsigned v = first; v <= last; v++) {
		struct hv_msi msi = vdev_msix_message(&dev->msix, v);

		if (!usable(dev, v))
			vdev_vector_detach(dev->vm, &dev->vector[v]);
		else if (!vdev_vector_open(dev->vm, &dev->vector[v]))
			commit |= vdev_vector_aim(dev->vm, &dev->vector[v], &msi);
	}
	if (commit && hv_route_commit(dev->vm) < 0)
		return;
	for (unsigned v = first; v <= last; v++)
		if (usable(dev, v) && dev->vector[v].route >= 0)
			vdev_vector_attach(dev->vm, &dev->vector[v]);
}

void vdev_virtio_irq_table_write(struct vdev_virtio *dev, uint64_t offset, const void *data,
				 unsigned len)
{
	unsigned last, first = vdev_msix_write(&dev->msix, offset, data, len, &last);

	sync_vectors(dev, first, last);
}

bool vdev_virtio_irq_pending(const struct vdev_virtio *dev, unsigned v)
{
	struct pollfd ask = {.fd = dev->vector[v].eventfd, .events = POLLIN};

	return !dev->vector[v].attached && poll(&ask, 1, 0) == 1;
}

/* ---- who signals what ---- */

static int call_fd(const struct vdev_virtio *dev, uint16_t vector)
{
	if (!vdev_msix_enabled(&dev->msix, &dev->fn.config))
		return dev->intx.fd;
	return vector < dev->msix.count ? dev->vector[vector].eventfd : -1;
}

void vdev_virtio_irq_aim(struct vdev_virtio *dev)
{
	for (unsigned i = 0; i < dev->queues; i++) {
		struct vdev_virtio_queue *queue = &dev->queue[i];
		int fd = call_fd(dev, queue->vector);

		if (atomic_exchange(&queue->vq.call_fd, fd) != fd && dev->running &&
		    queue->enabled && dev->type->call_changed)
			dev->type->call_changed(dev, i);
	}
}

void vdev_virtio_irq_config(struct vdev_virtio *dev)
{
	uint64_t one = 1;

	if (vdev_msix_enabled(&dev->msix, &dev->fn.config)) {
		int fd = call_fd(dev, dev->config_vector);
		ssize_t n = fd < 0 ? 0 : write(fd, &one, sizeof(one));

		(void)n; /* full means that it is pending */
		return;
	}
	dev->isr |= ISR_CONFIG;
	follow_line(dev);
}

void vdev_virtio_irq_update(struct vdev_virtio *dev)
{
	sync_vectors(dev, 0, dev->msix.count - 1);
	vdev_virtio_irq_aim(dev);
	follow_line(dev);
}

/* ---- life ---- */

/* Pending bits are counts in eventfds, and become one byte per vector. */
void vdev_virtio_irq_save(struct vdev_virtio *dev, struct state *s)
{
	uint8_t pending[VDEV_VIRTIO_QUEUES + 1] = {0};

	for (unsigned v = 0; v < dev->msix.count; v++)
		pending[v] = vdev_virtio_irq_pending(dev, v);
	state_put(s, "config_vector", dev->config_vector);
	state_put(s, "isr", dev->isr);
	state_put_bytes(s, "pending", pending, dev->msix.count);
	vdev_msix_save(&dev->msix, state_child(s, "msix"));
}

void vdev_virtio_irq_load(struct vdev_virtio *dev, struct state *s)
{
	uint8_t pending[VDEV_VIRTIO_QUEUES + 1] = {0};
	uint64_t one = 1;

	dev->config_vector = (uint16_t)state_take(s, "config_vector", UINT16_MAX);
	dev->isr = (uint8_t)state_take(s, "isr", ISR_QUEUE | ISR_CONFIG);
	state_take_bytes(s, "pending", pending, dev->msix.count);
	vdev_msix_load(&dev->msix, state_open(s, "msix"));
	if (state_error(s))
		return;
	for (unsigned v = 0; v < dev->msix.count; v++) {
		ssize_t n = pending[v] ? write(dev->vector[v].eventfd, &one, sizeof(one)) : 0;

		(void)n; /* an empty counter takes it */
	}
	vdev_virtio_irq_update(dev);
}

static void drain(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));

	(void)n;
}

void vdev_virtio_irq_reset(struct vdev_virtio *dev)
{
	dev->config_vector = VIRTIO_MSI_NO_VECTOR;
	dev->isr = 0;
	drain(dev->intx.fd);
	for (unsigned v = 0; v < dev->msix.count; v++)
		if (!dev->vector[v].attached)
			drain(dev->vector[v].eventfd);
	vdev_virtio_irq_aim(dev);
	follow_line(dev);
}

int vdev_virtio_irq_init(struct vdev_virtio *dev, unsigned cap)
{
	int err = vdev_msix_init(&dev->msix, &dev->fn.config, cap);

	if (!err && !(dev->vector = calloc(dev->msix.count, sizeof(*dev->vector))))
		err = -ENOMEM;
	for (unsigned v = 0; v < dev->msix.count && dev->vector; v++)
		dev->vector[v] = VDEV_VECTOR_NONE;
	for (unsigned v = 0; v < dev->msix.count && !err; v++) {
		dev->vector[v].eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = dev->vector[v].eventfd < 0 ? -errno : 0;
	}
	if (!err) {
		dev->intx.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = dev->intx.fd < 0 ? -errno
				       : loop_add(dev->loop, dev->intx.fd, EPOLLIN, on_intx, dev,
						  &dev->intx.source);
	}
	if (!err)
		vdev_virtio_irq_aim(dev);
	return err;
}

void vdev_virtio_irq_finish(struct vdev_virtio *dev)
{
	dev->isr = 0;
	follow_line(dev);
	for (unsigned v = 0; v < dev->msix.count && dev->vector; v++)
		vdev_vector_close(dev->vm, &dev->vector[v]);
	if (dev->vector)
		hv_route_commit(dev->vm);
	free(dev->vector);
	dev->vector = NULL;
	loop_remove(dev->intx.source);
	io_close(&dev->intx.fd);
	vdev_msix_finish(&dev->msix);
}
