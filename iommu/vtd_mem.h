/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_mem: memory whose physical addresses are known and stay: tables, queues, and buffers for DMA.
 *
 * It comes in chunks of one 2 MiB hugepage, from a file on a hugetlbfs. A file, because its pages
 * outlive us: after a kill -9 the unit still walks our tables, and they must not have become
 * somebody else's memory by then. The file goes away when the unit is off (vtd_journal.h).
 * Hugepages, because the kernel does not move them; mlock and a second look at /proc/self/pagemap
 * hold it to that.
 */
#ifndef IOMMU_VTD_MEM_H
#define IOMMU_VTD_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iommu/pagetable.h"

#define VTD_CHUNK	(2u << 20)
#define VTD_CHUNK_PAGES 512u

/* Where chunks come from; tests have one without hugepages. */
struct vtd_mem_source {
	/* One more chunk, zeroed. -ENOMEM, logged. */
	int (*grow)(void *opaque, void **at, uint64_t *phys);
	/* Where the chunk lies now. */
	int (*find)(void *opaque, const void *at, uint64_t *phys);
	void (*release)(void *opaque, void *at);
	void *opaque;
};

struct vtd_mem;

/* `coherent`: the unit snoops; else every table written is flushed out of the cache. */
int vtd_mem_create(const struct vtd_mem_source *source, bool coherent, struct vtd_mem **out);
void vtd_mem_destroy(struct vtd_mem *mem);

/* `pages` neighbouring pages, zeroed, aligned to their own size; a power of two up to a chunk.
 * NULL: there is no more, logged. */
void *vtd_mem_alloc(struct vtd_mem *mem, unsigned pages, uint64_t *phys);
void vtd_mem_free(struct vtd_mem *mem, uint64_t phys, unsigned pages);
void *vtd_mem_at(struct vtd_mem *mem, uint64_t phys);
/* Where `at` lies, asked anew; *run: how many bytes from there on are neighbours. -EFAULT, quietly,
 * when it is none of this memory; or when its page has moved, logged. */
int vtd_mem_phys(const struct vtd_mem *mem, const void *at, uint64_t *phys, uint64_t *run);
void vtd_mem_flush(const struct vtd_mem *mem, const void *at, size_t size);

/* Table pages for the walker. */
const struct pagetable_memory *vtd_mem_tables(struct vtd_mem *mem);

/* That every chunk still lies where it lay; -EFAULT, logged: translation must stop. */
int vtd_mem_check(const struct vtd_mem *mem);

/* Chunks from the file `path` on a hugetlbfs; `path` is made. `pagemap` tells where they lie:
 * VTD_PAGEMAP outside tests. -ENOENT, -ENOMEM, -EPERM, logged with what to do. The source is closed
 * with vtd_hugefile_close, which does not remove the file. */
struct vtd_hugefile;
#define VTD_PAGEMAP "/proc/self/pagemap"
int vtd_hugefile_open(const char *path, const char *pagemap, struct vtd_hugefile **out,
		      struct vtd_mem_source *source);
void vtd_hugefile_close(struct vtd_hugefile *file);

#endif
