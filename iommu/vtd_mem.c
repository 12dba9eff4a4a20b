/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_mem: an allocator of pages over chunks. See vtd_mem.h. */
#include "iommu/vtd_mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/log.h"
#include "base/util.h"

#define PAGE	  4096u
#define CACHELINE ((uintptr_t)64)

struct chunk {
	char *at;
	uint64_t phys;
	struct bitmap taken;
	unsigned free_from; /* no page below is free */
};

struct vtd_mem {
	struct vtd_mem_source source;
	bool coherent;
	struct chunk *chunks;
	size_t count;
	size_t recent; /* looked into first */
	struct pagetable_memory tables;
};

static struct chunk *chunk_of(struct vtd_mem *mem, uint64_t phys)
{
	uint64_t start = ALIGN_DOWN(phys, VTD_CHUNK);

	if (mem->count && mem->chunks[mem->recent].phys == start)
		return &mem->chunks[mem->recent];
	for (size_t i = 0; i < mem->count; i++)
		if (mem->chunks[i].phys == start) {
			mem->recent = i;
			return &mem->chunks[i];
		}
	return NULL;
}

void *vtd_mem_at(struct vtd_mem *mem, uint64_t phys)
{
	struct chunk *chunk = chunk_of(mem, phys);

	return chunk ? chunk->at + (phys - chunk->phys) : NULL;
}

static int add_chunk(struct vtd_mem *mem)
{
	struct chunk *chunks = realloc(mem->chunks, (mem->count + 1) * sizeof(*chunks));
	struct chunk chunk = {0};
	void *at;

	if (!chunks)
		return -ENOMEM;
	mem->chunks = chunks;
	int err = bitmap_init(&chunk.taken, VTD_CHUNK_PAGES);
	if (err)
		return err;
	err = mem->source.grow(mem->source.opaque, &at, &chunk.phys);
	if (err) {
		bitmap_finish(&chunk.taken);
		return err;
	}
	chunk.at = at;
	mem->chunks[mem->count++] = chunk;
	return 0;
}

static void *take(struct chunk *chunk, unsigned pages, uint64_t *phys)
{
	int first = bitmap_alloc_range(&chunk->taken, chunk->free_from, pages, pages);

	if (first < 0)
		return NULL;
	if (pages == 1)
		chunk->free_from = (unsigned)first + 1;
	*phys = chunk->phys + (uint64_t)first * PAGE;
	return memset(chunk->at + (size_t)first * PAGE, 0, (size_t)pages * PAGE);
}

void *vtd_mem_alloc(struct vtd_mem *mem, unsigned pages, uint64_t *phys)
{
	void *at = mem->count ? take(&mem->chunks[mem->recent], pages, phys) : NULL;

	for (size_t i = 0; !at && i < mem->count; i++) {
		at = take(&mem->chunks[i], pages, phys);
		mem->recent = at ? i : mem->recent;
	}
	if (at || pages > VTD_CHUNK_PAGES || add_chunk(mem) < 0)
		return at;
	mem->recent = mem->count - 1;
	return take(&mem->chunks[mem->recent], pages, phys);
}

void vtd_mem_free(struct vtd_mem *mem, uint64_t phys, unsigned pages)
{
	struct chunk *chunk = chunk_of(mem, phys);

	if (!chunk)
		return;
	unsigned first = (unsigned)((phys - chunk->phys) / PAGE);
	for (unsigned i = 0; i < pages; i++)
		bitmap_clear(&chunk->taken, first + i);
	chunk->free_from = MIN(chunk->free_from, first);
}

void vtd_mem_flush(const struct vtd_mem *mem, const void *at, size_t size)
{
	uintptr_t line = ALIGN_DOWN((uintptr_t)at, CACHELINE);

	/* The unit reads what it has not cached as soon as it likes: order holds in both cases. */
	if (!mem->coherent)
		for (; line < (uintptr_t)at + size; line += CACHELINE)
			__builtin_ia32_clflush((const void *)line);
	__builtin_ia32_mfence();
}

/* ---- table pages ---- */

static uint64_t *table_page(void *opaque, uint64_t phys)
{
	return vtd_mem_at(opaque, phys);
}

static uint64_t *table_alloc(void *opaque, uint64_t *phys)
{
	return vtd_mem_alloc(opaque, 1, phys);
}

static void table_free(void *opaque, uint64_t phys)
{
	vtd_mem_free(opaque, phys, 1);
}

static void table_flush(void *opaque, const void *at, size_t size)
{
	vtd_mem_flush(opaque, at, size);
}

const struct pagetable_memory *vtd_mem_tables(struct vtd_mem *mem)
{
	return &mem->tables;
}

int vtd_mem_create(const struct vtd_mem_source *source, bool coherent, struct vtd_mem **out)
{
	struct vtd_mem *mem = calloc(1, sizeof(*mem));

	if (!mem)
		return -ENOMEM;
	mem->source = *source;
	mem->coherent = coherent;
	mem->tables =
		(struct pagetable_memory){table_page, table_alloc, table_free, table_flush, mem};
	*out = mem;
	return 0;
}

void vtd_mem_destroy(struct vtd_mem *mem)
{
	if (!mem)
		return;
	for (size_t i = 0; i < mem->count; i++) {
		mem->source.release(mem->source.opaque, mem->chunks[i].at);
		bitmap_finish(&mem->chunks[i].taken);
	}
	free(mem->chunks);
	free(mem);
}

static int check_chunk(const struct vtd_mem *mem, const struct chunk *chunk)
{
	uint64_t phys = 0;
	int err = mem->source.find(mem->source.opaque, chunk->at, &phys);

	if (err || phys == chunk->phys)
		return err;
	return log_fail(-EFAULT, "iommu",
			"a pinned hugepage moved from 0x%" PRIx64 " to 0x%" PRIx64
			"; the unit must be switched off",
			chunk->phys, phys);
}

int vtd_mem_check(const struct vtd_mem *mem)
{
	int err = 0;

	for (size_t i = 0; i < mem->count && !err; i++)
		err = check_chunk(mem, &mem->chunks[i]);
	return err;
}

int vtd_mem_phys(const struct vtd_mem *mem, const void *at, uint64_t *phys, uint64_t *run)
{
	for (size_t i = 0; i < mem->count; i++) {
		uintptr_t offset = (uintptr_t)at - (uintptr_t)mem->chunks[i].at;
		if (offset >= VTD_CHUNK)
			continue;
		*phys = mem->chunks[i].phys + offset;
		*run = VTD_CHUNK - offset;
		return check_chunk(mem, &mem->chunks[i]);
	}
	return -EFAULT;
}
