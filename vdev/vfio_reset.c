/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_reset: a device back to its state after power-on, and a device taken away.
 *
 * Before a reset the device is made quiet (no bus mastering, no decoding, no interrupts), so that
 * nothing it had under way hits memory that is being given to somebody else. The kernel then uses
 * whichever reset it has for the function (FLR first; PCIe 6.0, 6.6.2).
 *
 * VFIO resets a function when it is opened and when its last descriptor is closed (Linux,
 * vfio_pci_core_enable and _disable). So neither is done here once more: each takes 100 ms, which
 * is how long a function may take for it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/io.h"
#include "base/log.h"
#include "vdev/vfio.h"

static void leave_guest(struct vdev_vfio *dev)
{
	static const uint64_t nowhere[VDEV_BARS];

	vdev_vfio_irq_off(dev);
	vdev_bars_move(&dev->fn, nowhere);
}

void vdev_vfio_reset(struct vdev_vfio *dev)
{
	leave_guest(dev);
	if (dev->fd < 0)
		return;
	vdev_vfio_config_command(dev, 0);
	if ((dev->flags & VFIO_DEVICE_FLAGS_RESET) && ioctl(dev->fd, VFIO_DEVICE_RESET) < 0)
		log_warn(dev->name, "its reset failed: %s; it keeps the state it is in",
			 strerror(errno));
	vdev_vfio_config_reset(dev);
}

/* QEMU's and Bochs' display has no reset, and BAR 0 is all the memory it has: zeros in it are the
 * next best. Others' memory cannot be reached like that, and is left as it is (set_up has said so).
 */
void vdev_vfio_clear(struct vdev_vfio *dev)
{
	const struct vdev_vfio_region *r = &dev->bar[0];

	if ((dev->flags & VFIO_DEVICE_FLAGS_RESET) || dev->fd < 0 || bdf_is_stand_in(dev->host) ||
	    vdev_config_get(&dev->fn.config, 0, 4) != VDEV_VFIO_BOCHS)
		return;
	vdev_vfio_config_command(dev, PCI_COMMAND_MEMORY);
	for (unsigned i = 0; i < r->chunks; i++)
		memset(r->chunk[i].hva, 0, r->chunk[i].size);
	vdev_vfio_config_command(dev, 0);
	log_info(dev->name, "its memory was filled with zeros");
}

void vdev_vfio_remove(struct vdev_vfio *dev)
{
	leave_guest(dev);
	vdev_vfio_config_command(dev, 0);
	vdev_vfio_clear(dev);
	vdev_vfio_irq_finish(dev);
	vdev_vfio_regions_finish(dev); /* a mapping would hold the descriptor's file open */
	io_close(&dev->fd);
}
