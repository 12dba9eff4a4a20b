/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_pci: the life of a passed-through device: description, reset, registers, BARs, interrupts;
 * and the same backwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/vfio.h"

static void reset_function(struct vdev_function *fn)
{
	vdev_vfio_reset(container_of(fn, struct vdev_vfio, fn));
}

static void destroy_function(struct vdev_function *fn)
{
	vdev_vfio_destroy(container_of(fn, struct vdev_vfio, fn));
}

static const char *unsavable(const struct vdev_function *fn)
{
	(void)fn;
	return "it is a device of the host, whose state only its own driver knows; detach it first "
	       "(vm save --detach-vfs)";
}

static const struct vdev_function_ops vfio_ops = {
	.config_read = vdev_vfio_config_read,
	.config_write = vdev_vfio_config_write,
	.bar_map = vdev_vfio_bar_map,
	.bar_unmap = vdev_vfio_bar_unmap,
	.intx_eoi = vdev_vfio_irq_eoi,
	.reset = reset_function,
	.destroy = destroy_function,
	.unsavable = unsavable,
};

struct vdev_vfio *vdev_vfio_of(struct vdev_function *fn)
{
	return fn->ops == &vfio_ops ? container_of(fn, struct vdev_vfio, fn) : NULL;
}

static int describe(struct vdev_vfio *dev)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};

	if (ioctl(dev->fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return log_fail(-errno, dev->name, "VFIO does not describe it: %s",
				strerror(errno));
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) ||
	    info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
		return log_fail(-ENOTSUP, dev->name, "is not a PCI device of VFIO");
	dev->flags = info.flags;
	if (!(info.flags & VFIO_DEVICE_FLAGS_RESET))
		log_warn(dev->name,
			 "has no reset of its own: the guest sees the state its last user "
			 "left, and leaves its own behind");
	vdev_vfio_irq_info(dev);
	return vdev_vfio_region_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &dev->config);
}

static int set_up(struct vdev_vfio *dev)
{
	int err = describe(dev);

	if (err < 0)
		return err;
	vdev_vfio_config_command(dev, 0); /* the rest was reset when it was opened */
	err = vdev_vfio_config_build(dev);
	if (!err)
		err = vdev_vfio_regions_init(dev);
	if (!err)
		err = vdev_vfio_irq_watch(dev);
	if (!err)
		vdev_vfio_clear(dev); /* its last owner may have been killed */
	return err;
}

int vdev_vfio_create(struct hv_vm *vm, struct loop *loop, struct iommu_domain *domain,
		     const struct vdev_vfio_config *config, struct vdev_vfio **out)
{
	struct vdev_vfio *dev = calloc(1, sizeof(*dev));
	int fd = config->device_fd;
	int err;

	if (dev)
		dev->name = strdup(config->name);
	if (!dev || !dev->name) {
		free(dev);
		io_close(&fd);
		return log_fail(-ENOMEM, config->name, "no memory for it");
	}
	dev->fn.name = dev->name;
	dev->fn.ops = &vfio_ops;
	dev->vm = vm;
	dev->loop = loop;
	dev->domain = domain;
	dev->host = config->host;
	dev->fd = fd;
	dev->intx.fd = dev->error.fd = dev->request.fd = dev->intx_ended = -1;
	err = set_up(dev);
	if (err < 0) {
		vdev_vfio_destroy(dev);
		return err;
	}
	*out = dev;
	return 0;
}

void vdev_vfio_destroy(struct vdev_vfio *dev)
{
	if (!dev)
		return;
	vdev_vfio_remove(dev);
	vdev_msix_finish(&dev->msix);
	free(dev->name);
	free(dev);
}

static void fill_vectors(const struct vdev_vfio *dev, struct vdev_vfio_stat *out)
{
	out->vectors = MIN(dev->vectors, (unsigned)ARRAY_SIZE(out->vector));
	for (unsigned v = 0; v < out->vectors; v++)
		out->vector[v] = (struct vdev_vector_stat){
			.vector = v,
			.masked = vdev_vfio_irq_masked(dev, v),
			.route = dev->vector[v].route,
			.msi = dev->vector[v].msi,
		};
}

void vdev_vfio_fill_stat(const struct vdev_vfio *dev, struct vdev_vfio_stat *out)
{
	static const char *const modes[] = {"none", "intx", "msi", "msi-x"};

	*out = (struct vdev_vfio_stat){
		.name = dev->name,
		.host = dev->host,
		.guest_bus = vdev_bridge_secondary(dev->fn.bridge),
		.mode = modes[dev->mode],
		.config_reads = dev->config_reads,
		.config_writes = dev->config_writes,
		.table_writes = dev->table_writes,
		.intx = dev->intx_count,
		.reset_capable = dev->flags & VFIO_DEVICE_FLAGS_RESET,
	};
	fill_vectors(dev, out);
	for (unsigned i = 0; i < VDEV_BARS; i++) {
		const struct vdev_bar *bar = &dev->fn.bar[i];

		if (!bar->size)
			continue;
		out->bar[out->bars].index = (uint8_t)i;
		out->bar[out->bars].gpa = bar->gpa;
		out->bar[out->bars].size = bar->size;
		out->bar[out->bars++].mapped = vdev_vfio_bar_direct(dev, i);
	}
}
