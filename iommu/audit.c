/* SPDX-License-Identifier: BSD-3-Clause */
/* audit: the facts as arrays that grow, and the table pages that were read. See audit.h. */
#include "iommu/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/audit_priv.h"

/* ---- records ---- */

static int add(void **array, size_t *count, size_t size, const void *record)
{
	/* Doubling, at powers of two. */
	if (!(*count & (*count - 1))) {
		void *grown = reallocarray(*array, *count ? *count * 2 : 1, size);
		if (!grown)
			return -ENOMEM;
		*array = grown;
	}
	memcpy((char *)*array + (*count)++ * size, record, size);
	return 0;
}

int audit_add_unit(struct audit *audit, const struct audit_unit *unit)
{
	return add((void **)&audit->units, &audit->unit_count, sizeof(*unit), unit);
}

int audit_add_owner(struct audit *audit, const struct audit_owner *owner)
{
	return add((void **)&audit->owners, &audit->owner_count, sizeof(*owner), owner);
}

int audit_add_device(struct audit *audit, const struct audit_device *device)
{
	return add((void **)&audit->devices, &audit->device_count, sizeof(*device), device);
}

int audit_add_run(struct audit *audit, const struct audit_run *run)
{
	return add((void **)&audit->runs, &audit->run_count, sizeof(*run), run);
}

int audit_add_reserved(struct audit *audit, struct range range)
{
	return add((void **)&audit->reserved, &audit->reserved_count, sizeof(range), &range);
}

int audit_add_other(struct audit *audit, uint16_t rid)
{
	return add((void **)&audit->others, &audit->other_count, sizeof(rid), &rid);
}

static int run_order(const void *a, const void *b)
{
	const struct audit_run *x = a, *y = b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return (x->iova > y->iova) - (x->iova < y->iova);
}

int audit_ready(struct audit *audit)
{
	size_t kept = 0;

	if (audit->run_count)
		qsort(audit->runs, audit->run_count, sizeof(*audit->runs), run_order);
	for (size_t i = 0; i < audit->run_count; i++) {
		struct audit_run *last = kept ? &audit->runs[kept - 1] : NULL;
		const struct audit_run run = audit->runs[i];
		bool same = last && last->owner == run.owner;
		if (same && run.iova < last->iova + last->size)
			return log_fail(-EINVAL, audit->owners[run.owner].name,
					"its maps overlap at 0x%llx", (unsigned long long)run.iova);
		if (same && run.iova == last->iova + last->size &&
		    run.phys == last->phys + last->size && run.write == last->write)
			last->size += run.size;
		else
			audit->runs[kept++] = run;
	}
	audit->run_count = kept;
	return 0;
}

const struct audit_device *audit_find_device(const struct audit *audit, uint16_t segment,
					     uint16_t rid)
{
	for (size_t i = 0; i < audit->device_count; i++)
		if (audit->devices[i].rid == rid && audit->devices[i].segment == segment)
			return &audit->devices[i];
	return NULL;
}

/* ---- pages: a hash table with open addressing ---- */

static struct audit_page **slot_of(struct audit_page **slots, size_t room, uint64_t phys)
{
	size_t at = (size_t)(phys * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (room - 1);

	while (slots[at] && slots[at]->phys != phys)
		at = (at + 1) & (room - 1);
	return &slots[at];
}

static int make_room(struct audit *audit)
{
	struct audit_pages *p = audit->pages;

	if (p && p->count < p->room / 2)
		return 0;
	if (!p)
		p = audit->pages = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	size_t room = p->room ? p->room * 2 : 256;
	struct audit_page **slots = calloc(room, sizeof(struct audit_page *));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < p->room; i++)
		if (p->slots[i])
			*slot_of(slots, room, p->slots[i]->phys) = p->slots[i];
	free(p->slots);
	p->slots = slots;
	p->room = room;
	return 0;
}

struct audit_page *audit_page_add(struct audit *audit, uint64_t phys)
{
	struct audit_page *page = calloc(1, sizeof(*page));

	if (!page || make_room(audit) < 0) {
		free(page);
		return NULL;
	}
	page->phys = phys;
	struct audit_page **slot = slot_of(audit->pages->slots, audit->pages->room, phys);
	free(*slot);
	audit->pages->count += !*slot;
	*slot = page;
	return page;
}

uint64_t *audit_page(struct audit *audit, uint64_t phys)
{
	const struct audit_pages *p = audit->pages;
	struct audit_page *page = p ? *slot_of(p->slots, p->room, phys) : NULL;

	if (page)
		return page->bad ? NULL : page->words;
	if (!audit->fetch || !IS_ALIGNED(phys, 4096))
		return NULL;
	page = audit_page_add(audit, phys);
	if (!page)
		return NULL;
	page->bad = audit->fetch(audit->opaque, phys, page->words) < 0;
	return page->bad ? NULL : page->words;
}

void audit_finish(struct audit *audit)
{
	for (size_t i = 0; audit->pages && i < audit->pages->room; i++)
		free(audit->pages->slots[i]);
	if (audit->pages)
		free(audit->pages->slots);
	free(audit->pages);
	free(audit->units);
	free(audit->owners);
	free(audit->devices);
	free(audit->runs);
	free(audit->reserved);
	free(audit->others);
	if (audit->close)
		audit->close(audit->opaque);
	*audit = (struct audit){0};
}
