/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_mem: guest memory that comes and goes (virtio 1.2, 5.15); see virtio_mem.c. */
#ifndef VDEV_VIRTIO_MEM_H
#define VDEV_VIRTIO_MEM_H

#include "iommu/iommu.h"
#include "vdev/vdev.h"
#include "vdev/virtio.h"

struct vdev_mem;

/* For a VM whose hv_config.ram_max lets it grow; -ENOTSUP otherwise. `thread` only listens. */
int vdev_mem_create(struct hv_vm *vm, struct loop *loop, struct vdev_iothread *thread,
		    struct vdev_mem **out);
void vdev_mem_destroy(struct vdev_mem *mem);
struct vdev_function *vdev_mem_function(struct vdev_mem *mem);
/* NULL when the function is something else, or NULL. */
struct vdev_mem *vdev_mem_of(struct vdev_function *fn);

/* Device lock held. */

/* Where devices of the host reach guest memory, or NULL: what is in is mapped there from now on,
 * and what was elsewhere is no longer. On failure as with NULL. */
int vdev_mem_set_domain(struct vdev_mem *mem, struct iommu_domain *domain);
/* The last part of it, for whoever outlives the device. */
void vdev_mem_unmap(struct hv_vm *vm, struct iommu_domain *domain);
/* The guest shall have so many bytes of it; what is not a whole block is left out. -EINVAL: more
 * than there can be. */
int vdev_mem_aim(struct vdev_mem *mem, uint64_t bytes);
void vdev_mem_fill_stat(const struct vdev_mem *mem, struct vdev_mem_stat *out);

#endif
