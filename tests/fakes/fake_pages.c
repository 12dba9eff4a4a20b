/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_pages: see fake_pages.h. A page that comes back is poisoned, so that who still reads it
 * fails. */
#include "tests/fakes/fake_pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

static uint64_t *page(void *opaque, uint64_t phys)
{
	struct fake_pages *fake = opaque;
	uint64_t offset = phys - fake->base;

	if (phys < fake->base || offset % PAGE || offset / PAGE >= fake->count)
		return NULL;
	return fake->pages + offset / sizeof(uint64_t);
}

static uint64_t *alloc(void *opaque, uint64_t *phys)
{
	struct fake_pages *fake = opaque;
	size_t index;

	if (!fake->refuse || fake->used == fake->count)
		return NULL;
	if (fake->refuse != SIZE_MAX)
		fake->refuse--;
	index = fake->free_count ? fake->free[--fake->free_count] : fake->high++;
	fake->used++;
	fake->taken[index] = 1;
	*phys = fake->base + index * PAGE;
	return memset(page(fake, *phys), 0, PAGE);
}

static void give_back(void *opaque, uint64_t phys)
{
	struct fake_pages *fake = opaque;
	size_t index = (size_t)((phys - fake->base) / PAGE);

	if (!page(fake, phys) || !fake->taken[index]) {
		fprintf(stderr, "fake_pages: 0x%llx freed, which is not in use\n",
			(unsigned long long)phys);
		abort();
	}
	memset(page(fake, phys), 0xee, PAGE);
	fake->taken[index] = 0;
	fake->free[fake->free_count++] = index;
	fake->used--;
}

static void flush(void *opaque, const void *at, size_t size)
{
	struct fake_pages *fake = opaque;

	(void)at;
	(void)size;
	fake->flushes++;
}

void fake_pages_init(struct fake_pages *fake, uint64_t base, size_t count)
{
	*fake = (struct fake_pages){
		.memory = {page, alloc, give_back, flush, fake},
		.base = base,
		.count = count,
		.refuse = SIZE_MAX,
		.pages = aligned_alloc(PAGE, count * PAGE),
		.free = malloc(count * sizeof(size_t)),
		.taken = calloc(count, 1),
	};
	if (!fake->pages || !fake->free || !fake->taken)
		abort();
}

void fake_pages_finish(struct fake_pages *fake)
{
	free(fake->pages);
	free(fake->free);
	free(fake->taken);
}

uint64_t *fake_page(struct fake_pages *fake, uint64_t phys)
{
	return page(fake, phys);
}
