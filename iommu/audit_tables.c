/* SPDX-License-Identifier: BSD-3-Clause */
/* audit_tables: from a requester id to its page table, and through the interrupt table: what a unit
 * itself does with root, context and PASID entries (VT-d 3.4, 9.1 … 9.6, 9.10). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bdf.h"
#include "base/util.h"
#include "iommu/audit_priv.h"

char *audit_rid_format(uint32_t segment, uint16_t rid, char text[AUDIT_RID_TEXT])
{
	const struct bdf bdf = {(uint16_t)segment, (uint8_t)(rid >> 8), (uint8_t)(rid >> 3 & 31),
				(uint8_t)(rid & 7)};

	return bdf_format(bdf, text);
}

static uint64_t *page_of(void *opaque, uint64_t phys)
{
	return audit_page(opaque, phys);
}

struct pagetable_memory audit_memory(struct audit *audit)
{
	return (struct pagetable_memory){.page = page_of, .opaque = audit};
}

struct pagetable_format audit_format(const struct audit_unit *unit,
				     const struct audit_context *context)
{
	struct vtd_cap cap;

	vtd_cap_decode(unit->cap, &cap);
	if (context->first_stage)
		return vtd_first_stage(context->levels, unit->host_width,
				       vtd_first_stage_sizes(&cap), 0);
	return vtd_second_stage(context->levels, unit->host_width, vtd_second_stage_sizes(&cap),
				VTD_PAGING_SNOOP | VTD_PAGING_ACCESSED_DIRTY);
}

static void refuse(struct audit_context *out, const char *why)
{
	out->present = true;
	out->why = why;
}

static void from_pasid(struct audit *audit, const struct vtd_scontext *context,
		       struct audit_context *out)
{
	uint32_t pasid = context->rid_pasid;
	struct vtd_pasid_dir dir;
	struct vtd_pasid entry;
	const uint64_t *page;

	page = audit_page(audit,
			  context->directory + ALIGN_DOWN(vtd_pasid_dir_index(pasid) * 8u, 4096u));
	if (!page)
		return refuse(out, "its PASID directory cannot be read");
	out->why = vtd_pasid_dir_decode(page[vtd_pasid_dir_index(pasid) % 512], &dir);
	if (out->why || !dir.present)
		return;
	page = audit_page(audit, dir.table);
	if (!page)
		return refuse(out, "its PASID table cannot be read");
	struct vtd_pasid_raw raw;
	memcpy(&raw, page + vtd_pasid_index(pasid) * 8, sizeof(raw));
	out->why = vtd_pasid_decode(&raw, &entry);
	out->present = entry.present;
	out->domain = entry.domain;
	out->pass_through = entry.present && entry.type == VTD_PGTT_PASS_THROUGH;
	out->first_stage = entry.type == VTD_PGTT_FIRST_STAGE;
	out->table = out->first_stage ? entry.first_table : entry.second_table;
	out->levels = out->first_stage ? entry.first_levels : entry.second_levels;
	if (entry.present && entry.type == VTD_PGTT_NESTED)
		out->why = "nested translation, which is not audited";
}

static void decode_scalable(struct audit *audit, const uint64_t *entry, struct audit_context *out)
{
	struct vtd_scontext_raw raw;
	struct vtd_scontext context;

	memcpy(&raw, entry, sizeof(raw));
	out->why = vtd_scontext_decode(&raw, &context);
	/* Otherwise its PASID entry says whether anything is there. */
	out->present = context.present && out->why;
	if (context.present && !out->why)
		from_pasid(audit, &context, out);
}

static void decode_legacy(const uint64_t *entry, struct audit_context *out)
{
	struct vtd_context_raw raw;
	struct vtd_context context;

	memcpy(&raw, entry, sizeof(raw));
	out->why = vtd_context_decode(&raw, &context);
	out->present = context.present;
	out->pass_through = context.present && context.type == VTD_TT_PASS_THROUGH;
	out->domain = context.domain;
	out->table = context.table;
	out->levels = context.levels;
}

/* A context table has one page in both modes: 256 entries, or 128 of twice the size (9.3, 9.4). */
static void from_context(struct audit *audit, uint64_t table, uint16_t rid, bool scalable,
			 struct audit_context *out)
{
	size_t words = scalable ? 4 : 2, at = (scalable ? rid & 127u : rid & 255u) * words;
	const uint64_t *page = audit_page(audit, table);

	if (!page)
		return refuse(out, "its context table cannot be read");
	out->entry = table + at * sizeof(*page);
	if (scalable)
		decode_scalable(audit, page + at, out);
	else
		decode_legacy(page + at, out);
}

/* What the root table says of a bus. -EUCLEAN, with `out` refused, when there is no such table. */
static int read_root(struct audit *audit, const struct audit_unit *unit, unsigned bus,
		     bool *scalable, struct vtd_root *root, struct audit_context *out)
{
	struct vtd_root_raw raw;
	struct vtd_rtaddr at;

	*out = (struct audit_context){0};
	const char *why = vtd_rtaddr_decode(unit->rtaddr, &at);
	const uint64_t *page = why ? NULL : audit_page(audit, at.table);
	if (!page) {
		refuse(out, why ? why : "the root table cannot be read");
		return -EUCLEAN;
	}
	memcpy(&raw, page + (size_t)bus * 2, sizeof(raw));
	*scalable = at.mode == VTD_MODE_SCALABLE;
	out->why = vtd_root_decode(&raw, at.mode, root);
	out->present = out->why != NULL;
	return 0;
}

int audit_context_of(struct audit *audit, const struct audit_unit *unit, uint16_t rid,
		     struct audit_context *out)
{
	struct vtd_root root;
	bool scalable;
	int err = read_root(audit, unit, audit_bus(rid), &scalable, &root, out);

	if (err || out->why)
		return err;
	bool upper = scalable && (rid & 128);
	if (!(upper ? root.upper_present : root.lower_present))
		return 0;
	from_context(audit, upper ? root.upper : root.lower, rid, scalable, out);
	if (!out->present)
		out->why = NULL;
	return 0;
}

int audit_contexts(struct audit *audit, const struct audit_unit *unit,
		   int (*each)(void *opaque, uint16_t rid, const struct audit_context *context),
		   void *opaque)
{
	struct audit_context context;
	struct vtd_root root;
	bool scalable;
	int err = 0;

	for (unsigned bus = 0; bus < 256 && !err; bus++) {
		err = read_root(audit, unit, bus, &scalable, &root, &context);
		if (!err && !root.lower_present && !root.upper_present)
			continue; /* none of its functions has one */
		for (unsigned devfn = 0; devfn < 256 && !err; devfn++) {
			uint16_t rid = (uint16_t)(bus << 8 | devfn);
			err = audit_context_of(audit, unit, rid, &context);
			if (!err && context.present)
				err = each(opaque, rid, &context);
		}
	}
	return err;
}

int audit_interrupts(struct audit *audit, const struct audit_unit *unit,
		     int (*each)(void *opaque, unsigned index, const struct vtd_irte *irte,
				 const char *why),
		     void *opaque)
{
	struct vtd_irte_raw raw;
	struct vtd_irta irta;
	struct vtd_irte irte;
	int err = 0;

	if (!(unit->gsts & VTD_GS_IRE))
		return 0;
	if (vtd_irta_decode(unit->irta, &irta))
		return -EUCLEAN;
	for (unsigned i = 0; i < irta.entries && !err; i++) {
		const uint64_t *page = audit_page(audit, irta.table + i / 256 * 4096u);
		if (!page)
			return -EUCLEAN;
		memcpy(&raw, page + i % 256 * 2, sizeof(raw));
		const char *why = vtd_irte_decode(&raw, &irte);
		if (irte.present)
			err = each(opaque, i, &irte, why);
	}
	return err;
}

struct collecting {
	uint16_t rid;
	struct audit_entry *out;
	size_t count, room;
};

static int collect(void *opaque, unsigned index, const struct vtd_irte *irte, const char *why)
{
	struct collecting *c = opaque;

	if (why || irte->check != VTD_SVT_REQUESTER || irte->source != c->rid)
		return 0;
	if (c->count++ < c->room)
		c->out[c->count - 1] =
			(struct audit_entry){(uint16_t)index, irte->vector, irte->posted};
	return 0;
}

size_t audit_entries_of(struct audit *audit, const struct audit_unit *unit, uint16_t rid,
			struct audit_entry *out, size_t room)
{
	struct collecting c = {.rid = rid, .out = out, .room = room};

	return audit_interrupts(audit, unit, collect, &c) ? 0 : c.count;
}
