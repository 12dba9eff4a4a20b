/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_region: BARs, mapped into the guest and trapped where they must be.
 *
 * VFIO tells how large a region is and which parts of it can be mapped (Documentation/driver-api/
 * vfio.rst; struct vfio_region_info and its sparse-mmap capability). From these parts the pages
 * that hold the MSI-X table are cut out; what remains are chunks, mapped once into our address
 * space, at an address as aligned as the BAR itself so that huge pages can back them, and put into
 * the guest wherever the BAR stands. Accesses between the chunks come to us: the table is ours, the
 * rest (the pending bits, say) is read from and written to the device.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/range.h"
#include "base/util.h"
#include "vdev/vfio.h"

#define PAGE UINT64_C(4096)

/* Above this a 64-bit BAR goes into the 64-bit window even when it is not prefetchable: the
 * 32-bit one is too small for it, and a PCIe read never fetches more than was asked for. */
#define LARGE_BAR (64 * MIB)

/* ---- what VFIO says ---- */

/* Allocated, with its capability chain. */
static struct vfio_region_info *query(struct vdev_vfio *dev, unsigned index)
{
	uint32_t size = sizeof(struct vfio_region_info);

	for (int round = 0; round < 2; round++) {
		struct vfio_region_info *info = calloc(1, size);

		if (!info)
			return NULL;
		info->argsz = size;
		info->index = index;
		if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, info) < 0) {
			free(info);
			return NULL;
		}
		if (info->argsz <= size)
			return info;
		size = info->argsz;
		free(info);
	}
	return NULL;
}

static const struct vfio_region_info_cap_sparse_mmap *sparse(const struct vfio_region_info *info)
{
	uint32_t at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

	while (at && at <= info->argsz - sizeof(struct vfio_info_cap_header)) {
		const void *cap = (const char *)info + at;
		const struct vfio_info_cap_header *header = cap;

		if (header->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			return cap;
		at = header->next;
	}
	return NULL;
}

static void fill(struct vdev_vfio *dev, struct vdev_vfio_region *r,
		 const struct vfio_region_info *info)
{
	r->dev = dev;
	r->index = info->index;
	r->size = info->size;
	r->fd_offset = info->offset;
	r->flags = info->flags;
}

int vdev_vfio_region_info(struct vdev_vfio *dev, unsigned index, struct vdev_vfio_region *region)
{
	struct vfio_region_info *info = query(dev, index);

	if (!info)
		return log_fail(-EIO, dev->name, "VFIO does not describe region %u: %s", index,
				strerror(errno));
	fill(dev, region, info);
	free(info);
	return 0;
}

/* ---- chunks ---- */

static void add_chunk(struct vdev_vfio_region *r, uint64_t start, uint64_t end)
{
	start = ALIGN_UP(start, PAGE);
	end = ALIGN_DOWN(MIN(end, r->size), PAGE);
	if (start >= end || r->chunks == VDEV_VFIO_CHUNKS)
		return; /* what gets no chunk is trapped: slower, not wrong */
	r->chunk[r->chunks++] = (struct vdev_vfio_chunk){.offset = start, .size = end - start};
}

/* [start, end) without the pages of the MSI-X table. */
static void add_area(struct vdev_vfio_region *r, uint64_t start, uint64_t end)
{
	const struct vdev_msix *msix = &r->dev->msix;

	if (start > end || end > r->size)
		return;
	if (!msix->cap || msix->table_bar != r->index) {
		add_chunk(r, start, end);
		return;
	}
	uint64_t bytes = (uint64_t)msix->count * PCI_MSIX_ENTRY_SIZE;
	uint64_t first = ALIGN_DOWN(msix->table_offset, PAGE);
	uint64_t last = ALIGN_UP(msix->table_offset + bytes, PAGE);

	add_chunk(r, start, MIN(end, first));
	add_chunk(r, MAX(start, last), end);
}

static void find_chunks(struct vdev_vfio_region *r, const struct vfio_region_info *info)
{
	const struct vfio_region_info_cap_sparse_mmap *areas = sparse(info);

	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;
	if (!areas) {
		add_area(r, 0, r->size);
		return;
	}
	for (uint32_t i = 0; i < areas->nr_areas; i++)
		add_area(r, areas->areas[i].offset, areas->areas[i].offset + areas->areas[i].size);
}

static int map_chunks(struct vdev_vfio_region *r)
{
	uint64_t align = MIN(MAX(r->size, PAGE), GIB);
	int prot = (r->flags & VFIO_REGION_INFO_FLAG_READ ? PROT_READ : 0) |
		   (r->flags & VFIO_REGION_INFO_FLAG_WRITE ? PROT_WRITE : 0);

	if (!r->chunks)
		return 0;
	r->reserved_size = r->size + align;
	r->reserved = mmap(NULL, r->reserved_size, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->reserved == MAP_FAILED) {
		r->reserved = NULL;
		return log_fail(-ENOMEM, r->dev->name, "no address space for BAR %u", r->index);
	}
	uint8_t *base = (uint8_t *)ALIGN_UP((uintptr_t)r->reserved, align);

	for (unsigned i = 0; i < r->chunks; i++) {
		struct vdev_vfio_chunk *c = &r->chunk[i];

		c->hva = mmap(base + c->offset, c->size, prot, MAP_SHARED | MAP_FIXED, r->dev->fd,
			      (off_t)(r->fd_offset + c->offset));
		if (c->hva == MAP_FAILED)
			return log_fail(-errno, r->dev->name, "BAR %u cannot be mapped: %s",
					r->index, strerror(errno));
	}
	return 0;
}

/* ---- setting up ---- */

static bool table_fits(const struct vdev_vfio *dev, unsigned index, uint64_t size)
{
	const struct vdev_msix *msix = &dev->msix;

	return !msix->cap || msix->table_bar != index ||
	       msix->table_offset + (uint64_t)msix->count * PCI_MSIX_ENTRY_SIZE <= size;
}

static int init_bar(struct vdev_vfio *dev, unsigned index, uint32_t low)
{
	struct vdev_vfio_region *r = &dev->bar[index];
	struct vfio_region_info *info = query(dev, index);
	bool is64 = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;

	if (!info)
		return log_fail(-EIO, dev->name, "VFIO does not describe BAR %u: %s", index,
				strerror(errno));
	fill(dev, r, info);
	if ((low & PCI_BASE_ADDRESS_SPACE_IO) || !r->size) {
		r->size = 0; /* I/O space is legacy: an endpoint must work without (1.3.2.2) */
		free(info);
		return 0;
	}
	if ((r->size & (r->size - 1)) || r->size < 16 || !table_fits(dev, index, r->size) ||
	    (is64 && index == VDEV_BARS - 1)) {
		free(info);
		return log_fail(-ENOTSUP, dev->name, "BAR %u is malformed", index);
	}
	bool high = is64 && ((low & PCI_BASE_ADDRESS_MEM_PREFETCH) || r->size > LARGE_BAR);

	vdev_bar_define(&dev->fn, index, r->size, is64, high);
	find_chunks(r, info);
	free(info);
	return map_chunks(r);
}

int vdev_vfio_regions_init(struct vdev_vfio *dev)
{
	struct vdev_config *c = &dev->fn.config;
	uint32_t low[VDEV_BARS];

	for (unsigned i = 0; i < VDEV_BARS; i++) {
		low[i] = vdev_config_get(c, PCI_BASE_ADDRESS_0 + 4 * i, 4);
		vdev_config_set(c, PCI_BASE_ADDRESS_0 + 4 * i, 4, 0);
	}
	for (unsigned i = 0; i < VDEV_BARS; i++) {
		int err = init_bar(dev, i, low[i]);

		if (err < 0)
			return err;
		if (dev->fn.bar[i].is64)
			i++; /* the upper half is no BAR of its own */
	}
	if (dev->msix.cap &&
	    (dev->msix.table_bar >= VDEV_BARS || !dev->bar[dev->msix.table_bar].size))
		return log_fail(-ENOTSUP, dev->name,
				"its MSI-X table is in BAR %u, which is not there",
				dev->msix.table_bar);
	return 0;
}

void vdev_vfio_regions_finish(struct vdev_vfio *dev)
{
	for (unsigned i = 0; i < VDEV_BARS; i++) {
		struct vdev_vfio_region *r = &dev->bar[i];

		if (dev->fn.bar[i].gpa)
			vdev_vfio_bar_unmap(&dev->fn, i);
		dev->fn.bar[i].gpa = 0;
		if (r->reserved)
			munmap(r->reserved, r->reserved_size);
		r->reserved = NULL;
		r->chunks = 0;
	}
}

bool vdev_vfio_bar_direct(const struct vdev_vfio *dev, unsigned index)
{
	return dev->bar[index].chunks && dev->bar[index].chunk[0].mapped;
}

/* ---- trapped accesses ---- */

static void device_read(struct vdev_vfio_region *r, uint64_t offset, void *data, unsigned len)
{
	ssize_t n = pread(r->dev->fd, data, len, (off_t)(r->fd_offset + offset));

	if (n != (ssize_t)len)
		memset(data, 0xff, len);
}

static void device_write(struct vdev_vfio_region *r, uint64_t offset, const void *data,
			 unsigned len)
{
	ssize_t n = pwrite(r->dev->fd, data, len, (off_t)(r->fd_offset + offset));

	if (n != (ssize_t)len)
		log_debug(r->dev->name, "write to BAR %u at 0x%llx refused", r->index,
			  (unsigned long long)offset);
}

enum part { OUTSIDE, INSIDE, ACROSS };

/* How an access lies to the MSI-X table; *at is its offset in the table. */
static enum part locate(const struct vdev_vfio_region *r, uint64_t offset, unsigned len,
			uint64_t *at)
{
	const struct vdev_msix *msix = &r->dev->msix;
	uint64_t size = (uint64_t)msix->count * PCI_MSIX_ENTRY_SIZE;

	if (!msix->cap || msix->table_bar != r->index || offset + len <= msix->table_offset ||
	    offset >= msix->table_offset + size)
		return OUTSIDE;
	*at = offset - msix->table_offset;
	return offset >= msix->table_offset && *at + len <= size ? INSIDE : ACROSS;
}

static void trap_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_vfio_region *r = opaque;
	uint64_t at;

	switch (locate(r, offset, len, &at)) {
	case OUTSIDE:
		device_read(r, offset, data, len);
		break;
	case INSIDE:
		vdev_msix_read(&r->dev->msix, at, data, len);
		break;
	case ACROSS: /* one byte is on either side, never both */
		for (unsigned i = 0; i < len; i++)
			trap_read(r, offset + i, (uint8_t *)data + i, 1);
	}
}

static void table_write(struct vdev_vfio *dev, uint64_t at, const void *data, unsigned len)
{
	unsigned last, first = vdev_msix_write(&dev->msix, at, data, len, &last);

	dev->table_writes++;
	vdev_vfio_irq_vectors(dev, first, last);
}

static void trap_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_vfio_region *r = opaque;
	uint64_t at;

	switch (locate(r, offset, len, &at)) {
	case OUTSIDE:
		device_write(r, offset, data, len);
		break;
	case INSIDE:
		table_write(r->dev, at, data, len);
		break;
	case ACROSS:
		for (unsigned i = 0; i < len; i++)
			trap_write(r, offset + i, (const uint8_t *)data + i, 1);
	}
}

static const struct hv_region_ops trap_ops = {.read = trap_read, .write = trap_write};

/* ---- moving ---- */

static bool covered(const struct vdev_vfio_region *r)
{
	return r->chunks == 1 && r->chunk[0].size == r->size;
}

/* Other devices of the guest may reach this BAR. Not every kernel and IOMMU can: then only that
 * is missing. */
static void map_dma(struct vdev_vfio_region *r, struct vdev_vfio_chunk *c, uint64_t gpa)
{
	struct vdev_vfio *dev = r->dev;

	if (!dev->domain)
		return;
	int err = iommu_map(dev->domain, gpa + c->offset, c->size, c->hva,
			    IOMMU_READ | IOMMU_WRITE | IOMMU_PEER);

	c->dma = err == 0;
	if (err < 0 && !dev->p2p_warned) {
		dev->p2p_warned = true;
		log_warn(dev->name, "other devices of this VM cannot reach its BAR %u (%s)",
			 r->index, strerror(-err));
	}
}

int vdev_vfio_bar_map(struct vdev_function *fn, unsigned index, uint64_t gpa)
{
	struct vdev_vfio *dev = container_of(fn, struct vdev_vfio, fn);
	struct vdev_vfio_region *r = &dev->bar[index];
	bool read_only = !(r->flags & VFIO_REGION_INFO_FLAG_WRITE);
	int err = 0;

	if (dev->fd < 0)
		return 0; /* the host took it back; a guest that has not noticed finds nothing there
			   */
	if (!covered(r))
		err = hv_bus_add(dev->vm, HV_MMIO, dev->name, gpa, r->size, &trap_ops, r, &r->trap);
	for (unsigned i = 0; i < r->chunks && !err; i++) {
		struct vdev_vfio_chunk *c = &r->chunk[i];

		err = hv_mem_map_device(dev->vm, gpa + c->offset, c->size, c->hva, read_only,
					&c->slot);
		c->mapped = !err;
	}
	if (err < 0) {
		vdev_vfio_bar_unmap(fn, index);
		return err;
	}
	for (unsigned i = 0; i < r->chunks; i++)
		map_dma(r, &r->chunk[i], gpa);
	return 0;
}

void vdev_vfio_bar_unmap(struct vdev_function *fn, unsigned index)
{
	struct vdev_vfio *dev = container_of(fn, struct vdev_vfio, fn);
	struct vdev_vfio_region *r = &dev->bar[index];

	for (unsigned i = 0; i < r->chunks; i++) {
		struct vdev_vfio_chunk *c = &r->chunk[i];

		if (c->mapped)
			hv_mem_unmap_device(dev->vm, c->slot);
		if (c->dma)
			iommu_unmap(dev->domain, fn->bar[index].gpa + c->offset, c->size);
		c->mapped = c->dma = false;
	}
	if (r->trap)
		hv_bus_remove(dev->vm, r->trap);
	r->trap = NULL;
}
