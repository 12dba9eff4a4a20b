/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_space: an I/O address space on a unit of ours: domain id, page table, attached functions. See
 * vtd.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_priv.h"

/* ---- format ---- */

/* 4 levels are what every processor's walker knows best; else what there is. */
static unsigned second_levels(const struct vtd_unit *unit)
{
	return unit->cap.agaw & 1u << 2 ? 4 : vtd_largest_levels(unit);
}

static int choose_format(struct vtd_space *space)
{
	const struct vtd_unit *unit = space->unit;
	unsigned width = unit->config.host_width;

	if (space->stage == VTD_FIRST_STAGE) {
		if (!unit->config.scalable || !unit->ecap.first_stage)
			return log_fail(-EOPNOTSUPP, unit->name, "no first stage%s",
					unit->config.scalable ? "" : " outside of scalable mode");
		space->format = vtd_first_stage(4, width, vtd_first_stage_sizes(&unit->cap), 0);
		return 0;
	}
	if (unit->config.scalable && !unit->ecap.second_stage)
		return log_fail(-EOPNOTSUPP, unit->name, "no second stage in scalable mode");
	if (!(unit->cap.agaw & 0xe))
		return log_fail(-EOPNOTSUPP, unit->name, "no table of 3, 4 or 5 levels");
	space->format =
		vtd_second_stage(second_levels(unit), width, vtd_second_stage_sizes(&unit->cap),
				 unit->ecap.snoop_control ? VTD_PAGING_SNOOP : 0);
	space->format.input_bits = MIN(space->format.input_bits, unit->cap.guest_width);
	return 0;
}

static int make_directory(struct vtd_space *space)
{
	bool first = space->stage == VTD_FIRST_STAGE;
	const struct vtd_pasid pasid = {
		.present = true,
		.type = first ? VTD_PGTT_FIRST_STAGE : VTD_PGTT_SECOND_STAGE,
		.domain = space->domain,
		.first_levels = first ? space->format.levels : 0,
		.first_table = first ? space->table.root : 0,
		.second_levels = first ? 0 : space->format.levels,
		.second_table = first ? 0 : space->table.root,
		.walk_snoop = space->unit->ecap.scalable_coherent,
	};

	if (!space->unit->config.scalable)
		return 0;
	return vtd_directory_create(space->unit, &pasid, &space->directory, &space->pasids);
}

/* ---- create, destroy ---- */

static void free_space(struct vtd_space *space)
{
	struct vtd_unit *unit = space->unit;

	/* What a broken unit may still walk is not given back. */
	if (!unit->broken) {
		vtd_directory_destroy(unit, space->directory, space->pasids);
		pagetable_destroy(&space->table);
		bitmap_clear(&unit->domains, space->domain);
	}
	free(space);
}

int vtd_space_create(struct vtd_unit *unit, enum vtd_stage stage, struct vtd_space **out)
{
	struct vtd_space *space = calloc(1, sizeof(*space));

	if (!space)
		return -ENOMEM;
	space->unit = unit;
	space->stage = stage;
	int err = choose_format(space);
	int domain = err ? err : bitmap_alloc(&unit->domains, VTD_DOMAIN_FIRST);
	if (domain < 0) {
		free(space);
		return err ? err
			   : log_fail(-ENOSPC, unit->name, "all %u domain ids are in use",
				      unit->cap.domains);
	}
	space->domain = (uint16_t)domain;
	err = pagetable_create(&space->format, vtd_mem_tables(unit->config.mem), &space->table);
	if (!err)
		err = make_directory(space);
	if (err) {
		free_space(space);
		return err;
	}
	*out = space;
	return 0;
}

void vtd_space_destroy(struct vtd_space *space)
{
	if (!space)
		return;
	for (unsigned source = 0; source < ARRAY_SIZE(space->unit->owners); source++) {
		if (space->unit->owners[source] != space)
			continue;
		const struct bdf bdf = {0, (uint8_t)(source >> 8), source >> 3 & 31, source & 7};
		vtd_detach(space, bdf);
	}
	free_space(space);
}

/* ---- attach, detach ---- */

static uint16_t source_of(struct bdf bdf)
{
	return (uint16_t)(bdf.bus << 8 | bdf.dev << 3 | bdf.fn);
}

int vtd_attach(struct vtd_space *space, struct bdf bdf)
{
	struct vtd_space **owner = &space->unit->owners[source_of(bdf)];
	char text[BDF_TEXT];

	if (*owner == space)
		return 0;
	if (*owner)
		return log_fail(-EBUSY, bdf_format(bdf, text), "attached to domain %u already",
				(*owner)->domain);
	int err = vtd_context_set(space->unit, source_of(bdf), space);
	if (!err)
		*owner = space;
	return err;
}

int vtd_detach(struct vtd_space *space, struct bdf bdf)
{
	struct vtd_space **owner = &space->unit->owners[source_of(bdf)];
	char text[BDF_TEXT];

	if (*owner != space)
		return log_fail(-ENOENT, bdf_format(bdf, text), "not attached to domain %u",
				space->domain);
	*owner = NULL;
	return vtd_context_clear(space->unit, source_of(bdf), space->domain);
}

/* ---- map, unmap ---- */

/* The smallest aligned power of two of pages that covers the range. */
static unsigned covering_mask(uint64_t iova, uint64_t size)
{
	unsigned mask = 0;

	while (mask < 52 && (iova >> 12 >> mask) != ((iova + (size - 1)) >> 12 >> mask))
		mask++;
	return mask;
}

/* Never leaf-only (IH): maps and splits change tables as well. */
static struct vtd_inv forget_range(const struct vtd_space *space, uint64_t iova, uint64_t size)
{
	const struct vtd_unit *unit = space->unit;
	unsigned mask = covering_mask(iova, size);
	bool first = space->stage == VTD_FIRST_STAGE;
	/* By PASID any range will do; the capabilities are about the second stage (11.4: CAP.PSI).
	 */
	bool pages = first || (unit->cap.page_selective && mask <= unit->cap.max_mask);

	return (struct vtd_inv){
		.type = first ? VTD_INV_PASID_IOTLB : VTD_INV_IOTLB,
		.scope = pages	 ? VTD_SCOPE_PAGES
			 : first ? VTD_SCOPE_PASID
				 : VTD_SCOPE_DOMAIN,
		.domain = space->domain,
		.address = pages ? iova & ~bits_mask(11 + mask, 0) : 0,
		.mask = pages ? (uint8_t)mask : 0,
		.drain_reads = !first && unit->cap.drain_reads,
		.drain_writes = !first && unit->cap.drain_writes,
	};
}

/* Only what the unit has forgotten is freed. */
static int settle(struct vtd_space *space, uint64_t iova, uint64_t size)
{
	const struct vtd_inv inv = forget_range(space, iova, size);
	int err = vtd_queue_run(space->unit, &inv, 1);

	if (!err)
		pagetable_reap(&space->table);
	return err;
}

static int explain(const struct vtd_space *space, int err, const char *verb, uint64_t iova,
		   uint64_t size)
{
	const char *name = space->unit->name;

	switch (err) {
	case 0:
	case -EIO:
	case -ETIMEDOUT: /* the unit's errors, which are told by the queue */
		return err;
	case -ERANGE:
		return log_fail(err, name,
				"0x%" PRIx64 "+0x%" PRIx64 " not %s: beyond the width of %u bits",
				iova, size, verb, space->format.input_bits);
	case -EEXIST:
		return log_fail(err, name, "0x%" PRIx64 "+0x%" PRIx64 " not %s: part of it is",
				iova, size, verb);
	case -EINVAL:
		return log_fail(err, name,
				"0x%" PRIx64 "+0x%" PRIx64 " not %s: not whole pages of 4 KiB, or "
				"neither read nor write",
				iova, size, verb);
	default:
		return log_fail(err, name, "0x%" PRIx64 "+0x%" PRIx64 " not %s: %s", iova, size,
				verb, strerror(-err));
	}
}

int vtd_space_map(struct vtd_space *space, uint64_t iova, uint64_t phys, uint64_t size,
		  unsigned attrs)
{
	int err = pagetable_map(&space->table, iova, phys, size, attrs);

	if (err)
		return err;
	/* From absent to present nothing needs to be forgotten, but for two reasons: the unit
	 * remembers absence, or large pages took the place of tables. */
	if (!space->unit->cap.caching_mode && !pagetable_has_garbage(&space->table))
		return vtd_flush_writes(space->unit);
	err = settle(space, iova, size);
	/* Not known to work: so it is not there. What it used stays until the space ends. */
	if (err)
		pagetable_unmap(&space->table, iova, size, NULL);
	return err;
}

int vtd_space_unmap(struct vtd_space *space, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	int err = pagetable_unmap(&space->table, iova, size, unmapped);

	return err ? err : settle(space, iova, size);
}

int vtd_map(struct vtd_space *space, uint64_t iova, uint64_t phys, uint64_t size, unsigned attrs)
{
	return explain(space, vtd_space_map(space, iova, phys, size, attrs), "mapped", iova, size);
}

int vtd_unmap(struct vtd_space *space, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	return explain(space, vtd_space_unmap(space, iova, size, unmapped), "unmapped", iova, size);
}

struct vtd_space_info vtd_space_info(const struct vtd_space *space)
{
	return (struct vtd_space_info){
		.domain = space->domain,
		.levels = space->format.levels,
		.input_bits = space->format.input_bits,
		.page_sizes = space->format.page_sizes,
		.tables = space->table.tables,
	};
}

const struct pagetable *vtd_space_table(const struct vtd_space *space)
{
	return &space->table;
}
