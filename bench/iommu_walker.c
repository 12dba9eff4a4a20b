/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the page-table walker takes to map, find and unmap 16 GiB: by pages of 4 KiB, 2 MiB and 1
 * GiB, in one call and in a call per page. `make bench-iommu` prints its rows, and VFIO's below.
 *
 *     iommu_walker WHO    names the rows; "" prints the head of the table alone
 */
#include "bench/iommu_row.h"

#include "base/util.h"
#include "iommu/pagetable.h"
#include "iommu/vtd_format.h"

#define RANGE  (16 * GIB)
#define LOOKUP 1000000u
#define RW     (PAGETABLE_READ | PAGETABLE_WRITE)

/* Table pages whose physical address is the virtual one; freed pages are kept in a list. */
struct page {
	struct page *next;
};
struct pages {
	struct page *free;
};

static uint64_t *page_at(void *opaque, uint64_t phys)
{
	(void)opaque;
	return (uint64_t *)(uintptr_t)phys;
}

static uint64_t *page_alloc(void *opaque, uint64_t *phys)
{
	struct pages *pages = opaque;
	struct page *page = pages->free;

	if (page)
		pages->free = page->next;
	else
		page = aligned_alloc(4096, 4096);
	if (!page)
		return NULL;
	*phys = (uintptr_t)page;
	return memset(page, 0, 4096);
}

static void page_free(void *opaque, uint64_t phys)
{
	struct pages *pages = opaque;
	struct page *page = (struct page *)(uintptr_t)phys;

	page->next = pages->free;
	pages->free = page;
}

static double time_lookups(const struct pagetable *pt)
{
	struct pagetable_trouble trouble;
	struct pagetable_span span;
	uint64_t random = 88172645463325252u;
	double start = row_now();

	for (unsigned i = 0; i < LOOKUP; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		row_must(pagetable_lookup(pt, random % RANGE, &span, &trouble), "lookup");
	}
	return (row_now() - start) / LOOKUP;
}

/* `call`: bytes per call. The best of three rounds, of which the first finds memory cold. */
static void measure(const char *who, const struct pagetable_format *format, uint64_t page,
		    uint64_t call)
{
	struct pages pages = {0};
	const struct pagetable_memory memory = {page_at, page_alloc, page_free, NULL, &pages};
	struct row row = {who, page, call, RANGE, 1e18, 1e18, 0, 0};
	struct pagetable pt;

	row_must(pagetable_create(format, &memory, &pt), "create");
	for (int round = 0; round < 3; round++) {
		double start = row_now();
		for (uint64_t at = 0; at < RANGE; at += call)
			row_must(pagetable_map(&pt, at, at, call, RW), "map");
		row.map = MIN(row.map, row_now() - start);
		row.tables = (int64_t)pt.tables * 4096;
		row.lookup = time_lookups(&pt);
		start = row_now();
		for (uint64_t at = 0; at < RANGE; at += call) {
			row_must(pagetable_unmap(&pt, at, call, NULL), "unmap");
			pagetable_reap(&pt);
		}
		row.unmap = MIN(row.unmap, row_now() - start);
	}
	row_print(&row);
	pagetable_destroy(&pt);
}

int main(int argc, char **argv)
{
	static const uint64_t sizes[][2] = {
		{4 * KIB, 4 * KIB},
		{2 * MIB, 4 * KIB | 2 * MIB},
		{GIB, 4 * KIB | 2 * MIB | GIB},
	};
	const char *who = argc > 1 ? argv[1] : "walker";

	if (!*who)
		row_head();
	for (size_t i = 0; *who && i < ARRAY_SIZE(sizes); i++) {
		const struct pagetable_format format = vtd_second_stage(4, 52, sizes[i][1], 0);
		measure(who, &format, sizes[i][0], RANGE);
		measure(who, &format, sizes[i][0], sizes[i][0]);
	}
	return 0;
}
