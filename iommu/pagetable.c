/* SPDX-License-Identifier: BSD-3-Clause */
/* pagetable: map and unmap. See pagetable.h; reading is in pagetable_read.c.
 *
 * Both go down the table twice with the same shape of recursion: once to plan, which may fail and
 * changes nothing, and once to act, which cannot. */
#include "iommu/pagetable.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "iommu/pagetable_walk.h"

#define KEPT_ATTRS (~(PAGETABLE_ACCESSED | PAGETABLE_DIRTY))

static uint64_t *page_at(const struct pagetable *pt, uint64_t phys)
{
	return pt->memory->page(pt->memory->opaque, phys);
}

static void flush(const struct pagetable *pt, const void *at, size_t size)
{
	if (pt->memory->flush)
		pt->memory->flush(pt->memory->opaque, at, size);
}

/* One store, so that hardware sees the old entry or the new one. */
static void store(uint64_t *entry, uint64_t raw)
{
	__atomic_store_n(entry, raw, __ATOMIC_RELEASE);
}

static void publish(const struct pagetable *pt, uint64_t *entry, uint64_t raw)
{
	store(entry, raw);
	flush(pt, entry, sizeof(*entry));
}

static bool size_allowed(const struct pagetable *pt, unsigned level)
{
	return pt->format->page_sizes & pagetable_level_size(level);
}

/* ---- table pages ---- */

/* Pages got in advance: a list through their first entry. */
struct stash {
	uint64_t head;
};

static void stash_put(const struct pagetable *pt, struct stash *stash, uint64_t phys)
{
	page_at(pt, phys)[0] = stash->head;
	stash->head = phys;
}

static uint64_t *stash_take(struct pagetable *pt, struct stash *stash, uint64_t *phys)
{
	uint64_t *page = page_at(pt, stash->head);

	*phys = stash->head;
	stash->head = page[0];
	page[0] = 0;
	pt->tables++;
	return page;
}

static void free_list(const struct pagetable *pt, uint64_t *head)
{
	while (*head) {
		uint64_t phys = *head;
		*head = page_at(pt, phys)[0];
		pt->memory->free(pt->memory->opaque, phys);
	}
}

static int reserve(const struct pagetable *pt, struct stash *stash, size_t need)
{
	uint64_t phys;

	for (; need; need--) {
		if (!pt->memory->alloc(pt->memory->opaque, &phys)) {
			free_list(pt, &stash->head);
			return -ENOMEM;
		}
		stash_put(pt, stash, phys);
	}
	return 0;
}

static void discard(struct pagetable *pt, uint64_t phys)
{
	store(page_at(pt, phys), pt->garbage);
	pt->garbage = phys;
	pt->tables--;
}

void pagetable_reap(struct pagetable *pt)
{
	free_list(pt, &pt->garbage);
	while (pt->replaced_count)
		pt->memory->free(pt->memory->opaque, pt->replaced[--pt->replaced_count]);
}

int pagetable_create(const struct pagetable_format *format, const struct pagetable_memory *memory,
		     struct pagetable *out)
{
	struct pagetable pt = {.format = format, .memory = memory, .tables = 1};

	if (format->page_sizes & GIB && !(format->page_sizes & 2 * MIB))
		return -EINVAL; /* a split would take 512 tables */
	uint64_t *page = memory->alloc(memory->opaque, &pt.root);
	if (!page)
		return -ENOMEM;
	flush(&pt, page, PAGETABLE_PAGE);
	*out = pt;
	return 0;
}

/* Takes the whole subtree below a table out; returns the bytes that it mapped. */
static uint64_t drop_tree(struct pagetable *pt, uint64_t phys, unsigned level)
{
	uint64_t *table = page_at(pt, phys), bytes = 0;
	struct pagetable_entry entry;

	for (unsigned i = 0; table && i < PAGETABLE_ENTRIES; i++) {
		if (!table[i] || pt->format->decode(pt->format, level, table[i], &entry))
			continue;
		if (entry.kind == PAGETABLE_LEAF)
			bytes += pagetable_level_size(level);
		else if (entry.kind == PAGETABLE_TABLE)
			bytes += drop_tree(pt, entry.phys, level - 1);
	}
	if (table)
		discard(pt, phys);
	return bytes;
}

void pagetable_destroy(struct pagetable *pt)
{
	if (!pt || !pt->root)
		return;
	drop_tree(pt, pt->root, pt->format->levels);
	pagetable_reap(pt);
	*pt = (struct pagetable){0};
}

/* ---- map ---- */

/* What a recursion is about: addresses `first` to `last` of the table at hand. */
struct job {
	uint64_t first, last;
	uint64_t phys; /* where `first` goes */
	unsigned attrs;
};

/* Cuts `job` to what entry `index` of a table covers. */
static struct job job_part(const struct job *job, unsigned level, unsigned index)
{
	uint64_t size = pagetable_level_size(level);
	uint64_t table = ALIGN_DOWN(job->first, size * PAGETABLE_ENTRIES);
	uint64_t start = table + index * size;
	struct job part = *job;

	part.first = MAX(job->first, start);
	part.last = MIN(job->last, start + (size - 1));
	part.phys = job->phys + (part.first - job->first);
	return part;
}

static bool covers_entry(const struct job *part, unsigned level)
{
	return part->last - part->first == pagetable_level_size(level) - 1;
}

static bool leaf_fits(const struct pagetable *pt, const struct job *part, unsigned level)
{
	return size_allowed(pt, level) && covers_entry(part, level) &&
	       IS_ALIGNED(part->phys, pagetable_level_size(level));
}

/* Counts the tables that mapping `job` takes. `table` is NULL where there is none yet. */
static int plan_map(const struct pagetable *pt, const uint64_t *table, unsigned level,
		    const struct job *job, size_t *need)
{
	unsigned last = pagetable_index(job->last, level);
	struct pagetable_entry entry;

	if (level == 1 && !table)
		return 0;
	for (unsigned i = pagetable_index(job->first, level); i <= last; i++) {
		const struct job part = job_part(job, level, i);
		const uint64_t *next = NULL;
		if (table && table[i]) {
			if (pt->format->decode(pt->format, level, table[i], &entry))
				return -EUCLEAN;
			if (entry.kind == PAGETABLE_LEAF)
				return -EEXIST;
			next = entry.kind == PAGETABLE_TABLE ? page_at(pt, entry.phys) : NULL;
			if (!next)
				return -EUCLEAN;
		}
		if (next && covers_entry(&part, level))
			return -EEXIST; /* a table is never empty */
		if (leaf_fits(pt, &part, level))
			continue;
		*need += !next;
		int err = plan_map(pt, next, level - 1, &part, need);
		if (err)
			return err;
	}
	return 0;
}

/* Whether all entries of `table` (at `level`) are one page of the next level; *raw becomes it. */
static bool is_mergeable(const struct pagetable *pt, const uint64_t *table, unsigned level,
			 uint64_t *raw)
{
	const struct pagetable_format *format = pt->format;
	uint64_t size = pagetable_level_size(level);
	struct pagetable_entry first, entry;
	unsigned seen = 0;

	if (!size_allowed(pt, level + 1) || !table[0] || !table[PAGETABLE_ENTRIES - 1] ||
	    format->decode(format, level, table[0], &first) || first.kind != PAGETABLE_LEAF ||
	    !IS_ALIGNED(first.phys, size * PAGETABLE_ENTRIES))
		return false;
	for (unsigned i = PAGETABLE_ENTRIES;
	     i-- > 0;) { /* the last one is the likeliest to differ */
		if (format->decode(format, level, table[i], &entry) ||
		    entry.kind != PAGETABLE_LEAF || entry.phys != first.phys + i * size ||
		    (entry.attrs & KEPT_ATTRS) != (first.attrs & KEPT_ATTRS))
			return false;
		seen |= entry.attrs & ~KEPT_ATTRS;
	}
	*raw = format->leaf(format, level + 1, first.phys, first.attrs | seen);
	return true;
}

static void merge(struct pagetable *pt, uint64_t *entry, uint64_t phys, const uint64_t *table,
		  unsigned level)
{
	uint64_t raw;

	if (pt->replaced_count == PAGETABLE_REPLACED_MAX || !is_mergeable(pt, table, level, &raw))
		return;
	publish(pt, entry, raw);
	pt->replaced[pt->replaced_count++] = phys;
	pt->tables--;
}

/* Neighbouring leaves: the address is the only thing that changes. */
static void fill_leaves(const struct pagetable *pt, uint64_t *table, unsigned level,
			const struct job *job)
{
	uint64_t size = pagetable_level_size(level);
	uint64_t raw = pt->format->leaf(pt->format, level, job->phys, job->attrs);
	unsigned first = pagetable_index(job->first, level);
	unsigned last = pagetable_index(job->last, level);

	for (unsigned i = first; i <= last; i++, raw += size)
		store(&table[i], raw);
	flush(pt, &table[first], (last - first + 1) * sizeof(*table));
}

static void fill(struct pagetable *pt, struct stash *stash, uint64_t *table, unsigned level,
		 const struct job *job)
{
	const struct pagetable_format *format = pt->format;
	unsigned last = pagetable_index(job->last, level);
	struct pagetable_entry entry;
	uint64_t phys;

	if (level == 1) {
		fill_leaves(pt, table, level, job);
		return;
	}
	for (unsigned i = pagetable_index(job->first, level); i <= last; i++) {
		const struct job part = job_part(job, level, i);
		if (leaf_fits(pt, &part, level)) {
			publish(pt, &table[i], format->leaf(format, level, part.phys, part.attrs));
		} else if (table[i]) {
			format->decode(format, level, table[i], &entry);
			uint64_t *next = page_at(pt, entry.phys);
			fill(pt, stash, next, level - 1, &part);
			merge(pt, &table[i], entry.phys, next, level - 1);
		} else {
			uint64_t *next = stash_take(pt, stash, &phys);
			flush(pt, next, PAGETABLE_PAGE);
			fill(pt, stash, next, level - 1, &part);
			publish(pt, &table[i], format->table(format, phys));
		}
	}
}

static int check_range(uint64_t start, uint64_t size, unsigned bits)
{
	uint64_t end = UINT64_C(1) << bits;

	if (!size || !IS_ALIGNED(start | size, PAGETABLE_PAGE))
		return -EINVAL;
	return size > end || start > end - size ? -ERANGE : 0;
}

int pagetable_map(struct pagetable *pt, uint64_t iova, uint64_t phys, uint64_t size, unsigned attrs)
{
	const struct job job = {iova, iova + (size - 1), phys, attrs & KEPT_ATTRS};
	struct stash stash = {0};
	size_t need = 0;
	int err = check_range(iova, size, pt->format->input_bits);

	if (!err)
		err = check_range(phys, size, pt->format->phys_bits);
	if (!err && !(attrs & (PAGETABLE_READ | PAGETABLE_WRITE)))
		err = -EINVAL;
	if (err)
		return err;
	uint64_t *root = page_at(pt, pt->root);
	err = plan_map(pt, root, pt->format->levels, &job, &need);
	if (!err)
		err = reserve(pt, &stash, need);
	if (!err)
		fill(pt, &stash, root, pt->format->levels, &job);
	return err;
}

/* ---- unmap ---- */

/* A large page that only part of is taken out becomes a table, at both ends of what is taken, level
 * by level. Counts those tables. */
static void plan_split(unsigned level, const struct job *job, size_t *need)
{
	if (level == 1 || covers_entry(job, level))
		return;
	unsigned first = pagetable_index(job->first, level - 1);
	unsigned last = pagetable_index(job->last, level - 1);
	const struct job head = job_part(job, level - 1, first);
	const struct job tail = job_part(job, level - 1, last);
	*need += 1;
	plan_split(level - 1, &head, need);
	if (first != last)
		plan_split(level - 1, &tail, need);
}

static int plan_unmap(const struct pagetable *pt, const uint64_t *table, unsigned level,
		      const struct job *job, size_t *need)
{
	unsigned last = pagetable_index(job->last, level);
	struct pagetable_entry entry;

	for (unsigned i = pagetable_index(job->first, level); i <= last; i++) {
		const struct job part = job_part(job, level, i);
		if (!table[i] || covers_entry(&part, level))
			continue;
		if (pt->format->decode(pt->format, level, table[i], &entry))
			return -EUCLEAN;
		if (entry.kind == PAGETABLE_LEAF) {
			plan_split(level, &part, need);
			continue;
		}
		const uint64_t *next = page_at(pt, entry.phys);
		int err = next ? plan_unmap(pt, next, level - 1, &part, need) : -EUCLEAN;
		if (err)
			return err;
	}
	return 0;
}

/* Looks beside the entries just cleared first: there it is decided most of the time. */
static bool is_empty(const uint64_t *table, unsigned first, unsigned last)
{
	if ((first && table[first - 1]) || (last + 1 < PAGETABLE_ENTRIES && table[last + 1]))
		return false;
	for (unsigned i = 0; i < PAGETABLE_ENTRIES; i++)
		if (table[i])
			return false;
	return true;
}

/* Puts a table of smaller pages in place of a large one; returns it. */
static uint64_t *split(struct pagetable *pt, struct stash *stash, uint64_t *entry, unsigned level,
		       const struct pagetable_entry *leaf)
{
	uint64_t phys, size = pagetable_level_size(level);
	uint64_t *table = stash_take(pt, stash, &phys);
	const struct job whole = {0, size - 1, leaf->phys, leaf->attrs};

	fill_leaves(pt, table, level - 1, &whole);
	publish(pt, entry, pt->format->table(pt->format, phys));
	return table;
}

static uint64_t clear(struct pagetable *pt, struct stash *stash, uint64_t *table, unsigned level,
		      const struct job *job);

static uint64_t clear_entry(struct pagetable *pt, struct stash *stash, uint64_t *at, unsigned level,
			    const struct job *part)
{
	struct pagetable_entry entry;
	const char *why = pt->format->decode(pt->format, level, *at, &entry);

	if (covers_entry(part, level)) {
		publish(pt, at, 0);
		if (why || entry.kind == PAGETABLE_ABSENT)
			return 0;
		return entry.kind == PAGETABLE_TABLE ? drop_tree(pt, entry.phys, level - 1)
						     : pagetable_level_size(level);
	}
	uint64_t *next = entry.kind == PAGETABLE_LEAF ? split(pt, stash, at, level, &entry)
						      : page_at(pt, entry.phys);
	uint64_t bytes = clear(pt, stash, next, level - 1, part);
	if (entry.kind == PAGETABLE_TABLE && is_empty(next, pagetable_index(part->first, level - 1),
						      pagetable_index(part->last, level - 1))) {
		publish(pt, at, 0);
		discard(pt, entry.phys);
	}
	return bytes;
}

static uint64_t clear(struct pagetable *pt, struct stash *stash, uint64_t *table, unsigned level,
		      const struct job *job)
{
	unsigned last = pagetable_index(job->last, level);
	uint64_t bytes = 0;

	for (unsigned i = pagetable_index(job->first, level); i <= last; i++) {
		const struct job part = job_part(job, level, i);
		if (table[i])
			bytes += clear_entry(pt, stash, &table[i], level, &part);
	}
	return bytes;
}

int pagetable_unmap(struct pagetable *pt, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	const struct job job = {iova, iova + (size - 1), 0, 0};
	struct stash stash = {0};
	size_t need = 0;
	int err = check_range(iova, size, pt->format->input_bits);

	if (err)
		return err;
	uint64_t *root = page_at(pt, pt->root);
	err = plan_unmap(pt, root, pt->format->levels, &job, &need);
	if (!err)
		err = reserve(pt, &stash, need);
	if (err)
		return err;
	uint64_t bytes = clear(pt, &stash, root, pt->format->levels, &job);
	if (unmapped)
		*unmapped = bytes;
	return 0;
}
