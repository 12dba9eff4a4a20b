/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pagetable: the one walker of I/O page tables: map, unmap, look up, go through a range.
 *
 *        root                 level 4 (3 … 5)        9 bits of the address per level
 *         └► table            level 3   a leaf here is a page of 1 GiB
 *             └► table        level 2   a leaf here is a page of 2 MiB
 *                 └► table    level 1   every entry is a page of 4 KiB
 *
 * What the bits of an entry mean is the format's business (vtd_format.h makes formats); where table
 * pages lie is the memory's: pinned hugepages for a unit that we drive, a read-only view of the
 * host's memory for an audit, an arena in tests.
 *
 * Four rules. Nothing is half done: a call first counts and reserves the table pages it needs, then
 * writes what can no longer fail. Hardware may walk the table at any time: a page is filled before
 * an entry points at it, and every entry changes in one 64-bit store. A page taken out of the table
 * is kept until pagetable_reap(), because the unit's caches may still know it; the caller
 * invalidates first. And nothing read is believed: reserved bits, wild pointers and loops end in a
 * pagetable_trouble, after bounded work.
 */
#ifndef IOMMU_PAGETABLE_H
#define IOMMU_PAGETABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/range.h"

#define PAGETABLE_LEVELS_MAX 5u
#define PAGETABLE_ENTRIES    512u
#define PAGETABLE_PAGE	     4096u

/* What a page allows and shows. READ and WRITE are IOMMU_READ and IOMMU_WRITE of iommu.h. */
#define PAGETABLE_READ	   (1u << 0)
#define PAGETABLE_WRITE	   (1u << 1)
#define PAGETABLE_EXEC	   (1u << 2)
#define PAGETABLE_SNOOP	   (1u << 3) /* forced to be coherent (second stage) */
#define PAGETABLE_ACCESSED (1u << 4) /* set by hardware; ignored by map */
#define PAGETABLE_DIRTY	   (1u << 5)

/* ---- where table pages lie ---- */

struct pagetable_memory {
	/* The table page at physical address `phys` (aligned); NULL where there is none, or it
	 * cannot be read. Reading uses it only until the next call, so that one buffer serves a
	 * memory that is only read; changing needs it to stay until it is freed. */
	uint64_t *(*page)(void *opaque, uint64_t phys);
	/* The rest is needed only by who changes a table. A zeroed page; NULL when there is none.
	 */
	uint64_t *(*alloc)(void *opaque, uint64_t *phys);
	void (*free)(void *opaque, uint64_t phys);
	/* Written memory is made visible to a unit that does not snoop; NULL where all do. */
	void (*flush)(void *opaque, const void *at, size_t size);
	void *opaque;
};

/* ---- what an entry means ---- */

enum pagetable_kind { PAGETABLE_ABSENT, PAGETABLE_TABLE, PAGETABLE_LEAF };

struct pagetable_entry {
	enum pagetable_kind kind;
	uint64_t phys;
	unsigned attrs; /* of a table: what it lets through */
};

struct pagetable_format {
	const char *name;
	unsigned levels;     /* 3, 4, 5 */
	unsigned input_bits; /* I/O addresses are below 2^input_bits */
	unsigned phys_bits;  /* and what they become below 2^phys_bits */
	uint64_t page_sizes; /* bit 12, 21, 30: sizes that a leaf may have */
	unsigned flags;	     /* the format's own */
	uint64_t (*leaf)(const struct pagetable_format *format, unsigned level, uint64_t phys,
			 unsigned attrs);
	uint64_t (*table)(const struct pagetable_format *format, uint64_t phys);
	/* NULL, or why hardware would refuse the entry; *out is filled as far as it goes. */
	const char *(*decode)(const struct pagetable_format *format, unsigned level, uint64_t raw,
			      struct pagetable_entry *out);
};

/* ---- a table ---- */

#define PAGETABLE_REPLACED_MAX 8u

struct pagetable {
	const struct pagetable_format *format;
	const struct pagetable_memory *memory;
	uint64_t root;
	size_t tables;	   /* table pages that hardware may walk to, the root among them */
	size_t walk_limit; /* table pages one pagetable_each may read; 0: PAGETABLE_WALK_LIMIT */
	/* Pages taken out and not yet reaped. Empty ones are a list through their first entry,
	 * which reads as absent. A table that one large page replaced must stay as it is, since a
	 * unit that still knows it walks through it; when there is no room for one more, none is
	 * replaced. */
	uint64_t garbage;
	uint64_t replaced[PAGETABLE_REPLACED_MAX];
	unsigned replaced_count;
};

#define PAGETABLE_WALK_LIMIT (1u << 22) /* the tables of 8 TiB in pages of 4 KiB */

/* An empty table. -ENOMEM; -EINVAL: a format with 1 GiB pages and none of 2 MiB. `format` and
 * `memory` stay the caller's and must outlive it. */
int pagetable_create(const struct pagetable_format *format, const struct pagetable_memory *memory,
		     struct pagetable *out);
/* Frees every page; nothing may walk the table any more. */
void pagetable_destroy(struct pagetable *pt);
/* Somebody else's table, to be read. */
struct pagetable pagetable_view(const struct pagetable_format *format,
				const struct pagetable_memory *memory, uint64_t root);

/* Maps with the largest pages that format and alignment allow, and merges with what is there to
 * larger ones. Everything in multiples of the smallest page. A format that cannot withhold reading
 * (the first stage) allows it with WRITE alone, too. All or nothing:
 *   -EINVAL  not aligned, size 0, or attrs with neither READ nor WRITE
 *   -ERANGE  `iova` or `phys` is beyond the format's width
 *   -EEXIST  part of it is mapped already
 *   -ENOMEM  no memory for tables
 *   -EUCLEAN the table holds what pagetable_trouble describes                                    */
int pagetable_map(struct pagetable *pt, uint64_t iova, uint64_t phys, uint64_t size,
		  unsigned attrs);

/* Takes out whatever is mapped there, and splits larger pages that stick out. *unmapped (may be
 * NULL) gets the bytes. -EINVAL, -ERANGE, -ENOMEM (a split needs a table), -EUCLEAN: all or
 * nothing, as above. */
int pagetable_unmap(struct pagetable *pt, uint64_t iova, uint64_t size, uint64_t *unmapped);

/* True when pages wait for pagetable_reap: caches of the unit must be invalidated before. */
static inline bool pagetable_has_garbage(const struct pagetable *pt)
{
	return pt->garbage || pt->replaced_count;
}

/* Frees the pages that were taken out. */
void pagetable_reap(struct pagetable *pt);

/* ---- reading ---- */

/* Neighbouring pages of one size that go on physically, with the same attributes. */
struct pagetable_span {
	uint64_t iova, phys, size;
	uint64_t page_size;
	unsigned attrs; /* what leaf and every table above it allow */
};

/* Why a table cannot be followed. */
struct pagetable_trouble {
	uint64_t iova;	/* first address behind the entry */
	uint64_t table; /* physical address of the page */
	unsigned level, index;
	uint64_t raw;
	const char *why;
};

/* The page behind `iova`. -ENOENT: not mapped; -ERANGE: beyond the width; -EUCLEAN: *trouble. */
int pagetable_lookup(const struct pagetable *pt, uint64_t iova, struct pagetable_span *out,
		     struct pagetable_trouble *trouble);

/* One step of a walk, for showing it: entry `index` of the page at `table`. */
struct pagetable_step {
	unsigned level, index;
	uint64_t table, raw;
	struct pagetable_entry entry;
};
/* As pagetable_lookup, and writes the steps it took; returns their number, or -ERANGE. */
int pagetable_trace(const struct pagetable *pt, uint64_t iova,
		    struct pagetable_step steps[PAGETABLE_LEVELS_MAX],
		    struct pagetable_trouble *trouble);

struct pagetable_visitor {
	/* Ascending; a result other than 0 ends the walk and is returned. */
	int (*span)(void *opaque, const struct pagetable_span *span);
	/* As above; 0: leave that entry out and go on. NULL: end with -EUCLEAN. */
	int (*trouble)(void *opaque, const struct pagetable_trouble *trouble);
	void *opaque;
};

/* Every span that touches `range`, cut to it. 0, what the visitor returned, or -E2BIG when the
 * limit of tables was reached (told as trouble before). */
int pagetable_each(const struct pagetable *pt, struct range range,
		   const struct pagetable_visitor *visitor);

#endif
