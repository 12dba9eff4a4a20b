/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * info: what the container can do, from VFIO_IOMMU_GET_INFO.
 *
 * The answer is a fixed header and a chain of capabilities, linked by offsets from its start
 * (include/uapi/linux/vfio.h, struct vfio_info_cap_header). The kernel first says how long it is.
 * Offsets are checked all the same: a walk that trusts them is one bug away from reading past
 * the buffer for ever.
 */
#include "iommu/domain.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"

#define INFO_MAX (1u << 20)

/* The header without what later kernels put behind it (a pad). */
#define INFO_HEADER offsetof(struct vfio_iommu_type1_info, cap_offset)

/* The capability `id` in `buf` of `len` bytes, at least `min` long; NULL when it is not there. */
static const void *find_cap(const uint8_t *buf, size_t len, size_t offset, uint16_t id, size_t min)
{
	struct vfio_info_cap_header cap;

	while (offset >= INFO_HEADER && offset <= len - sizeof(cap)) {
		memcpy(&cap, buf + offset, sizeof(cap));
		if (cap.id == id)
			return len - offset >= min ? buf + offset : NULL;
		if (cap.next <= offset) /* the end (0), or a loop */
			return NULL;
		offset = cap.next;
	}
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct range *)a)->start, y = ((const struct range *)b)->start;

	return (x > y) - (x < y);
}

static int take_ranges(struct iommu_domain *domain, const uint8_t *buf, size_t len, size_t offset)
{
	struct vfio_iommu_type1_info_cap_iova_range head;
	const uint8_t *cap =
		find_cap(buf, len, offset, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, sizeof(head));
	struct range *usable = NULL;
	size_t count = 0;

	if (cap) {
		memcpy(&head, cap, sizeof(head));
		size_t room =
			(len - (size_t)(cap - buf) - sizeof(head)) / sizeof(struct vfio_iova_range);
		if (head.nr_iovas > room)
			return -EPROTO;
		count = head.nr_iovas;
		usable = calloc(count ? count : 1, sizeof(*usable));
		if (!usable)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		struct vfio_iova_range r;
		memcpy(&r, cap + sizeof(head) + i * sizeof(r), sizeof(r));
		usable[i] = (struct range){r.start, r.end}; /* `end` is inclusive there */
	}
	if (count)
		qsort(usable, count, sizeof(*usable), by_start);
	free(domain->usable);
	domain->usable = usable;
	domain->usable_count = count;
	return 0;
}

static int take_info(struct iommu_domain *domain, const uint8_t *buf, size_t len)
{
	struct vfio_iommu_type1_info info;
	struct vfio_iommu_type1_info_dma_avail avail;

	memcpy(&info, buf, sizeof(info));
	size_t offset = info.flags & VFIO_IOMMU_INFO_CAPS ? info.cap_offset : 0;
	domain->page_sizes = info.flags & VFIO_IOMMU_INFO_PGSIZES ? info.iova_pgsizes : 4096;
	domain->maps_left = UINT32_MAX;
	const void *cap =
		find_cap(buf, len, offset, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, sizeof(avail));
	if (cap) {
		memcpy(&avail, cap, sizeof(avail));
		domain->maps_left = avail.avail;
	}
	struct vfio_iommu_type1_info_cap_migration migration;
	cap = find_cap(buf, len, offset, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, sizeof(migration));
	domain->dirty_pages = domain->dirty_max = 0;
	if (cap) {
		memcpy(&migration, cap, sizeof(migration));
		domain->dirty_pages = migration.pgsize_bitmap;
		domain->dirty_max = migration.max_dirty_bitmap_size;
	}
	return take_ranges(domain, buf, len, offset);
}

int iommu_info_refresh(struct iommu_domain *domain)
{
	uint32_t size = sizeof(struct vfio_iommu_type1_info), told = size;
	uint8_t *buf = NULL;
	int err;

	do {
		size = told;
		free(buf);
		buf = calloc(1, size);
		if (!buf)
			return -ENOMEM;
		memcpy(buf, &size, sizeof(size)); /* argsz */
		err = ioctl(domain->fd, VFIO_IOMMU_GET_INFO, buf) < 0 ? -errno : 0;
		memcpy(&told, buf, sizeof(told));
	} while (!err && told > size && told <= INFO_MAX);
	if (!err)
		err = told > size ? -EPROTO : take_info(domain, buf, size);
	free(buf);
	return err ? log_fail(err, "iommu", "the container does not tell what it can do: %s",
			      strerror(-err))
		   : 0;
}
