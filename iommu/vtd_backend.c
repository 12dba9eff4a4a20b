/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_backend: the five operations on a space of ours. See vtd_backend.h. */
#include "iommu/vtd_backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/domain.h"
#include "iommu/vtd_priv.h"

/* Writes to these addresses are interrupts, whatever is mapped there (VT-d 3.14). */
static const struct range interrupt_window = {0xfee00000, 0xfeefffff};

static struct bdf bdf_of(int rid)
{
	return (struct bdf){0, (uint8_t)(rid >> 8), rid >> 3 & 31, rid & 7};
}

/* With the last function goes the space. */
static void leave(struct vtd_backend *backend, const struct iommu_domain *domain)
{
	if (domain->group_count)
		return;
	vtd_space_destroy(backend->space);
	backend->space = NULL;
}

static int attach(struct iommu_domain *domain, int rid, const char *name)
{
	struct vtd_backend *backend = domain->backend;

	if (rid < 0 || rid > UINT16_MAX)
		return log_fail(-EINVAL, name, "%d is no requester id", rid);
	int err = backend->space ? 0
				 : vtd_space_create(backend->unit, backend->stage, &backend->space);
	if (err)
		return err;
	err = vtd_attach(backend->space, bdf_of(rid));
	if (err)
		leave(backend, domain);
	return err;
}

static void detach(struct iommu_domain *domain, int rid)
{
	struct vtd_backend *backend = domain->backend;
	char text[BDF_TEXT];
	int err = vtd_detach(backend->space, bdf_of(rid));

	if (err)
		log_warn(bdf_format(bdf_of(rid), text), "may still reach its memory: %s",
			 strerror(-err));
	leave(backend, domain);
}

/* ---- maps ---- */

/* A range of a process is pieces of memory, each of which lies in one place. `each` sees them in
 * order, with their distance from the start. */
static int for_pieces(const struct iommu_domain *domain, const struct iommu_map_entry *entry,
		      int (*each)(struct vtd_backend *backend, const struct iommu_map_entry *entry,
				  uint64_t done, uint64_t phys, uint64_t size),
		      uint64_t *done)
{
	struct vtd_backend *backend = domain->backend;
	uint64_t phys, run;

	for (*done = 0; *done < entry->size; *done += run) {
		int err = vtd_mem_phys(backend->mem, (char *)entry->hva + *done, &phys, &run);
		run = MIN(run, entry->size - *done);
		if (!err)
			err = each(backend, entry, *done, phys, run);
		if (err)
			return err;
	}
	return 0;
}

static int pass(struct vtd_backend *backend, const struct iommu_map_entry *entry, uint64_t done,
		uint64_t phys, uint64_t size)
{
	(void)backend, (void)entry, (void)done, (void)phys, (void)size;
	return 0;
}

static int map_piece(struct vtd_backend *backend, const struct iommu_map_entry *entry,
		     uint64_t done, uint64_t phys, uint64_t size)
{
	unsigned attrs = (entry->prot & IOMMU_READ ? PAGETABLE_READ : 0) |
			 (entry->prot & IOMMU_WRITE ? PAGETABLE_WRITE : 0);

	return vtd_space_map(backend->space, entry->iova + done, phys, size, attrs);
}

static int map(struct iommu_domain *domain, const struct iommu_map_entry *entry)
{
	struct vtd_backend *backend = domain->backend;
	uint64_t done;
	/* All of it, before the device reaches any. */
	int err = for_pieces(domain, entry, pass, &done);

	if (err)
		return err;
	err = for_pieces(domain, entry, map_piece, &done);
	if (err && done)
		vtd_space_unmap(backend->space, entry->iova, done, NULL);
	return err;
}

static int unmap(struct iommu_domain *domain, const struct iommu_map_entry *entry)
{
	const struct vtd_backend *backend = domain->backend;

	return vtd_space_unmap(backend->space, entry->iova, entry->size, NULL);
}

/* ---- info ---- */

/* What is left of the addresses below `width` bits without `holes`, which are sorted. */
static size_t subtract(unsigned width, const struct range *holes, size_t count, struct range *out)
{
	uint64_t start = 0, last = (UINT64_C(1) << width) - 1;
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		if (holes[i].start > last)
			break;
		if (holes[i].start > start)
			out[left++] = (struct range){start, holes[i].start - 1};
		if (holes[i].last >= last)
			return left;
		start = MAX(start, holes[i].last + 1);
	}
	if (start <= last)
		out[left++] = (struct range){start, last};
	return left;
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct range *)a)->start, y = ((const struct range *)b)->start;

	return (x > y) - (x < y);
}

static int info(struct iommu_domain *domain)
{
	const struct vtd_backend *backend = domain->backend;
	const struct vtd_space_info space = vtd_space_info(backend->space);
	const size_t count = backend->reserved_count + 1;
	/* First the holes, then what is between them. */
	struct range *holes = calloc(2 * count + 1, sizeof(*holes));

	if (!holes)
		return -ENOMEM;
	struct range *usable = holes + count;
	if (backend->reserved_count)
		memcpy(holes, backend->reserved, backend->reserved_count * sizeof(*holes));
	holes[count - 1] = interrupt_window;
	qsort(holes, count, sizeof(*holes), by_start);
	domain->usable_count = subtract(space.input_bits, holes, count, usable);
	memmove(holes, usable, domain->usable_count * sizeof(*holes));
	free(domain->usable);
	domain->usable = holes;
	domain->page_sizes = space.page_sizes;
	domain->maps_left = UINT32_MAX; /* memory for tables is the only limit */
	return 0;
}

const struct iommu_backend_ops iommu_backend_vtd = {
	.name = "vtd",
	.handle = IOMMU_HANDLE_RID,
	.attach = attach,
	.detach = detach,
	.map = map,
	.unmap = unmap,
	.info = info,
};
