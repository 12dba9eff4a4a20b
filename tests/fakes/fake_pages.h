/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_pages: table pages for the page-table walker, out of one arena that counts and can refuse.
 */
#ifndef TESTS_FAKES_FAKE_PAGES_H
#define TESTS_FAKES_FAKE_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "iommu/pagetable.h"

struct fake_pages {
	struct pagetable_memory memory;
	uint64_t base; /* physical address of the first page */
	size_t count;  /* pages there are */
	size_t used;   /* pages handed out now */
	size_t high;   /* never handed out from here on */
	size_t refuse; /* alloc succeeds this many times more; SIZE_MAX: always */
	size_t flushes;
	uint64_t *pages; /* count * 512 entries */
	size_t *free;	 /* stack of pages that came back */
	size_t free_count;
	unsigned char *taken;
};

void fake_pages_init(struct fake_pages *fake, uint64_t base, size_t count);
void fake_pages_finish(struct fake_pages *fake);
/* The page at `phys`, which must be one. */
uint64_t *fake_page(struct fake_pages *fake, uint64_t phys);

#endif
