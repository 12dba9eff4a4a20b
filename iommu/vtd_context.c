/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_context: from a requester to its space (VT-d 9.1 – 9.6).
 *
 *     legacy     root[bus] ► context[devfn] ► table of the space
 *     scalable   root[bus] ► context[devfn] ► directory of the space ► PASID 0 ► its table
 *
 * Every bus starts with the same shared page of context entries: all of them pass through, or there
 * is none. The first function of a bus that is attached gives the bus a page of its own.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/vtd_priv.h"

#define SCALABLE_HALF 128u /* functions in one page of scalable context entries */

static void *page_new(struct vtd_unit *unit, uint64_t *phys)
{
	void *page = vtd_mem_alloc(unit->config.mem, 1, phys);

	if (page)
		vtd_mem_flush(unit->config.mem, page, VTD_PAGE);
	return page;
}

static void page_free(struct vtd_unit *unit, uint64_t *phys)
{
	if (*phys)
		vtd_mem_free(unit->config.mem, *phys, 1);
	*phys = 0;
}

static void store(struct vtd_unit *unit, uint64_t *at, uint64_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
	vtd_mem_flush(unit->config.mem, at, sizeof(*at));
}

unsigned vtd_largest_levels(const struct vtd_unit *unit)
{
	unsigned levels = 3;

	for (unsigned bit = 1; bit <= 3; bit++)
		if (unit->cap.agaw & 1u << bit)
			levels = bit + 2;
	return levels;
}

/* ---- PASID directory ---- */

int vtd_directory_create(struct vtd_unit *unit, const struct vtd_pasid *pasid, uint64_t *directory,
			 uint64_t *table)
{
	uint64_t *dir = page_new(unit, directory);
	struct vtd_pasid_raw *entries = page_new(unit, table);

	if (!dir || !entries) {
		if (dir)
			page_free(unit, directory);
		return -ENOMEM;
	}
	const struct vtd_pasid_dir link = {.present = true, .table = *table};
	entries[0] = vtd_pasid_encode(pasid);
	vtd_mem_flush(unit->config.mem, entries, sizeof(*entries));
	store(unit, dir, vtd_pasid_dir_encode(&link));
	return 0;
}

void vtd_directory_destroy(struct vtd_unit *unit, uint64_t directory, uint64_t table)
{
	page_free(unit, &directory);
	page_free(unit, &table);
}

/* ---- context entries ---- */

/* Up to four words; [0] has the present bit. */
struct entry {
	uint64_t words[4];
};

static unsigned entry_words(const struct vtd_unit *unit)
{
	return unit->config.scalable ? 4 : 2;
}

static struct entry entry_of_directory(uint64_t directory)
{
	const struct vtd_scontext context = {
		.present = true,
		.directory = directory,
		.directory_entries = 128,
	};
	struct vtd_scontext_raw raw = vtd_scontext_encode(&context);
	struct entry entry;

	memcpy(entry.words, raw.q, sizeof(entry.words));
	return entry;
}

static struct entry entry_of(const struct vtd_context *context)
{
	struct vtd_context_raw raw = vtd_context_encode(context);

	return (struct entry){{raw.lo, raw.hi}};
}

static struct entry entry_pass_through(const struct vtd_unit *unit)
{
	const struct vtd_context context = {
		.present = true,
		.type = VTD_TT_PASS_THROUGH,
		.levels = vtd_largest_levels(unit),
		.domain = VTD_DOMAIN_PASS_THROUGH,
	};

	return unit->config.scalable ? entry_of_directory(unit->pass_directory)
				     : entry_of(&context);
}

static struct entry entry_of_space(const struct vtd_unit *unit, const struct vtd_space *space)
{
	const struct vtd_context context = {
		.present = true,
		.type = VTD_TT_SECOND_STAGE,
		.table = space->table.root,
		.levels = space->format.levels,
		.domain = space->domain,
	};

	return unit->config.scalable ? entry_of_directory(space->directory) : entry_of(&context);
}

static uint64_t *entry_at(struct vtd_unit *unit, uint16_t source)
{
	unsigned devfn = source & 0xff, half = 0;

	if (unit->config.scalable) {
		half = devfn / SCALABLE_HALF;
		devfn %= SCALABLE_HALF;
	}
	uint64_t *page = vtd_mem_at(unit->config.mem, unit->buses[source >> 8].context[half]);
	return page + (size_t)devfn * entry_words(unit);
}

/* ---- root entries ---- */

static void point_root(struct vtd_unit *unit, unsigned bus, const struct vtd_bus *pages)
{
	const struct vtd_root root = {
		.lower_present = pages->context[0],
		.upper_present = pages->context[1],
		.lower = pages->context[0],
		.upper = pages->context[1],
	};
	struct vtd_root_raw raw = vtd_root_encode(&root);
	struct vtd_root_raw *table = vtd_mem_at(unit->config.mem, unit->root);

	store(unit, &table[bus].hi, raw.hi);
	store(unit, &table[bus].lo, raw.lo);
}

/* A copy of the shared pages for one bus, so that nothing changes for its other functions. */
static int own_bus(struct vtd_unit *unit, unsigned bus)
{
	struct vtd_bus *own = &unit->buses[bus];
	unsigned pages = unit->config.scalable ? 2 : 1;

	if (own->context[0])
		return 0;
	for (unsigned i = 0; i < pages; i++) {
		void *page = page_new(unit, &own->context[i]);
		if (!page) {
			page_free(unit, &own->context[0]);
			return -ENOMEM;
		}
		if (unit->shared.context[i])
			memcpy(page, vtd_mem_at(unit->config.mem, unit->shared.context[i]),
			       VTD_PAGE);
		vtd_mem_flush(unit->config.mem, page, VTD_PAGE);
	}
	point_root(unit, bus, own);
	const struct vtd_inv forget = {.type = VTD_INV_CONTEXT, .scope = VTD_SCOPE_GLOBAL};
	return vtd_queue_run(unit, &forget, 1);
}

static int share_pages(struct vtd_unit *unit)
{
	const struct vtd_pasid pasid = {
		.present = true,
		.type = VTD_PGTT_PASS_THROUGH,
		.domain = VTD_DOMAIN_PASS_THROUGH,
		.second_levels = vtd_largest_levels(unit),
	};
	uint64_t phys;

	if (unit->config.scalable &&
	    vtd_directory_create(unit, &pasid, &unit->pass_directory, &unit->pass_pasids) < 0)
		return -ENOMEM;
	uint64_t *page = page_new(unit, &phys);
	if (!page)
		return -ENOMEM;
	struct entry entry = entry_pass_through(unit);
	unsigned words = entry_words(unit);
	for (unsigned i = 0; i < VTD_PAGE / sizeof(*page); i++)
		page[i] = entry.words[i % words];
	vtd_mem_flush(unit->config.mem, page, VTD_PAGE);
	/* In scalable mode both halves of a bus read the same page. */
	unit->shared = (struct vtd_bus){{phys, unit->config.scalable ? phys : 0}};
	for (unsigned bus = 0; bus < ARRAY_SIZE(unit->buses); bus++)
		point_root(unit, bus, &unit->shared);
	return 0;
}

int vtd_context_start(struct vtd_unit *unit)
{
	if (!page_new(unit, &unit->root))
		return -ENOMEM;
	return unit->config.pass_through ? share_pages(unit) : 0;
}

void vtd_context_finish(struct vtd_unit *unit)
{
	for (unsigned bus = 0; bus < ARRAY_SIZE(unit->buses); bus++) {
		page_free(unit, &unit->buses[bus].context[0]);
		page_free(unit, &unit->buses[bus].context[1]);
	}
	page_free(unit, &unit->shared.context[0]);
	page_free(unit, &unit->pass_directory);
	page_free(unit, &unit->pass_pasids);
	page_free(unit, &unit->root);
}

/* ---- forgetting ---- */

/* The order is the specification's (6.5.3): context, PASID, then IOTLB, since each is filled from
 * the one before. */
static int forget(struct vtd_unit *unit, const struct vtd_inv *context, uint16_t domain, bool all)
{
	enum vtd_inv_scope scope = all ? VTD_SCOPE_GLOBAL : VTD_SCOPE_DOMAIN;
	struct vtd_inv list[3] = {*context};
	size_t count = 1;

	if (unit->config.scalable)
		list[count++] = (struct vtd_inv){
			.type = VTD_INV_PASID_CACHE, .scope = scope, .domain = domain};
	list[count++] = (struct vtd_inv){
		.type = VTD_INV_IOTLB,
		.scope = scope,
		.domain = domain,
		.drain_reads = unit->cap.drain_reads,
		.drain_writes = unit->cap.drain_writes,
	};
	return vtd_queue_run(unit, list, count);
}

int vtd_context_forget_all(struct vtd_unit *unit)
{
	const struct vtd_inv context = {.type = VTD_INV_CONTEXT, .scope = VTD_SCOPE_GLOBAL};

	return forget(unit, &context, 0, true);
}

static int forget_function(struct vtd_unit *unit, uint16_t source, uint16_t domain)
{
	const struct vtd_inv context = {
		.type = VTD_INV_CONTEXT,
		.scope = VTD_SCOPE_DEVICE,
		.source = source,
		.domain = domain,
	};

	return forget(unit, &context, domain, false);
}

/* ---- one function ---- */

int vtd_context_clear(struct vtd_unit *unit, uint16_t source, uint16_t domain)
{
	uint64_t *entry = entry_at(unit, source);

	/* The present bit first, and the rest only when the unit has forgotten the entry. */
	store(unit, &entry[0], 0);
	int err = forget_function(unit, source, domain);
	for (unsigned i = 1; i < entry_words(unit) && !err; i++)
		store(unit, &entry[i], 0);
	return err;
}

int vtd_context_set(struct vtd_unit *unit, uint16_t source, const struct vtd_space *space)
{
	int err = own_bus(unit, source >> 8);

	if (err)
		return err;
	uint64_t *entry = entry_at(unit, source);
	struct entry wanted = entry_of_space(unit, space);
	/* Present to present is not one store, so it goes over absent. */
	if (entry[0] & 1)
		err = vtd_context_clear(unit, source, VTD_DOMAIN_PASS_THROUGH);
	if (err)
		return err;
	for (unsigned i = entry_words(unit); i-- > 0;)
		store(unit, &entry[i], wanted.words[i]);
	/* With caching mode the unit knows that it was absent, under domain 0 (6.1). */
	if (unit->cap.caching_mode)
		err = forget_function(unit, source, VTD_DOMAIN_NONE);
	else
		err = vtd_flush_writes(unit);
	return err;
}
