/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * type1: the backend over a VFIO container of type1v2: a group at a time, and the container's
 * hardware is chosen when the first one joins. Documentation/driver-api/vfio.rst,
 * include/uapi/linux/vfio.h.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/domain.h"

_Static_assert(IOMMU_READ == VFIO_DMA_MAP_FLAG_READ && IOMMU_WRITE == VFIO_DMA_MAP_FLAG_WRITE,
	       "protections go to the kernel as they are");

int iommu_type1_check(int fd)
{
	if (ioctl(fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		return log_fail(-EOPNOTSUPP, "iommu", "this is no VFIO container of version %d",
				VFIO_API_VERSION);
	if (ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0)
		return log_fail(-EOPNOTSUPP, "iommu",
				"VFIO offers no type1v2 backend; modprobe vfio_iommu_type1");
	return 0;
}

static int check_viable(int group_fd, const char *name)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	if (ioctl(group_fd, VFIO_GROUP_GET_STATUS, &status) < 0)
		return log_fail(-errno, name, "the state of its IOMMU group is unknown: %m");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return log_fail(
			-EPERM, name,
			"its IOMMU group is not viable: a host driver holds another member; "
			"`sluice host show` names it");
	return 0;
}

static int set_container(struct iommu_domain *domain, int group_fd, const char *name)
{
	if (ioctl(group_fd, VFIO_GROUP_SET_CONTAINER, &domain->fd) == 0)
		return 0;
	int err = -errno;
	if (err == -EBUSY)
		return log_fail(err, name, "its IOMMU group is in use in another container");
	return log_fail(err, name, "its IOMMU group does not join the others: %s", strerror(-err));
}

static int set_iommu(struct iommu_domain *domain, const char *name)
{
	if (ioctl(domain->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0)
		return 0;
	int err = -errno;
	if (err == -EPERM)
		return log_fail(
			err, name,
			"no interrupt remapping, so a guest could forge interrupts; boot with "
			"intremap=on, or accept it with vfio_iommu_type1.allow_unsafe_interrupts=1");
	return log_fail(err, name, "the IOMMU was not set up: %s", strerror(-err));
}

static int attach(struct iommu_domain *domain, int group_fd, const char *name)
{
	int err = check_viable(group_fd, name);

	if (!err)
		err = set_container(domain, group_fd, name);
	if (err)
		return err;
	/* A container without a group has no hardware to choose a backend for. */
	if (!domain->group_count)
		err = set_iommu(domain, name);
	if (err)
		ioctl(group_fd, VFIO_GROUP_UNSET_CONTAINER);
	return err;
}

static void detach(struct iommu_domain *domain, int group_fd)
{
	(void)domain;
	/* EINVAL: its last device was unbound meanwhile, and the kernel has taken it out. */
	if (ioctl(group_fd, VFIO_GROUP_UNSET_CONTAINER) < 0 && errno != EINVAL)
		log_warn("iommu", "a group stays in the container until it is closed: %m");
}

static int map(struct iommu_domain *domain, const struct iommu_map_entry *entry)
{
	struct vfio_iommu_type1_dma_map request = {
		.argsz = sizeof(request),
		.flags = entry->prot & (IOMMU_READ | IOMMU_WRITE),
		.vaddr = (uintptr_t)entry->hva,
		.iova = entry->iova,
		.size = entry->size,
	};

	return ioctl(domain->fd, VFIO_IOMMU_MAP_DMA, &request) < 0 ? -errno : 0;
}

/* A host that takes the last device of a group back drops the group, and with the container's last
 * group all that is mapped. */
static bool backend_gone(const struct iommu_domain *domain)
{
	struct vfio_iommu_type1_info info = {.argsz = sizeof(info)};

	return ioctl(domain->fd, VFIO_IOMMU_GET_INFO, &info) < 0 && errno == EINVAL;
}

static int unmap(struct iommu_domain *domain, const struct iommu_map_entry *entry)
{
	struct vfio_iommu_type1_dma_unmap request = {
		.argsz = sizeof(request),
		.iova = entry->iova,
		.size = entry->size,
	};
	int err = ioctl(domain->fd, VFIO_IOMMU_UNMAP_DMA, &request) < 0 ? -errno : 0;

	if (err)
		return backend_gone(domain) ? 0 : err;
	if (request.size != entry->size)
		log_warn("iommu", "of 0x%llx+0x%llx the kernel unmapped 0x%llx",
			 (unsigned long long)entry->iova, (unsigned long long)entry->size,
			 (unsigned long long)request.size);
	return 0;
}

const struct iommu_backend_ops iommu_backend_type1 = {
	.name = "vfio-type1",
	.handle = IOMMU_HANDLE_GROUP,
	.attach = attach,
	.detach = detach,
	.map = map,
	.unmap = unmap,
	.info = iommu_info_refresh,
};

/* ---- dirty pages ---- */

static int dirty_switch(struct iommu_domain *domain, uint32_t flag)
{
	struct vfio_iommu_type1_dirty_bitmap request = {.argsz = sizeof(request), .flags = flag};

	if (domain->ops != &iommu_backend_type1 || !domain->dirty_pages)
		return -EOPNOTSUPP;
	return ioctl(domain->fd, VFIO_IOMMU_DIRTY_PAGES, &request) < 0 ? -errno : 0;
}

int iommu_dirty_start(struct iommu_domain *domain)
{
	return dirty_switch(domain, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
}

int iommu_dirty_stop(struct iommu_domain *domain)
{
	return dirty_switch(domain, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
}

int iommu_dirty_read(struct iommu_domain *domain, uint64_t iova, uint64_t size, uint64_t *bitmap)
{
	const uint64_t page = domain->dirty_pages & -domain->dirty_pages;
	_Alignas(8) uint8_t request[sizeof(struct vfio_iommu_type1_dirty_bitmap) +
				    sizeof(struct vfio_iommu_type1_dirty_bitmap_get)];
	const struct vfio_iommu_type1_dirty_bitmap head = {
		.argsz = sizeof(request), .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP};

	if (domain->ops != &iommu_backend_type1 || !page)
		return -EOPNOTSUPP;
	if (!size || !IS_ALIGNED(iova | size, page))
		return -EINVAL;
	const uint64_t bytes = (size / page + 63) / 64 * 8;
	if (bytes > domain->dirty_max)
		return -E2BIG;
	const struct vfio_iommu_type1_dirty_bitmap_get get = {
		.iova = iova,
		.size = size,
		.bitmap = {.pgsize = page, .size = bytes, .data = (void *)bitmap},
	};
	memcpy(request, &head, sizeof(head));
	memcpy(request + sizeof(head), &get, sizeof(get));
	memset(bitmap, 0, bytes);
	return ioctl(domain->fd, VFIO_IOMMU_DIRTY_PAGES, request) < 0 ? -errno : 0;
}
