/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page-table walker, in both formats, against a plain array that says for each page where it
 * goes. SLUICE_SEED repeats a run; SLUICE_STEPS makes it longer.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/pagetable.h"
#include "iommu/vtd_format.h"
#include "tests/fakes/fake_pages.h"

#define PAGE  UINT64_C(4096)
#define RW    (PAGETABLE_READ | PAGETABLE_WRITE)
#define SIZES (4 * KIB | 2 * MIB | GIB)
#define ARENA UINT64_C(0x7000000000)
#define SEEN  (PAGETABLE_ACCESSED | PAGETABLE_DIRTY)

static struct pagetable_format format_of(unsigned levels, bool first)
{
	return first ? vtd_first_stage(levels, 46, SIZES, 0)
		     : vtd_second_stage(levels, 46, SIZES, VTD_PAGING_SNOOP);
}

/* ---- what a table holds, told by the walker ---- */

struct told {
	struct pagetable_span spans[64];
	struct pagetable_trouble troubles[64];
	size_t span_count, trouble_count;
};

static int take_span(void *opaque, const struct pagetable_span *span)
{
	struct told *told = opaque;

	assert_true(told->span_count < ARRAY_SIZE(told->spans));
	told->spans[told->span_count++] = *span;
	return 0;
}

static int take_trouble(void *opaque, const struct pagetable_trouble *trouble)
{
	struct told *told = opaque;

	assert_true(told->trouble_count < ARRAY_SIZE(told->troubles));
	told->troubles[told->trouble_count++] = *trouble;
	return 0;
}

static struct told tell(const struct pagetable *pt)
{
	struct told told = {0};
	const struct pagetable_visitor visitor = {take_span, take_trouble, &told};

	assert_int_equal(pagetable_each(pt, (struct range){0, UINT64_MAX}, &visitor), 0);
	return told;
}

static void assert_span(const struct pagetable_span *span, uint64_t iova, uint64_t phys,
			uint64_t size, uint64_t page_size)
{
	assert_int_equal(span->iova, iova);
	assert_int_equal(span->phys, phys);
	assert_int_equal(span->size, size);
	assert_int_equal(span->page_size, page_size);
}

/* ---- examples ---- */

static void takes_the_largest_pages(void **state)
{
	const struct pagetable_format format = format_of(4, false);
	struct fake_pages pages;
	struct pagetable pt;

	(void)state;
	fake_pages_init(&pages, ARENA, 64);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	/* 4K, then 2M, then 1G, then 2M, then 4K. */
	uint64_t start = GIB - 2 * MIB - PAGE, size = PAGE + 2 * MIB + GIB + 2 * MIB + PAGE;
	assert_int_equal(pagetable_map(&pt, start, 8 * GIB + start, size, RW), 0);
	struct told told = tell(&pt);
	assert_int_equal(told.span_count, 5);
	assert_span(&told.spans[0], start, 8 * GIB + start, PAGE, PAGE);
	assert_span(&told.spans[1], GIB - 2 * MIB, 9 * GIB - 2 * MIB, 2 * MIB, 2 * MIB);
	assert_span(&told.spans[2], GIB, 9 * GIB, GIB, GIB);
	assert_span(&told.spans[3], 2 * GIB, 10 * GIB, 2 * MIB, 2 * MIB);
	assert_span(&told.spans[4], 2 * GIB + 2 * MIB, 10 * GIB + 2 * MIB, PAGE, PAGE);
	assert_int_equal(pt.tables, 6); /* root, one of level 3, two each of 2 and 1 */
	assert_int_equal(pages.used, 6);
	/* Physically half a large page off: nothing larger than what both sides allow. */
	assert_int_equal(pagetable_map(&pt, 4 * GIB, 5 * GIB + 2 * MIB, GIB, PAGETABLE_READ), 0);
	told = tell(&pt);
	assert_span(&told.spans[5], 4 * GIB, 5 * GIB + 2 * MIB, GIB, 2 * MIB);
	assert_int_equal(told.spans[5].attrs, PAGETABLE_READ);
	pagetable_destroy(&pt);
	assert_int_equal(pages.used, 0);
	fake_pages_finish(&pages);
}

static void a_unit_without_large_pages_gets_small_ones(void **state)
{
	struct pagetable_format format = vtd_second_stage(3, 46, 4 * KIB, 0);
	struct fake_pages pages;
	struct pagetable pt;

	(void)state;
	fake_pages_init(&pages, ARENA, 64);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	assert_int_equal(pagetable_map(&pt, 0, 0, 4 * MIB, RW), 0);
	struct told told = tell(&pt);
	assert_int_equal(told.span_count, 1);
	assert_int_equal(told.spans[0].page_size, PAGE);
	assert_int_equal(pages.used, 4);
	pagetable_destroy(&pt);
	format.page_sizes = 4 * KIB | GIB;
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), -EINVAL);
	fake_pages_finish(&pages);
}

/* A terabyte in pages of 1 GiB is two pages of level 3 under the root. */
static void a_terabyte_is_three_tables(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		const struct pagetable_format format = format_of(4, first);
		struct fake_pages pages;
		struct pagetable pt;
		uint64_t bytes;
		fake_pages_init(&pages, ARENA, 64);
		assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
		assert_int_equal(pagetable_map(&pt, 0, GIB, 1024 * GIB, RW), 0);
		assert_int_equal(pages.used, 3);
		assert_int_equal(tell(&pt).span_count, 1);
		/* One page out of the middle costs one table of 2M and one of 4K. */
		assert_int_equal(pagetable_unmap(&pt, 512 * GIB + PAGE, PAGE, &bytes), 0);
		assert_int_equal(bytes, PAGE);
		assert_int_equal(pages.used, 5);
		assert_int_equal(pagetable_unmap(&pt, 0, 1024 * GIB, &bytes), 0);
		assert_int_equal(bytes, 1024 * GIB - PAGE);
		pagetable_reap(&pt);
		assert_int_equal(pages.used, 1);
		pagetable_destroy(&pt);
		fake_pages_finish(&pages);
	}
}

static void splits_and_merges(void **state)
{
	const struct pagetable_format format = format_of(5, false);
	struct fake_pages pages;
	struct pagetable pt;
	uint64_t bytes;

	(void)state;
	fake_pages_init(&pages, ARENA, 64);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	assert_int_equal(pagetable_map(&pt, GIB, GIB, GIB, RW), 0);
	size_t tables = pt.tables;
	assert_int_equal(pagetable_unmap(&pt, GIB + 5 * PAGE, PAGE, &bytes), 0);
	assert_int_equal(pt.tables, tables + 2);
	assert_false(pagetable_has_garbage(&pt));
	assert_int_equal(tell(&pt).span_count, 3); /* 4K, 4K, 2M */
	/* The hole is filled again: two tables become large pages, and stay until they are reaped.
	 */
	assert_int_equal(pagetable_map(&pt, GIB + 5 * PAGE, GIB + 5 * PAGE, PAGE, RW), 0);
	assert_int_equal(pt.tables, tables);
	assert_true(pagetable_has_garbage(&pt));
	assert_int_equal(pages.used, tables + 2);
	pagetable_reap(&pt);
	assert_int_equal(pages.used, tables);
	struct told told = tell(&pt);
	assert_int_equal(told.span_count, 1);
	assert_int_equal(told.spans[0].page_size, GIB);
	/* With another physical page in the hole nothing merges. */
	assert_int_equal(pagetable_unmap(&pt, GIB + 5 * PAGE, PAGE, NULL), 0);
	assert_int_equal(pagetable_map(&pt, GIB + 5 * PAGE, 0, PAGE, RW), 0);
	assert_int_equal(pt.tables, tables + 2);
	pagetable_destroy(&pt);
	assert_int_equal(pages.used, 0);
	fake_pages_finish(&pages);
}

/* What hardware walks through while its caches are old: a table that a large page replaced keeps
 * its entries, and without room to remember one, none is replaced. */
static void replaced_tables_stay_as_they_are(void **state)
{
	const struct pagetable_format format = format_of(4, false);
	struct fake_pages pages;
	struct pagetable pt;

	(void)state;
	fake_pages_init(&pages, ARENA, 64);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	for (uint64_t i = 0; i < PAGETABLE_REPLACED_MAX + 1; i++) {
		uint64_t at = i * 2 * MIB;
		assert_int_equal(pagetable_map(&pt, at, at, MIB, RW), 0);
		assert_int_equal(pagetable_map(&pt, at + MIB, at + MIB, MIB, RW), 0);
	}
	assert_int_equal(pt.replaced_count, PAGETABLE_REPLACED_MAX);
	assert_int_equal(fake_page(&pages, pt.replaced[0])[0] & 7, 3);
	struct told told = tell(&pt);
	assert_int_equal(told.span_count, 2);
	assert_span(&told.spans[0], 0, 0, PAGETABLE_REPLACED_MAX * 2 * MIB, 2 * MIB);
	assert_int_equal(told.spans[1].page_size, PAGE);
	pagetable_destroy(&pt);
	assert_int_equal(pages.used, 0);
	fake_pages_finish(&pages);
}

static void refuses(void **state)
{
	const struct pagetable_format format = format_of(3, false);
	struct fake_pages pages;
	struct pagetable pt;
	struct pagetable_span span;
	struct pagetable_trouble trouble;

	(void)state;
	fake_pages_init(&pages, ARENA, 64);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	assert_int_equal(pagetable_map(&pt, 1, 0, PAGE, RW), -EINVAL);
	assert_int_equal(pagetable_map(&pt, 0, 1, PAGE, RW), -EINVAL);
	assert_int_equal(pagetable_map(&pt, 0, 0, 0, RW), -EINVAL);
	assert_int_equal(pagetable_map(&pt, 0, 0, PAGE - 1, RW), -EINVAL);
	assert_int_equal(pagetable_map(&pt, 0, 0, PAGE, PAGETABLE_SNOOP), -EINVAL);
	assert_int_equal(pagetable_map(&pt, 512 * GIB, 0, PAGE, RW), -ERANGE);
	assert_int_equal(pagetable_map(&pt, 512 * GIB - PAGE, 0, 2 * PAGE, RW), -ERANGE);
	assert_int_equal(pagetable_map(&pt, 0, UINT64_C(1) << 46, PAGE, RW), -ERANGE);
	assert_int_equal(pagetable_map(&pt, UINT64_MAX - PAGE + 1, 0, PAGE, RW), -ERANGE);
	assert_int_equal(pagetable_unmap(&pt, 1, PAGE, NULL), -EINVAL);
	assert_int_equal(pagetable_unmap(&pt, 512 * GIB, PAGE, NULL), -ERANGE);
	assert_int_equal(pagetable_lookup(&pt, 512 * GIB, &span, &trouble), -ERANGE);
	assert_int_equal(pagetable_lookup(&pt, 0, &span, &trouble), -ENOENT);
	assert_int_equal(pagetable_map(&pt, 512 * GIB - PAGE, 0, PAGE, RW), 0);
	/* Over a page, over a large page, over a table that a large page would replace. */
	assert_int_equal(pagetable_map(&pt, 511 * GIB, 0, GIB, RW), -EEXIST);
	assert_int_equal(pagetable_map(&pt, 512 * GIB - PAGE, 0, PAGE, RW), -EEXIST);
	assert_int_equal(pagetable_map(&pt, 2 * MIB, 0, 2 * MIB, RW), 0);
	assert_int_equal(pagetable_map(&pt, 2 * MIB + PAGE, 0, PAGE, RW), -EEXIST);
	assert_int_equal(pagetable_map(&pt, 0, 0, GIB, RW), -EEXIST);
	assert_int_equal(pages.used, pt.tables);
	pagetable_destroy(&pt);
	pagetable_destroy(&pt);
	pagetable_destroy(NULL);
	pages.refuse = 0;
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), -ENOMEM);
	fake_pages_finish(&pages);
}

/* Every allocation refused in turn: nothing changes, and nothing is lost. */
static void failure_leaves_no_trace(void **state)
{
	const struct pagetable_format format = format_of(4, false);
	struct fake_pages pages;
	struct pagetable pt;
	static uint64_t before[64 * 512];
	int err = -ENOMEM;

	(void)state;
	fake_pages_init(&pages, ARENA, 64);
	memset(pages.pages, 0xee, sizeof(before)); /* as pages that came back are */
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	assert_int_equal(pagetable_map(&pt, GIB, GIB, GIB, RW), 0);
	for (int round = 0; round < 2; round++) {
		for (size_t allowed = 0; err == -ENOMEM; allowed++) {
			size_t used = pages.used, tables = pt.tables;
			memcpy(before, pages.pages, sizeof(before));
			pages.refuse = allowed;
			/* Tables at both ends; then splits at both ends of one large page. */
			err = round == 0 ? pagetable_map(&pt, 3 * GIB - PAGE, GIB - PAGE,
							 GIB + PAGE, RW)
					 : pagetable_unmap(&pt, GIB + PAGE, GIB - 2 * PAGE, NULL);
			if (err == -ENOMEM) {
				assert_int_equal(pages.used, used);
				assert_int_equal(pt.tables, tables);
				assert_memory_equal(before, pages.pages, sizeof(before));
			} else {
				assert_int_equal(allowed, round == 0 ? 2 : 3);
			}
		}
		assert_int_equal(err, 0);
		err = -ENOMEM;
	}
	assert_int_equal(pages.used, pt.tables);
	pagetable_destroy(&pt);
	fake_pages_finish(&pages);
}

static void a_trace_shows_every_step(void **state)
{
	const struct pagetable_format format = format_of(4, true);
	struct pagetable_step steps[PAGETABLE_LEVELS_MAX];
	struct pagetable_trouble trouble;
	struct fake_pages pages;
	struct pagetable pt;

	(void)state;
	fake_pages_init(&pages, ARENA, 64);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	assert_int_equal(pagetable_map(&pt, 6 * MIB, 8 * MIB, 2 * MIB, RW), 0);
	assert_int_equal(pagetable_trace(&pt, 6 * MIB + 5, steps, &trouble), 3);
	assert_null(trouble.why);
	assert_int_equal(steps[0].level, 4);
	assert_int_equal(steps[0].table, pt.root);
	assert_int_equal(steps[2].level, 2);
	assert_int_equal(steps[2].index, 3);
	assert_int_equal(steps[2].entry.kind, PAGETABLE_LEAF);
	assert_int_equal(steps[2].entry.phys, 8 * MIB);
	assert_int_equal(pagetable_trace(&pt, 4 * MIB, steps, &trouble), 3);
	assert_int_equal(steps[2].entry.kind, PAGETABLE_ABSENT);
	assert_int_equal(pagetable_trace(&pt, UINT64_C(1) << 47, steps, &trouble), -ERANGE);
	pagetable_destroy(&pt);
	fake_pages_finish(&pages);
}

/* What the tables above withhold, the leaf cannot give. */
static void tables_gate_their_leaves(void **state)
{
	const struct pagetable_format format = format_of(3, false);
	struct pagetable_trouble trouble;
	struct pagetable_span span;
	struct fake_pages pages;
	struct pagetable pt;

	(void)state;
	fake_pages_init(&pages, ARENA, 64);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	assert_int_equal(pagetable_map(&pt, 0, 0, 2 * MIB, RW | PAGETABLE_SNOOP), 0);
	assert_int_equal(pagetable_lookup(&pt, PAGE, &span, &trouble), 0);
	assert_int_equal(span.attrs, RW | PAGETABLE_SNOOP);
	fake_page(&pages, pt.root)[0] &= ~UINT64_C(2); /* W of the table */
	assert_int_equal(pagetable_lookup(&pt, PAGE, &span, &trouble), 0);
	assert_int_equal(span.attrs, PAGETABLE_READ | PAGETABLE_SNOOP);
	assert_int_equal(tell(&pt).spans[0].attrs, PAGETABLE_READ | PAGETABLE_SNOOP);
	fake_page(&pages, pt.root)[0] ^= 3; /* W without R, over R without W */
	uint64_t level2 = fake_page(&pages, pt.root)[0] & ~UINT64_C(0xfff);
	fake_page(&pages, level2)[0] &= ~UINT64_C(2);
	assert_int_equal(pagetable_lookup(&pt, PAGE, &span, &trouble), -ENOENT);
	assert_int_equal(tell(&pt).span_count, 0);
	pagetable_destroy(&pt);
	fake_pages_finish(&pages);
}

/* ---- hostile tables ---- */

static void trouble_is_told_and_passed_over(void **state)
{
	const struct pagetable_format format = format_of(4, false);
	struct pagetable_trouble trouble;
	struct pagetable_span span;
	struct fake_pages pages;
	struct pagetable pt;

	(void)state;
	fake_pages_init(&pages, ARENA, 16);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	assert_int_equal(pagetable_map(&pt, 0, 0, 2 * MIB, RW), 0);
	uint64_t *root = fake_page(&pages, pt.root);
	root[1] = pt.root | 3;		   /* a loop */
	root[2] = (ARENA + 16 * PAGE) | 3; /* no memory there */
	root[3] = 0x83;			   /* a page of 512 GiB */
	root[4] = ARENA | 0x803;	   /* SNP of a table */
	root[5] = UINT64_C(1) << 47 | 3;   /* beyond the host's width */
	uint64_t *level3 = fake_page(&pages, root[0] & ~UINT64_C(0xfff));
	level3[7] = 0x200000 | 0x83; /* 1 GiB, not aligned */
	static const char *const why[] = {"size are set", "loop",   "in memory",
					  "only tables",  "bit 11", "host's width"};
	struct told told = tell(&pt);
	assert_int_equal(told.trouble_count, ARRAY_SIZE(why));
	for (size_t i = 0; i < ARRAY_SIZE(why); i++)
		assert_non_null(strstr(told.troubles[i].why, why[i]));
	assert_int_equal(told.troubles[0].iova, 7 * GIB);
	assert_int_equal(told.troubles[0].level, 3);
	assert_int_equal(told.troubles[1].index, 1);
	assert_int_equal(told.span_count, 1);
	assert_int_equal(pagetable_lookup(&pt, 512 * GIB * 3, &span, &trouble), -EUCLEAN);
	assert_int_equal(trouble.index, 3);
	assert_int_equal(pagetable_lookup(&pt, 512 * GIB * 2, &span, &trouble), -EUCLEAN);
	/* Changing what is broken is refused before anything is changed. */
	assert_int_equal(pagetable_map(&pt, 512 * GIB * 3, 0, PAGE, RW), -EUCLEAN);
	assert_int_equal(pagetable_map(&pt, 512 * GIB * 2, 0, PAGE, RW), -EUCLEAN);
	assert_int_equal(pagetable_unmap(&pt, 512 * GIB * 3, PAGE, NULL), -EUCLEAN);
	assert_int_equal(pagetable_unmap(&pt, 512 * GIB * 2, PAGE, NULL), -EUCLEAN);
	const struct pagetable_visitor strict = {take_span, NULL, &told};
	assert_int_equal(pagetable_each(&pt, (struct range){0, UINT64_MAX}, &strict), -EUCLEAN);
	pt.root = ARENA - PAGE;
	assert_int_equal(pagetable_each(&pt, (struct range){0, UINT64_MAX}, &strict), -EUCLEAN);
	assert_int_equal(pagetable_lookup(&pt, 0, &span, &trouble), -EUCLEAN);
	fake_pages_finish(&pages);
}

/* Tables that share their children grow with 512 to the power of levels; the limit ends it. */
static void shared_tables_end_at_the_limit(void **state)
{
	const struct pagetable_format format = format_of(5, false);
	struct fake_pages pages;
	struct told told = {0};
	const struct pagetable_visitor visitor = {take_span, take_trouble, &told};

	(void)state;
	fake_pages_init(&pages, ARENA, 5);
	memset(pages.pages, 0, 5 * PAGE);
	for (size_t page = 0; page < 4; page++)
		for (size_t i = 0; i < 512; i++)
			pages.pages[page * 512 + i] = (ARENA + (page + 1) * PAGE) | 3;
	struct pagetable pt = pagetable_view(&format, &pages.memory, ARENA);
	pt.walk_limit = 1000;
	assert_int_equal(pagetable_each(&pt, (struct range){0, UINT64_MAX}, &visitor), -E2BIG);
	assert_int_equal(told.trouble_count, 1);
	assert_non_null(strstr(told.troubles[0].why, "given up"));
	fake_pages_finish(&pages);
}

static int stop_at_once(void *opaque, const struct pagetable_span *span)
{
	(void)opaque;
	(void)span;
	return -ECANCELED;
}

static void a_range_is_cut_and_can_be_stopped(void **state)
{
	const struct pagetable_format format = format_of(4, false);
	struct told told = {0};
	const struct pagetable_visitor visitor = {take_span, take_trouble, &told};
	const struct pagetable_visitor stop = {stop_at_once, NULL, NULL};
	struct fake_pages pages;
	struct pagetable pt;

	(void)state;
	fake_pages_init(&pages, ARENA, 16);
	assert_int_equal(pagetable_create(&format, &pages.memory, &pt), 0);
	assert_int_equal(pagetable_map(&pt, 0, GIB, GIB, RW), 0);
	assert_int_equal(pagetable_each(&pt, (struct range){3 * PAGE, 5 * PAGE - 1}, &visitor), 0);
	assert_int_equal(told.span_count, 1);
	assert_span(&told.spans[0], 3 * PAGE, GIB + 3 * PAGE, 2 * PAGE, GIB);
	assert_int_equal(pagetable_each(&pt, (struct range){GIB, UINT64_MAX}, &visitor), 0);
	assert_int_equal(told.span_count, 1);
	assert_int_equal(pagetable_each(&pt, (struct range){5, 4}, &visitor), 0);
	assert_int_equal(pagetable_each(&pt, (struct range){0, UINT64_MAX}, &stop), -ECANCELED);
	pagetable_destroy(&pt);
	fake_pages_finish(&pages);
}

/* ---- property: the same as a plain array ---- */

#define MODEL_PAGES (UINT64_C(3) << 18) /* 3 GiB */

struct model {
	struct fake_pages pages;
	struct pagetable_format format;
	struct pagetable pt;
	uint64_t base;	 /* first I/O address of the model */
	uint64_t *plain; /* per page: phys | attrs, 0 for none */
	uint64_t mapped; /* bytes */
	uint64_t random;
};

static uint64_t next_random(struct model *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random;
}

static uint64_t below(struct model *m, uint64_t limit)
{
	return next_random(m) % limit;
}

/* Small ranges mostly; some of large pages, some crooked over large pages. */
static void pick_range(struct model *m, uint64_t *page, uint64_t *count)
{
	static const uint64_t units[] = {1, 1, 1, 512, 512, 1 << 18};
	uint64_t kind = below(m, 64);
	uint64_t unit = units[kind < 48 ? below(m, 3) : kind < 63 ? 3 : 5];

	*count = unit * (1 + below(m, unit == 1 ? 40 : 3));
	*count += kind % 8 == 7 && below(m, 2) ? below(m, 700) : 0;
	*count = MIN(*count, MODEL_PAGES);
	*page = ALIGN_DOWN(below(m, MODEL_PAGES - *count + 1), unit);
}

/* Half the time where merging can happen: one fixed distance from the I/O address. */
static uint64_t pick_phys(struct model *m, uint64_t page)
{
	uint64_t straight = 16 * GIB + page * PAGE;

	return below(m, 4) ? straight : straight + below(m, 1024) * PAGE;
}

static void step_map(struct model *m)
{
	static const unsigned choices[] = {RW, RW, RW, PAGETABLE_READ};
	uint64_t page, count;
	bool clash = false;

	pick_range(m, &page, &count);
	uint64_t phys = pick_phys(m, page);
	unsigned attrs = choices[below(m, 4)];
	for (uint64_t i = 0; i < count && !clash; i++)
		clash = m->plain[page + i];
	size_t tables = m->pt.tables;
	m->pages.refuse = below(m, 16) ? SIZE_MAX : below(m, 3);
	int err = pagetable_map(&m->pt, m->base + page * PAGE, phys, count * PAGE, attrs);
	m->pages.refuse = SIZE_MAX;
	if (err == -ENOMEM) {
		assert_false(clash);
		assert_int_equal(m->pt.tables, tables);
		return;
	}
	assert_int_equal(err, clash ? -EEXIST : 0);
	for (uint64_t i = 0; i < count && !clash; i++)
		m->plain[page + i] = (phys + i * PAGE) | attrs;
	m->mapped += clash ? 0 : count * PAGE;
}

static void step_unmap(struct model *m)
{
	uint64_t page, count, bytes = 0, expected = 0;

	pick_range(m, &page, &count);
	for (uint64_t i = 0; i < count; i++)
		expected += m->plain[page + i] ? PAGE : 0;
	m->pages.refuse = below(m, 16) ? SIZE_MAX : 0;
	int err = pagetable_unmap(&m->pt, m->base + page * PAGE, count * PAGE, &bytes);
	m->pages.refuse = SIZE_MAX;
	if (err == -ENOMEM)
		return;
	assert_int_equal(err, 0);
	assert_int_equal(bytes, expected);
	memset(&m->plain[page], 0, count * sizeof(*m->plain));
	m->mapped -= expected;
}

static void step_lookup(struct model *m)
{
	uint64_t page = below(m, MODEL_PAGES), iova = m->base + page * PAGE + below(m, PAGE);
	struct pagetable_trouble trouble;
	struct pagetable_span span;
	int err = pagetable_lookup(&m->pt, iova, &span, &trouble);

	assert_int_equal(err, m->plain[page] ? 0 : -ENOENT);
	if (err)
		return;
	uint64_t phys = span.phys + (ALIGN_DOWN(iova, PAGE) - span.iova);
	assert_int_equal(phys | (span.attrs & ~SEEN), m->plain[page]);
}

struct comparison {
	struct model *m;
	uint64_t mapped;
};

static int compare_span(void *opaque, const struct pagetable_span *span)
{
	struct comparison *c = opaque;
	uint64_t page = (span->iova - c->m->base) / PAGE;

	c->mapped += span->size;
	for (uint64_t i = 0; i < span->size / PAGE; i++)
		assert_int_equal(c->m->plain[page + i],
				 (span->phys + i * PAGE) | (span->attrs & ~SEEN));
	/* The largest pages that can be: a span of small ones holds no place for a larger one. */
	uint64_t larger = span->page_size * 512;
	uint64_t start = ALIGN_UP(span->iova, larger);
	if (larger <= GIB && start + larger <= span->iova + span->size)
		assert_false(IS_ALIGNED(span->phys + (start - span->iova), larger));
	return 0;
}

/* The whole table beside the whole array, and not one table page too many. */
static void compare_all(struct model *m)
{
	struct comparison c = {m, 0};
	const struct pagetable_visitor visitor = {compare_span, NULL, &c};

	assert_int_equal(pagetable_each(&m->pt, (struct range){0, UINT64_MAX}, &visitor), 0);
	assert_int_equal(c.mapped, m->mapped);
	assert_int_equal(m->pages.used, m->pt.tables);
	for (size_t i = 0; i < m->pages.high; i++) {
		const uint64_t *page = m->pages.pages + i * 512;
		uint64_t any = 0;
		for (size_t e = 0; e < 512; e++)
			any |= page[e];
		if (m->pages.taken[i] && m->pages.base + i * PAGE != m->pt.root)
			assert_true(any);
	}
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void same_as_a_plain_array(unsigned levels, bool first)
{
	uint64_t seed = from_environment("SLUICE_SEED", (uint64_t)time(NULL) * 1000 + levels);
	uint64_t steps = from_environment("SLUICE_STEPS", 1000000);
	struct model m = {.random = seed | 1, .format = format_of(levels, first)};

	printf("# %s, %u levels: SLUICE_SEED=%" PRIu64 " SLUICE_STEPS=%" PRIu64 "\n", m.format.name,
	       levels, seed, steps);
	fflush(stdout);
	fake_pages_init(&m.pages, ARENA, 4096);
	m.plain = calloc(MODEL_PAGES, sizeof(*m.plain));
	assert_non_null(m.plain);
	/* Across a boundary of the highest level, where there is one. */
	m.base = (UINT64_C(1) << (m.format.input_bits - 1)) - GIB;
	assert_int_equal(pagetable_create(&m.format, &m.pages.memory, &m.pt), 0);
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t choice = below(&m, 16);
		if (choice < 4)
			step_map(&m);
		else if (choice < 7)
			step_unmap(&m);
		else
			step_lookup(&m);
		pagetable_reap(&m.pt);
		if (i % (steps / 20 + 1) == 0)
			compare_all(&m);
	}
	compare_all(&m);
	pagetable_destroy(&m.pt);
	assert_int_equal(m.pages.used, 0);
	fake_pages_finish(&m.pages);
	free(m.plain);
}

static void second_stage_of_3_levels_is_a_plain_array(void **state)
{
	(void)state;
	same_as_a_plain_array(3, false);
}

static void second_stage_of_5_levels_is_a_plain_array(void **state)
{
	(void)state;
	same_as_a_plain_array(5, false);
}

static void first_stage_of_4_levels_is_a_plain_array(void **state)
{
	(void)state;
	same_as_a_plain_array(4, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_largest_pages),
		cmocka_unit_test(a_unit_without_large_pages_gets_small_ones),
		cmocka_unit_test(a_terabyte_is_three_tables),
		cmocka_unit_test(splits_and_merges),
		cmocka_unit_test(replaced_tables_stay_as_they_are),
		cmocka_unit_test(refuses),
		cmocka_unit_test(failure_leaves_no_trace),
		cmocka_unit_test(a_trace_shows_every_step),
		cmocka_unit_test(tables_gate_their_leaves),
		cmocka_unit_test(trouble_is_told_and_passed_over),
		cmocka_unit_test(shared_tables_end_at_the_limit),
		cmocka_unit_test(a_range_is_cut_and_can_be_stopped),
		cmocka_unit_test(second_stage_of_3_levels_is_a_plain_array),
		cmocka_unit_test(second_stage_of_5_levels_is_a_plain_array),
		cmocka_unit_test(first_stage_of_4_levels_is_a_plain_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
