/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_irq: a device's interrupts on their way to the guest.
 *
 * The registers decide which of MSI-X, MSI and INTx is in use; vdev_vfio_irq_update makes it so.
 *
 * MSI and MSI-X. Each vector has one eventfd, known to VFIO and to the engine. A vector is set up
 * when the guest first unmasks it. Masking only detaches it from the guest: that costs no call into
 * VFIO, and what comes in stays in the eventfd. When the guest turns MSI-X on with every vector
 * masked, one vector without eventfd is enabled, because the device must see its enable bit (VF
 * drivers and their PF wait for it). Kernels before 6.5 cannot add vectors one by one
 * (VFIO_IRQ_INFO_NORESIZE); there the set is turned off and on again with one more.
 *
 * INTx. VFIO masks the line when it fires and tells us; we raise the guest's line, and when the
 * guest ends the interrupt, lower it and let VFIO unmask. If the device still asks, it fires again.
 * Where the I/O APIC is the engine's, both ways are an eventfd from VFIO to the engine and back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/vfio.h"

#define TO_EVENTFD (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define TURN_OFF   (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)
#define UNMASK	   (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK)
#define UNMASK_BY  (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK)

/* VFIO_DEVICE_SET_IRQS; `fds` has `count` entries, or is NULL. */
static int set_irqs(struct vdev_vfio *dev, unsigned index, uint32_t flags, unsigned start,
		    unsigned count, const int32_t *fds)
{
	size_t size = sizeof(struct vfio_irq_set) + (fds ? count * sizeof(*fds) : 0);
	struct vfio_irq_set *set;
	int err;

	if (dev->fd < 0)
		return 0; /* the kernel turned them off when the host took the device */
	set = calloc(1, size);
	if (!set)
		return -ENOMEM;
	*set = (struct vfio_irq_set){.argsz = (uint32_t)size,
				     .flags = flags,
				     .index = index,
				     .start = start,
				     .count = count};
	if (fds)
		memcpy(set->data, fds, count * sizeof(*fds));
	err = ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, set) < 0 ? -errno : 0;
	free(set);
	return err;
}

static void turn_off(struct vdev_vfio *dev, unsigned index)
{
	int err = set_irqs(dev, index, TURN_OFF, 0, 0, NULL);

	if (err < 0)
		log_warn(dev->name, "its interrupts cannot be turned off: %s", strerror(-err));
}

/* ---- vectors ---- */

static unsigned vfio_index(const struct vdev_vfio *dev)
{
	return dev->mode == VDEV_VFIO_MSI ? VFIO_PCI_MSI_IRQ_INDEX : VFIO_PCI_MSIX_IRQ_INDEX;
}

bool vdev_vfio_irq_masked(const struct vdev_vfio *dev, unsigned v)
{
	if (dev->mode == VDEV_VFIO_MSI)
		return vdev_msi_masked(&dev->msi, &dev->fn.config, v);
	return vdev_msix_masked(&dev->msix, &dev->fn.config, v);
}

static struct hv_msi message(const struct vdev_vfio *dev, unsigned v)
{
	return dev->mode == VDEV_VFIO_MSI ? vdev_msi_message(&dev->msi, &dev->fn.config, v)
					  : vdev_msix_message(&dev->msix, v);
}

static bool is_silent(const struct vdev_vfio *dev, unsigned v)
{
	struct hv_msi msi = message(dev, v);

	return vdev_vfio_irq_masked(dev, v) || !vdev_vector_reaches_cpu(&msi);
}

/* The guest's side up to the route; true when a commit is needed. */
static bool prepare(struct vdev_vfio *dev, unsigned v)
{
	struct vdev_vector *vector = &dev->vector[v];
	struct hv_msi msi = message(dev, v);

	if (is_silent(dev, v)) {
		vdev_vector_detach(dev->vm, vector);
		return false;
	}
	if (vdev_vector_open(dev->vm, vector) < 0)
		return false;
	return vdev_vector_aim(dev->vm, vector, &msi);
}

/* Enables vectors 0..count-1 on the device, each with the eventfd it has, if any. */
static void host_start(struct vdev_vfio *dev, unsigned count)
{
	int32_t *fds = calloc(count, sizeof(*fds));
	int err = fds ? 0 : -ENOMEM;

	for (unsigned v = 0; v < count && fds; v++) {
		fds[v] = dev->vector[v].eventfd;
		dev->vector[v].host = fds[v] >= 0;
	}
	if (!err)
		err = set_irqs(dev, vfio_index(dev), TO_EVENTFD, 0, count, fds);
	free(fds);
	dev->host_vectors = err < 0 ? 0 : count;
	for (unsigned v = 0; v < count && err < 0; v++)
		dev->vector[v].host = false;
	if (err < 0)
		log_error(dev->name, "no interrupts: %u vectors cannot be enabled: %s", count,
			  strerror(-err));
}

static void host_add(struct vdev_vfio *dev, unsigned v)
{
	unsigned index = vfio_index(dev);
	int32_t fd = dev->vector[v].eventfd;

	if (v >= dev->host_vectors && (dev->irq_flags[index] & VFIO_IRQ_INFO_NORESIZE)) {
		if (dev->host_vectors)
			turn_off(dev, index);
		host_start(dev, v + 1);
		return;
	}
	int err = set_irqs(dev, index, TO_EVENTFD, v, 1, &fd);

	if (err < 0) {
		log_error(dev->name, "vector %u stays silent: %s", v, strerror(-err));
		return;
	}
	dev->vector[v].host = true;
	dev->host_vectors = MAX(dev->host_vectors, v + 1);
}

static void connect_vector(struct vdev_vfio *dev, unsigned v)
{
	struct vdev_vector *vector = &dev->vector[v];

	if (vector->route < 0 || is_silent(dev, v))
		return;
	if (!vector->host)
		host_add(dev, v);
	int err = vdev_vector_attach(dev->vm, vector);

	if (err < 0)
		log_error(dev->name, "vector %u cannot reach the guest: %s", v, strerror(-err));
}

/* MSI has no way to add vectors later: all are enabled at once. */
static unsigned first_count(const struct vdev_vfio *dev)
{
	unsigned count = dev->mode == VDEV_VFIO_MSI ? dev->vectors : 1;

	for (unsigned v = 0; v < dev->vectors; v++)
		if (dev->vector[v].eventfd >= 0)
			count = MAX(count, v + 1);
	return count;
}

/* Routes first, in one commit; then the device's side; then the eventfds into the guest. */
static void sync_vectors(struct vdev_vfio *dev, unsigned first, unsigned last)
{
	bool commit = false;

	for (unsigned v = first; v <= last; v++)
		commit |= prepare(dev, v);
	if (commit) {
		int err = hv_route_commit(dev->vm);

		if (err < 0)
			log_error(dev->name, "interrupt routes refused: %s", strerror(-err));
	}
	if (!dev->host_vectors)
		host_start(dev, first_count(dev));
	for (unsigned v = first; v <= last; v++)
		connect_vector(dev, v);
}

static int enter_vectors(struct vdev_vfio *dev, unsigned count)
{
	dev->vector = calloc(count, sizeof(*dev->vector));
	if (!dev->vector)
		return -ENOMEM;
	dev->vectors = count;
	for (unsigned v = 0; v < count; v++) {
		dev->vector[v] = VDEV_VECTOR_NONE;
		/* a masked vector of MSI, too, needs its eventfd now */
		if (dev->mode == VDEV_VFIO_MSI)
			vdev_vector_open(dev->vm, &dev->vector[v]);
	}
	sync_vectors(dev, 0, count - 1);
	return 0;
}

static void leave_vectors(struct vdev_vfio *dev)
{
	if (dev->host_vectors)
		turn_off(dev, vfio_index(dev));
	for (unsigned v = 0; v < dev->vectors; v++)
		vdev_vector_close(dev->vm, &dev->vector[v]);
	hv_route_commit(dev->vm);
	free(dev->vector);
	dev->vector = NULL;
	dev->vectors = dev->host_vectors = 0;
}

/* ---- eventfds that come to us ---- */

static bool take_event(struct vdev_vfio_event *event)
{
	uint64_t count;

	return event->fd >= 0 && read(event->fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static void close_event(struct vdev_vfio_event *event)
{
	loop_remove(event->source);
	event->source = NULL;
	io_close(&event->fd);
}

static int open_event(struct vdev_vfio *dev, unsigned index, struct vdev_vfio_event *event,
		      loop_fn fn)
{
	int err;

	event->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event->fd < 0)
		return -errno;
	err = loop_add(dev->loop, event->fd, EPOLLIN, fn, dev, &event->source);
	int32_t fd = event->fd;

	if (!err)
		err = set_irqs(dev, index, TO_EVENTFD, 0, 1, &fd);
	if (err < 0)
		close_event(event);
	return err;
}

/* ---- INTx ---- */

static void on_intx(void *opaque, uint32_t events)
{
	struct vdev_vfio *dev = opaque;

	(void)events;
	hv_device_lock(dev->vm);
	if (take_event(&dev->intx)) {
		dev->intx_count++;
		vdev_host_intx_set(&dev->fn, true);
	}
	hv_device_unlock(dev->vm);
}

/* -ENOTSUP: the I/O APIC is ours. */
static int short_cut(struct vdev_vfio *dev)
{
	unsigned gsi = vdev_host_function_gsi(&dev->fn);
	int err;

	dev->intx.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dev->intx_ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = dev->intx.fd < 0 || dev->intx_ended < 0
		      ? -errno
		      : hv_irq_attach(dev->vm, gsi, dev->intx.fd, dev->intx_ended);
	if (err < 0) {
		io_close(&dev->intx.fd);
		io_close(&dev->intx_ended);
		return err;
	}
	int32_t trigger = dev->intx.fd, ended = dev->intx_ended;
	err = set_irqs(dev, VFIO_PCI_INTX_IRQ_INDEX, TO_EVENTFD, 0, 1, &trigger);
	if (!err)
		err = set_irqs(dev, VFIO_PCI_INTX_IRQ_INDEX, UNMASK_BY, 0, 1, &ended);
	return err;
}

static int enter_intx(struct vdev_vfio *dev)
{
	int err = short_cut(dev);

	return err == -ENOTSUP ? open_event(dev, VFIO_PCI_INTX_IRQ_INDEX, &dev->intx, on_intx)
			       : err;
}

void vdev_vfio_irq_eoi(struct vdev_function *fn)
{
	struct vdev_vfio *dev = container_of(fn, struct vdev_vfio, fn);

	vdev_host_intx_set(fn, false);
	int err = set_irqs(dev, VFIO_PCI_INTX_IRQ_INDEX, UNMASK, 0, 1, NULL);

	if (err < 0)
		log_error(dev->name, "INTx cannot be unmasked: %s", strerror(-err));
}

static void leave_intx(struct vdev_vfio *dev)
{
	turn_off(dev, VFIO_PCI_INTX_IRQ_INDEX);
	if (dev->intx_ended >= 0)
		hv_irq_detach(dev->vm, vdev_host_function_gsi(&dev->fn), dev->intx.fd,
			      dev->intx_ended);
	io_close(&dev->intx_ended);
	close_event(&dev->intx);
	vdev_host_intx_set(&dev->fn, false);
}

/* ---- which of them ---- */

static enum vdev_vfio_mode wanted_mode(const struct vdev_vfio *dev)
{
	const struct vdev_config *c = &dev->fn.config;
	uint32_t command = vdev_config_get(c, PCI_COMMAND, 2);

	if (dev->fd < 0)
		return VDEV_VFIO_NONE;
	if (vdev_msix_enabled(&dev->msix, c))
		return VDEV_VFIO_MSIX;
	if (vdev_msi_enabled(&dev->msi, c))
		return VDEV_VFIO_MSI;
	/* a device that no driver has turned on has nothing to say */
	if (c->data[PCI_INTERRUPT_PIN] && (command & PCI_COMMAND_MEMORY) &&
	    !(command & PCI_COMMAND_INTX_DISABLE))
		return VDEV_VFIO_INTX;
	return VDEV_VFIO_NONE;
}

static void enter(struct vdev_vfio *dev, enum vdev_vfio_mode mode)
{
	int err = 0;

	dev->mode = mode;
	if (mode == VDEV_VFIO_MSIX)
		err = enter_vectors(dev, dev->msix.count);
	else if (mode == VDEV_VFIO_MSI)
		err = enter_vectors(dev, vdev_msi_vectors(&dev->msi, &dev->fn.config));
	else if (mode == VDEV_VFIO_INTX)
		err = enter_intx(dev);
	if (err < 0) {
		log_error(dev->name, "no interrupts: %s", strerror(-err));
		if (mode == VDEV_VFIO_INTX)
			leave_intx(dev);
		dev->mode = VDEV_VFIO_NONE;
	}
}

void vdev_vfio_irq_off(struct vdev_vfio *dev)
{
	if (dev->mode == VDEV_VFIO_INTX)
		leave_intx(dev);
	else if (dev->mode != VDEV_VFIO_NONE)
		leave_vectors(dev);
	dev->mode = VDEV_VFIO_NONE;
}

void vdev_vfio_irq_update(struct vdev_vfio *dev)
{
	enum vdev_vfio_mode mode = wanted_mode(dev);
	bool resized = mode == VDEV_VFIO_MSI && dev->mode == mode &&
		       dev->vectors != vdev_msi_vectors(&dev->msi, &dev->fn.config);

	if (mode != dev->mode || resized) {
		vdev_vfio_irq_off(dev);
		enter(dev, mode);
	} else if (dev->vectors) {
		sync_vectors(dev, 0, dev->vectors - 1);
	}
}

void vdev_vfio_irq_vectors(struct vdev_vfio *dev, unsigned first, unsigned last)
{
	if (dev->mode == VDEV_VFIO_MSIX)
		sync_vectors(dev, first, last);
}

/* ---- error and request ---- */

static void on_error(void *opaque, uint32_t events)
{
	struct vdev_vfio *dev = opaque;

	(void)events;
	hv_device_lock(dev->vm);
	if (take_event(&dev->error)) {
		log_error(dev->name, "the device reported an uncorrectable error; the VM is ended");
		hv_vm_end(dev->vm, HV_END_DEVICE);
	}
	hv_device_unlock(dev->vm);
}

static void on_request(void *opaque, uint32_t events)
{
	struct vdev_vfio *dev = opaque;

	(void)events;
	hv_device_lock(dev->vm);
	if (take_event(&dev->request)) {
		log_warn(dev->name, "the host takes it back; the guest loses it now");
		vdev_vfio_remove(dev);
	}
	hv_device_unlock(dev->vm);
}

void vdev_vfio_irq_info(struct vdev_vfio *dev)
{
	for (unsigned i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		struct vfio_irq_info info = {.argsz = sizeof(info), .index = i};

		/* kernels without the error or request interrupt answer EINVAL */
		if (ioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
			continue;
		dev->irq_flags[i] = info.flags;
		if (info.flags & VFIO_IRQ_INFO_EVENTFD)
			dev->irq_count[i] = info.count;
	}
}

int vdev_vfio_irq_watch(struct vdev_vfio *dev)
{
	int err = 0;

	if (dev->irq_count[VFIO_PCI_ERR_IRQ_INDEX])
		err = open_event(dev, VFIO_PCI_ERR_IRQ_INDEX, &dev->error, on_error);
	if (!err && dev->irq_count[VFIO_PCI_REQ_IRQ_INDEX])
		err = open_event(dev, VFIO_PCI_REQ_IRQ_INDEX, &dev->request, on_request);
	if (err < 0)
		return log_fail(err, dev->name, "its error or request interrupt is refused: %s",
				strerror(-err));
	return 0;
}

void vdev_vfio_irq_finish(struct vdev_vfio *dev)
{
	vdev_vfio_irq_off(dev);
	if (dev->error.fd >= 0)
		turn_off(dev, VFIO_PCI_ERR_IRQ_INDEX);
	if (dev->request.fd >= 0)
		turn_off(dev, VFIO_PCI_REQ_IRQ_INDEX);
	close_event(&dev->error);
	close_event(&dev->request);
}
