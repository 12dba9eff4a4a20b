/* SPDX-License-Identifier: BSD-3-Clause */
/* pagetable_read: look up one address, go through a range. The table may be somebody else's, and
 * broken or hostile: see pagetable.h. */
#include <errno.h>

#include "base/util.h"
#include "iommu/pagetable.h"
#include "iommu/pagetable_walk.h"

/* What every table on the way must allow, too. */
#define GATED (PAGETABLE_READ | PAGETABLE_WRITE | PAGETABLE_EXEC)

struct pagetable pagetable_view(const struct pagetable_format *format,
				const struct pagetable_memory *memory, uint64_t root)
{
	return (struct pagetable){.format = format, .memory = memory, .root = root};
}

static uint64_t *page_at(const struct pagetable *pt, uint64_t phys)
{
	return pt->memory->page(pt->memory->opaque, phys);
}

static unsigned gate(unsigned attrs, unsigned allowed)
{
	return attrs & (allowed | ~GATED);
}

/* ---- one address ---- */

/* Reads and decodes the entry of `iova` in the table of step->level at step->table. */
static const char *take_step(const struct pagetable *pt, uint64_t iova, struct pagetable_step *step)
{
	const uint64_t *page = page_at(pt, step->table);

	step->index = pagetable_index(iova, step->level);
	if (!page)
		return "the table is not in memory that can be read";
	step->raw = __atomic_load_n(&page[step->index], __ATOMIC_ACQUIRE);
	return pt->format->decode(pt->format, step->level, step->raw, &step->entry);
}

int pagetable_trace(const struct pagetable *pt, uint64_t iova,
		    struct pagetable_step steps[PAGETABLE_LEVELS_MAX],
		    struct pagetable_trouble *trouble)
{
	uint64_t table = pt->root;
	int count = 0;

	trouble->why = NULL;
	if (iova >> pt->format->input_bits)
		return -ERANGE;
	for (unsigned level = pt->format->levels; level > 0; level--) {
		struct pagetable_step *step = &steps[count++];
		*step = (struct pagetable_step){.level = level, .table = table};
		const char *why = take_step(pt, iova, step);
		if (why)
			*trouble = (struct pagetable_trouble){
				.iova = ALIGN_DOWN(iova, pagetable_level_size(level)),
				.table = table,
				.level = level,
				.index = step->index,
				.raw = step->raw,
				.why = why,
			};
		if (why || step->entry.kind != PAGETABLE_TABLE)
			break;
		table = step->entry.phys;
	}
	return count;
}

int pagetable_lookup(const struct pagetable *pt, uint64_t iova, struct pagetable_span *out,
		     struct pagetable_trouble *trouble)
{
	struct pagetable_step steps[PAGETABLE_LEVELS_MAX];
	int count = pagetable_trace(pt, iova, steps, trouble);
	unsigned allowed = GATED;

	if (count < 0)
		return count;
	if (trouble->why)
		return -EUCLEAN;
	const struct pagetable_step *leaf = &steps[count - 1];
	for (const struct pagetable_step *step = steps; step < leaf; step++)
		allowed &= step->entry.attrs;
	unsigned attrs = gate(leaf->entry.attrs, allowed);
	if (leaf->entry.kind != PAGETABLE_LEAF || !(attrs & GATED))
		return -ENOENT;
	uint64_t size = pagetable_level_size(leaf->level);
	*out = (struct pagetable_span){
		.iova = ALIGN_DOWN(iova, size),
		.phys = leaf->entry.phys,
		.size = size,
		.page_size = size,
		.attrs = attrs,
	};
	return 0;
}

/* ---- a range ---- */

struct walk {
	const struct pagetable *pt;
	const struct pagetable_visitor *visitor;
	struct range range;
	struct pagetable_span run;		 /* not yet told; size 0 for none */
	uint64_t path[PAGETABLE_LEVELS_MAX + 1]; /* tables above, by level: none may come again */
	size_t tables_left;
};

static int tell_run(struct walk *w)
{
	struct pagetable_span run = w->run;

	w->run.size = 0;
	return run.size ? w->visitor->span(w->visitor->opaque, &run) : 0;
}

static int add_span(struct walk *w, const struct pagetable_span *span)
{
	struct pagetable_span *run = &w->run;

	if (run->size && run->iova + run->size == span->iova &&
	    run->phys + run->size == span->phys && run->page_size == span->page_size &&
	    run->attrs == span->attrs) {
		run->size += span->size;
		return 0;
	}
	int err = tell_run(w);
	*run = *span;
	return err;
}

static int add_leaf(struct walk *w, uint64_t iova, unsigned level,
		    const struct pagetable_entry *leaf, unsigned allowed)
{
	uint64_t size = pagetable_level_size(level);
	uint64_t first = MAX(iova, w->range.start), last = MIN(iova + (size - 1), w->range.last);
	const struct pagetable_span span = {
		.iova = first,
		.phys = leaf->phys + (first - iova),
		.size = last - first + 1,
		.page_size = size,
		.attrs = gate(leaf->attrs, allowed),
	};

	return span.attrs & GATED ? add_span(w, &span) : 0;
}

/* Spans before it are told first, so that everything comes in order. */
static int tell_trouble(struct walk *w, struct pagetable_trouble trouble, const char *why)
{
	int err = tell_run(w);

	trouble.why = why;
	if (err)
		return err;
	if (!w->visitor->trouble)
		return -EUCLEAN;
	return w->visitor->trouble(w->visitor->opaque, &trouble);
}

static bool is_above(const struct walk *w, unsigned level, uint64_t table)
{
	for (unsigned l = level; l <= w->pt->format->levels; l++)
		if (w->path[l] == table)
			return true;
	return false;
}

static int visit_table(struct walk *w, uint64_t phys, unsigned level, uint64_t base,
		       unsigned allowed);

static int visit_entry(struct walk *w, const struct pagetable_trouble *here, unsigned allowed)
{
	const struct pagetable_format *format = w->pt->format;
	struct pagetable_entry entry;
	const char *why = format->decode(format, here->level, here->raw, &entry);

	if (why)
		return tell_trouble(w, *here, why);
	if (entry.kind == PAGETABLE_ABSENT)
		return 0;
	if (entry.kind == PAGETABLE_LEAF)
		return add_leaf(w, here->iova, here->level, &entry, allowed);
	if (is_above(w, here->level, entry.phys))
		return tell_trouble(w, *here, "a loop: it points back to a table above it");
	if (!page_at(w->pt, entry.phys))
		return tell_trouble(w, *here, "the table is not in memory that can be read");
	if (!w->tables_left) {
		int err = tell_trouble(w, *here, "more tables than there can be; given up");
		return err ? err : -E2BIG;
	}
	w->tables_left--;
	return visit_table(w, entry.phys, here->level - 1, here->iova, allowed & entry.attrs);
}

/* `base`: the first address behind the table, which is known to be readable. */
static int visit_table(struct walk *w, uint64_t phys, unsigned level, uint64_t base,
		       unsigned allowed)
{
	uint64_t size = pagetable_level_size(level);
	uint64_t first = MAX(base, w->range.start);
	uint64_t last = MIN(base + (size * PAGETABLE_ENTRIES - 1), w->range.last);
	const uint64_t *page = page_at(w->pt, phys);

	w->path[level] = phys;
	for (unsigned i = pagetable_index(first, level); i <= pagetable_index(last, level); i++) {
		uint64_t raw = page ? __atomic_load_n(&page[i], __ATOMIC_ACQUIRE) : 0;
		if (!raw)
			continue;
		const struct pagetable_trouble here = {
			.iova = base + i * size,
			.table = phys,
			.level = level,
			.index = i,
			.raw = raw,
		};
		int err = visit_entry(w, &here, allowed);
		if (err)
			return err;
		page = page_at(w->pt, phys); /* the visit may have moved a reader's one buffer */
	}
	return 0;
}

int pagetable_each(const struct pagetable *pt, struct range range,
		   const struct pagetable_visitor *visitor)
{
	unsigned levels = pt->format->levels;
	uint64_t end = (UINT64_C(1) << pt->format->input_bits) - 1;
	struct walk w = {
		.pt = pt,
		.visitor = visitor,
		.range = {range.start, MIN(range.last, end)},
		.tables_left = pt->walk_limit ? pt->walk_limit : PAGETABLE_WALK_LIMIT,
	};

	if (w.range.start > w.range.last)
		return 0;
	if (!page_at(pt, pt->root)) {
		const struct pagetable_trouble root = {.table = pt->root, .level = levels};
		return tell_trouble(&w, root, "the table is not in memory that can be read");
	}
	int err = visit_table(&w, pt->root, levels, 0, GATED);
	return err ? err : tell_run(&w);
}
