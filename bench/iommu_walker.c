/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the page-table walker takes to map, find and unmap 16 GiB: by pages of 4 KiB, 2 MiB and 1
 * GiB, in one call and in a call per page. `make bench-iommu` prints the table.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

static double time_lookups(const struct pagetable *pt)
{
	struct pagetable_trouble trouble;
	struct pagetable_span span;
	uint64_t random = 88172645463325252u;
	double start = now();

	for (unsigned i = 0; i < LOOKUP; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		must(pagetable_lookup(pt, random % RANGE, &span, &trouble), "lookup");
	}
	return (now() - start) / LOOKUP;
}

/* `call`: bytes per call. The best of three rounds, of which the first finds memory cold. */
static void measure(const char *name, const struct pagetable_format *format, uint64_t page,
		    uint64_t call)
{
	struct pages pages = {0};
	const struct pagetable_memory memory = {page_at, page_alloc, page_free, NULL, &pages};
	double map = 1e18, unmap = 1e18, lookup = 0;
	double count = (double)RANGE / (double)page;
	struct pagetable pt;
	size_t tables = 0;

	must(pagetable_create(format, &memory, &pt), "create");
	for (int round = 0; round < 3; round++) {
		double start = now();
		for (uint64_t at = 0; at < RANGE; at += call)
			must(pagetable_map(&pt, at, at, call, RW), "map");
		map = MIN(map, now() - start);
		tables = pt.tables;
		lookup = time_lookups(&pt);
		start = now();
		for (uint64_t at = 0; at < RANGE; at += call) {
			must(pagetable_unmap(&pt, at, call, NULL), "unmap");
			pagetable_reap(&pt);
		}
		unmap = MIN(unmap, now() - start);
	}
	printf("%-14s %-10s %9.0f %10.1f %10.1f %10.1f %12zu\n", name,
	       call == RANGE ? "one" : "per page", count, map / count, unmap / count, lookup,
	       tables * 4096);
	pagetable_destroy(&pt);
}

int main(void)
{
	static const struct {
		const char *name;
		uint64_t page, sizes;
	} rows[] = {
		{"4 KiB", 4 * KIB, 4 * KIB},
		{"2 MiB", 2 * MIB, 4 * KIB | 2 * MIB},
		{"1 GiB", GIB, 4 * KIB | 2 * MIB | GIB},
	};

	printf("page-table walker: 16 GiB, second stage, 4 levels\n");
	printf("%-14s %-10s %9s %10s %10s %10s %12s\n", "pages", "calls", "count", "map ns",
	       "unmap ns", "lookup ns", "table bytes");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct pagetable_format format = vtd_second_stage(4, 52, rows[i].sizes, 0);
		measure(rows[i].name, &format, rows[i].page, RANGE);
		measure(rows[i].name, &format, rows[i].page, rows[i].page);
	}
	return 0;
}
