/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any page table, read: reserved bits, loops, shared tables, pointers to nowhere. Bounded work, no
 * access outside of the pages, and each span inside the range asked for, in order.
 *
 * The first byte chooses the format; then every 12 bytes are one entry: page, index, and what it
 * says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "iommu/pagetable.h"
#include "iommu/vtd_format.h"

#define PAGES 6u
#define BASE  UINT64_C(0x40000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	uint64_t pages[PAGES][512];
	uint64_t buffer[512]; /* the one a reader hands out */
	uint64_t next;	      /* first address that a span may begin at */
	size_t reads;
};

/* As from a file: one buffer, so that who keeps a pointer too long reads something else. */
static uint64_t *page(void *opaque, uint64_t phys)
{
	struct fuzz *fuzz = opaque;
	uint64_t offset = phys - BASE;

	fuzz->reads++;
	if (phys < BASE || offset % 4096 || offset / 4096 >= PAGES)
		return NULL;
	memcpy(fuzz->buffer, fuzz->pages[offset / 4096], 4096);
	return fuzz->buffer;
}

static int span(void *opaque, const struct pagetable_span *s)
{
	struct fuzz *fuzz = opaque;

	if (s->iova < fuzz->next || !s->size || s->iova + s->size < s->iova || !s->attrs)
		abort();
	fuzz->next = s->iova + s->size;
	return 0;
}

static int trouble(void *opaque, const struct pagetable_trouble *t)
{
	(void)opaque;
	if (!t->why || !t->level || t->level > PAGETABLE_LEVELS_MAX)
		abort();
	return 0;
}

static void fill(struct fuzz *fuzz, const uint8_t *data, size_t size)
{
	for (; size >= 12; data += 12, size -= 12) {
		unsigned index = (data[2] | (unsigned)data[3] << 8) % 512;
		uint64_t raw;
		memcpy(&raw, data + 4, sizeof(raw));
		/* Half of the pointers stay at home: elsewhere is found soon enough. */
		if (data[1] & 1)
			raw = (raw & ~UINT64_C(0xffffffffff000)) |
			      (BASE + (uint64_t)(data[1] >> 1) % PAGES * 4096);
		fuzz->pages[data[0] % PAGES][index] = raw;
	}
}

static void look_up(const struct pagetable *pt, const uint8_t *data, size_t size)
{
	struct pagetable_trouble t;
	struct pagetable_span s;
	uint64_t iova;

	for (; size >= 8; data += 8, size -= 8) {
		memcpy(&iova, data, sizeof(iova));
		iova &= (UINT64_C(1) << pt->format->input_bits) - 1;
		if (pagetable_lookup(pt, iova, &s, &t) == 0 &&
		    (iova < s.iova || iova - s.iova >= s.size))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	const uint64_t sizes = 4 * KIB | 2 * MIB | GIB;
	const struct pagetable_memory memory = {.page = page, .opaque = &fuzz};
	const struct pagetable_visitor visitor = {span, trouble, &fuzz};

	if (!size)
		return 0;
	unsigned levels = 3 + data[0] % 3, flags = data[0] >> 2 & 7;
	const struct pagetable_format format = data[0] & 0x80
						       ? vtd_first_stage(levels, 46, sizes, flags)
						       : vtd_second_stage(levels, 46, sizes, flags);
	memset(&fuzz, 0, sizeof(fuzz));
	fill(&fuzz, data + 1, size - 1);
	struct pagetable pt = pagetable_view(&format, &memory, BASE);
	pt.walk_limit = 64;
	pagetable_each(&pt, (struct range){0, UINT64_MAX}, &visitor);
	if (fuzz.reads > 64 * 1200)
		abort();
	look_up(&pt, data, size);
	return 0;
}
