/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost: see vhost.h. Kernel interface: include/uapi/linux/vhost.h; drivers/vhost/vhost.c says that
 * a queue must be without a backend while it is set up, and that split rings are all it knows.
 */
#include "vdev/vhost.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"

#define F_IN_ORDER 35u

int vdev_vhost_features(const char *name, int fd, uint64_t *out)
{
	if (ioctl(fd, VHOST_GET_FEATURES, out) < 0)
		return log_fail(-errno, name, "is not served by vhost: %s", strerror(errno));
	return 0;
}

uint64_t vdev_vhost_unserved(void)
{
	return VDEV_FEATURE(VIRTIO_F_RING_PACKED) | VDEV_FEATURE(F_IN_ORDER);
}

static int set_memory(const char *name, int fd, const struct hv_vm *vm)
{
	const struct hv_ram_block *blocks;
	size_t count = hv_mem_blocks(vm, &blocks);
	struct vhost_memory *table = calloc(1, sizeof(*table) + count * sizeof(table->regions[0]));
	int err = 0;

	if (!table)
		return log_fail(-ENOMEM, name, "no memory for a table of guest memory");
	table->nregions = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = blocks[i].gpa,
			.memory_size = blocks[i].size,
			.userspace_addr = (uintptr_t)blocks[i].hva,
		};
	if (ioctl(fd, VHOST_SET_MEM_TABLE, table) < 0)
		err = log_fail(-errno, name, "vhost does not take the guest's memory: %s",
			       strerror(errno));
	free(table);
	return err;
}

int vdev_vhost_prepare(const char *name, int fd, const struct vdev_virtio *dev)
{
	uint64_t features;
	int err;

	/* EBUSY: ours since an earlier start. */
	if (ioctl(fd, VHOST_SET_OWNER) < 0 && errno != EBUSY)
		return log_fail(-errno, name, "vhost makes no worker for it: %s", strerror(errno));
	err = vdev_vhost_features(name, fd, &features);
	if (err < 0)
		return err;
	features &= dev->features & ~VDEV_FEATURE(VIRTIO_F_ACCESS_PLATFORM);
	if (ioctl(fd, VHOST_SET_FEATURES, &features) < 0)
		return log_fail(-errno, name, "vhost does not take features 0x%llx: %s",
				(unsigned long long)features, strerror(errno));
	return set_memory(name, fd, dev->vm);
}

int vdev_vhost_queue_call(const char *name, int fd, unsigned index, struct vdev_virtio_queue *q)
{
	struct vhost_vring_file call = {.index = index, .fd = atomic_load(&q->vq.call_fd)};

	if (ioctl(fd, VHOST_SET_VRING_CALL, &call) < 0)
		return log_fail(-errno, name, "vhost does not take an interrupt: %s",
				strerror(errno));
	return 0;
}

int vdev_vhost_queue_set(const char *name, int fd, unsigned index, struct vdev_virtio_queue *q)
{
	struct vhost_vring_state size = {.index = index, .num = q->vq.size};
	struct vhost_vring_state base = {.index = index, .num = q->vq.next_avail};
	struct vhost_vring_file kick = {.index = index, .fd = q->kick_fd};
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)q->vq.desc_area,
		.avail_user_addr = (uintptr_t)q->vq.driver_area,
		.used_user_addr = (uintptr_t)q->vq.device_area,
	};

	if (ioctl(fd, VHOST_SET_VRING_NUM, &size) < 0 ||
	    ioctl(fd, VHOST_SET_VRING_BASE, &base) < 0 ||
	    ioctl(fd, VHOST_SET_VRING_ADDR, &addr) < 0 ||
	    ioctl(fd, VHOST_SET_VRING_KICK, &kick) < 0)
		return log_fail(-errno, name, "vhost does not take queue %u: %s", q->vq.index,
				strerror(errno));
	return vdev_vhost_queue_call(name, fd, index, q);
}

/* The position in the used ring is the driver's own word in guest memory (2.7.8): vhost keeps no
 * other, and gives back all that it took before it halts. */
void vdev_vhost_queue_get(int fd, unsigned index, struct vdev_virtio_queue *q)
{
	struct vhost_vring_state base = {.index = index};
	const struct vring_used *used = q->vq.device_area;

	if (ioctl(fd, VHOST_GET_VRING_BASE, &base) < 0)
		return; /* only for an index that it does not have */
	q->vq.next_avail = (uint16_t)base.num;
	q->vq.next_used = used->idx;
}
