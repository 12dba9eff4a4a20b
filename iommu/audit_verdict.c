/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * audit_verdict: every assigned function's table held against its VM's list, every entry against
 * who holds it. See audit.h.
 *
 * Both lists are ascending, so one pass finds what is too much, too little and elsewhere: the
 * table's spans come from the walker, and a cursor goes through the owner's runs beside them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "iommu/audit_priv.h"

/* Vectors below are the processor's own exceptions (SDM vol. 3, 6.2). */
#define VECTOR_FIRST  32u
/* Where Linux points an interrupt that is allocated and not started (MANAGED_IRQ_SHUTDOWN_VECTOR):
 * any number of entries may. */
#define VECTOR_PARKED 0xefu

struct judge {
	struct audit *audit;
	struct audit_verdict *v;
	int err;
	/* of the unit at hand */
	unsigned unit;
	struct seen {
		uint16_t rid, domain;
		uint64_t table;
		int owner;
		bool pass_through;
	} * seen;
	size_t seen_count, seen_room;
	struct irq {
		unsigned index;
		uint32_t destination;
		uint8_t vector;
		uint16_t rid;
	} * irqs;
	size_t irq_count, irq_room;
	/* of the function at hand */
	struct audit_reach *reach;
	size_t cursor;	  /* first run of its owner that is not behind */
	uint64_t covered; /* addresses below are done with */
	unsigned told;
};

const char *audit_kind_name(enum audit_kind kind)
{
	static const char *const names[] = {
		[AUDIT_OFF] = "unit off",	  [AUDIT_PASS_THROUGH] = "pass-through",
		[AUDIT_EXTRA] = "extra mapping",  [AUDIT_MISSING] = "missing mapping",
		[AUDIT_ELSEWHERE] = "wrong page", [AUDIT_RIGHTS] = "too many rights",
		[AUDIT_SHARED] = "shared domain", [AUDIT_LEFTOVER] = "leftover",
		[AUDIT_INTERRUPT] = "interrupt",  [AUDIT_TABLE] = "broken table",
		[AUDIT_UNKNOWN] = "not judged",
	};

	return names[kind];
}

/* ---- findings ---- */

static int grow(void **array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return 0;
	size_t more = *room ? *room * 2 : 16;
	void *grown = reallocarray(*array, more, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = more;
	return 0;
}

/* `finding` without its text; whether it is a fault counts also when there is no room to tell. */
__attribute__((format(printf, 3, 4))) static void tell(struct judge *j,
						       struct audit_finding finding,
						       const char *fmt, ...)
{
	struct audit_verdict *v = j->v;
	va_list args;

	if (!finding.note) {
		v->faults++;
		if (j->reach)
			j->reach->faults++;
	}
	if (j->told++ >= AUDIT_FINDINGS_MAX) {
		v->suppressed++;
		return;
	}
	if (grow((void **)&v->findings, v->finding_count, &v->finding_room, sizeof(finding)) < 0) {
		j->err = -ENOMEM;
		return;
	}
	finding.segment = (uint16_t)j->audit->units[j->unit].segment;
	va_start(args, fmt);
	vsnprintf(finding.text, sizeof(finding.text), fmt, args);
	va_end(args);
	v->findings[v->finding_count++] = finding;
}

static struct audit_finding about(enum audit_kind kind, uint16_t rid)
{
	return (struct audit_finding){.kind = kind, .rid = rid};
}

static const char *owner_name(const struct audit *audit, int owner)
{
	return owner == AUDIT_HOST ? "the host" : audit->owners[owner].name;
}

/* Whose memory `phys` is, as far as the facts tell. */
static const char *whose(const struct audit *audit, uint64_t phys)
{
	for (size_t i = 0; i < audit->run_count; i++)
		if (phys - audit->runs[i].phys < audit->runs[i].size)
			return owner_name(audit, audit->runs[i].owner);
	return "the host";
}

/* ---- memory ---- */

size_t audit_first_run(const struct audit *audit, int owner)
{
	size_t i = 0;

	while (i < audit->run_count && audit->runs[i].owner < owner)
		i++;
	return i;
}

static const struct audit_run *run_at(const struct judge *j)
{
	const struct audit *a = j->audit;

	return j->cursor < a->run_count && a->runs[j->cursor].owner == j->reach->device->owner
		       ? &a->runs[j->cursor]
		       : NULL;
}

static void tell_missing(struct judge *j, uint64_t first, uint64_t last)
{
	struct audit_finding f = about(AUDIT_MISSING, j->reach->device->rid);
	char size[PARSE_SIZE_TEXT];

	f.iova = (struct range){first, last};
	tell(j, f,
	     "does not reach 0x%" PRIx64 "-0x%" PRIx64 " (%s), which %s has mapped for its devices",
	     first, last, format_size(last - first + 1, size),
	     owner_name(j->audit, j->reach->device->owner));
}

/* Everything the owner mapped below `iova` should have been seen by now; neighbours are told as
 * one, wherever their pages are. */
static void skip_to(struct judge *j, uint64_t iova)
{
	const struct audit_run *run;
	uint64_t first = 0, end = 0; /* missing so far: [first, end) */

	while ((run = run_at(j)) && run->iova < iova) {
		uint64_t from = MAX(run->iova, j->covered), stop = run->iova + run->size;
		if (from < iova && from < stop) {
			if (end && end != from)
				tell_missing(j, first, end - 1);
			if (end != from)
				first = from;
			end = MIN(stop, iova);
		}
		if (stop > iova)
			break;
		j->cursor++;
	}
	if (end)
		tell_missing(j, first, end - 1);
	j->covered = MAX(j->covered, iova);
}

static bool is_reserved(const struct audit *audit, uint64_t iova, uint64_t phys, uint64_t size)
{
	const struct range wanted = {iova, iova + (size - 1)};

	for (size_t i = 0; i < audit->reserved_count; i++)
		if (iova == phys && range_contains(audit->reserved[i], wanted))
			return true;
	return false;
}

static void tell_extra(struct judge *j, uint64_t iova, uint64_t phys, uint64_t size, unsigned attrs)
{
	const struct audit_device *device = j->reach->device;
	struct audit_finding f = about(AUDIT_EXTRA, device->rid);
	char text[PARSE_SIZE_TEXT];

	f.iova = (struct range){iova, iova + (size - 1)};
	f.phys = phys;
	f.note = is_reserved(j->audit, iova, phys, size);
	if (device->owner == AUDIT_HOST)
		f.kind = AUDIT_LEFTOVER;
	tell(j, f, "%s 0x%" PRIx64 "-0x%" PRIx64 " (%s) at physical 0x%" PRIx64 ", %s%s",
	     attrs & PAGETABLE_WRITE ? "reads and writes" : "reads", iova, f.iova.last,
	     format_size(size, text), phys,
	     f.note ? "the firmware's reserved memory, shown to it as firmware asks" : "memory of ",
	     f.note ? "" : whose(j->audit, phys));
}

/* The part of a span that lies in `run`. */
static void compare(struct judge *j, const struct audit_run *run, uint64_t iova, uint64_t phys,
		    uint64_t size, unsigned attrs)
{
	struct audit_finding f = about(AUDIT_ELSEWHERE, j->reach->device->rid);
	uint64_t own = run->phys + (iova - run->iova);

	f.iova = (struct range){iova, iova + (size - 1)};
	f.phys = phys;
	if (phys != own)
		tell(j, f,
		     "0x%" PRIx64 "-0x%" PRIx64 " leads to physical 0x%" PRIx64
		     ", memory of %s, where %s has 0x%" PRIx64,
		     iova, f.iova.last, phys, whose(j->audit, phys),
		     owner_name(j->audit, run->owner), own);
	f.kind = AUDIT_RIGHTS;
	if ((attrs & PAGETABLE_WRITE) && !run->write)
		tell(j, f, "may write 0x%" PRIx64 "-0x%" PRIx64 ", which %s lets it read only",
		     iova, f.iova.last, owner_name(j->audit, run->owner));
}

static void note_span(struct audit_reach *r, const struct pagetable_span *span)
{
	bool write = span->attrs & PAGETABLE_WRITE;
	size_t last = MIN(r->span_count, ARRAY_SIZE(r->spans));

	r->readable += span->attrs & PAGETABLE_READ ? span->size : 0;
	r->writable += write ? span->size : 0;
	if (last && r->span_count == last && r->spans[last - 1].write == write &&
	    r->spans[last - 1].iova.last + 1 == span->iova) {
		r->spans[last - 1].iova.last += span->size;
		return;
	}
	if (r->span_count++ < ARRAY_SIZE(r->spans)) {
		r->spans[last].iova = (struct range){span->iova, span->iova + (span->size - 1)};
		r->spans[last].write = write;
	}
}

static bool is_judged(const struct audit *audit, const struct audit_device *device)
{
	return device->owner == AUDIT_HOST || audit->owners[device->owner].known;
}

static int see_span(void *opaque, const struct pagetable_span *span)
{
	struct judge *j = opaque;
	uint64_t at = span->iova, end = span->iova + span->size;

	note_span(j->reach, span);
	while (at < end && is_judged(j->audit, j->reach->device) && !j->err) {
		uint64_t phys = span->phys + (at - span->iova), stop;
		skip_to(j, at);
		const struct audit_run *run = run_at(j);
		if (!run || run->iova > at) {
			stop = run ? MIN(end, run->iova) : end;
			tell_extra(j, at, phys, stop - at, span->attrs);
		} else {
			stop = MIN(end, run->iova + run->size);
			compare(j, run, at, phys, stop - at, span->attrs);
		}
		at = j->covered = stop;
	}
	return j->err;
}

static int see_trouble(void *opaque, const struct pagetable_trouble *trouble)
{
	struct judge *j = opaque;

	tell(j, about(AUDIT_TABLE, j->reach->device->rid),
	     "its page table at 0x%" PRIx64 ", level %u entry %u (0x%" PRIx64
	     "), behind address 0x%" PRIx64 ": %s",
	     trouble->table, trouble->level, trouble->index, trouble->raw, trouble->iova,
	     trouble->why);
	return j->err;
}

static void judge_memory(struct judge *j, const struct audit_context *context)
{
	const struct pagetable_format format = audit_format(&j->audit->units[j->unit], context);
	const struct pagetable_memory memory = audit_memory(j->audit);
	const struct pagetable view = pagetable_view(&format, &memory, context->table);
	const struct pagetable_visitor visitor = {see_span, see_trouble, j};
	const struct range all = {0, (UINT64_C(1) << format.input_bits) - 1};

	pagetable_each(&view, all, &visitor);
}

/* ---- functions ---- */

static void judge_context(struct judge *j, const struct audit_context *context)
{
	const struct audit_device *device = j->reach->device;

	if (context->why) {
		tell(j, about(AUDIT_TABLE, device->rid), "its context entry at 0x%" PRIx64 ": %s",
		     context->entry, context->why);
		return;
	}
	if (context->pass_through) {
		tell(j, about(AUDIT_PASS_THROUGH, device->rid),
		     "passes through untranslated: it reads and writes all of the host's memory");
		return;
	}
	if (context->present)
		judge_memory(j, context);
	if (device->owner != AUDIT_HOST && is_judged(j->audit, device))
		skip_to(j, UINT64_MAX);
	if (!is_judged(j->audit, device)) {
		struct audit_finding f = about(AUDIT_UNKNOWN, device->rid);
		f.note = true;
		tell(j, f,
		     "is held by %s, which is no VM of sluice: what it may reach is not known",
		     owner_name(j->audit, device->owner));
	}
}

static void judge_unit_of(struct judge *j, const struct audit_unit *unit)
{
	const struct audit_device *device = j->reach->device;
	const char *owner = owner_name(j->audit, device->owner);

	if (device->owner == AUDIT_HOST)
		return;
	if (!(unit->gsts & VTD_GS_TE))
		tell(j, about(AUDIT_OFF, device->rid),
		     "translation of its unit is off: it reaches all memory, and %s holds it",
		     owner);
	if (!(unit->gsts & VTD_GS_IRE))
		tell(j, about(AUDIT_OFF, device->rid),
		     "interrupts of its unit are not remapped: it can send any vector, and %s holds it",
		     owner);
	else if (unit->gsts & VTD_GS_CFI)
		tell(j, about(AUDIT_OFF, device->rid),
		     "its unit lets interrupts of the old format through, unchecked");
}

static int judge_device(struct judge *j, const struct audit_device *device)
{
	struct audit_verdict *v = j->v;
	const struct audit_unit *unit = &j->audit->units[j->unit];
	struct audit_context context;

	struct audit_reach *grown =
		reallocarray(v->reaches, v->reach_count + 1, sizeof(*v->reaches));
	if (!grown)
		return -ENOMEM;
	v->reaches = grown;
	j->reach = &grown[v->reach_count++];
	*j->reach = (struct audit_reach){.device = device};
	j->told = 0;
	j->covered = 0;
	j->cursor = audit_first_run(j->audit, device->owner);
	for (size_t i = j->cursor; device->owner != AUDIT_HOST && i < j->audit->run_count &&
				   j->audit->runs[i].owner == device->owner;
	     i++)
		j->reach->expected += j->audit->runs[i].size;
	judge_unit_of(j, unit);
	audit_context_of(j->audit, unit, device->rid, &context);
	j->reach->present = context.present;
	j->reach->pass_through = context.pass_through;
	j->reach->domain = context.domain;
	j->reach->table = context.table;
	if (unit->gsts & VTD_GS_TE)
		judge_context(j, &context);
	j->reach = NULL;
	return j->err;
}

/* ---- entries of the unit ---- */

static int see_context(void *opaque, uint16_t rid, const struct audit_context *context)
{
	struct judge *j = opaque;
	const struct audit_device *device =
		audit_find_device(j->audit, (uint16_t)j->audit->units[j->unit].segment, rid);

	j->v->contexts++;
	j->v->pass_throughs += context->pass_through;
	if (grow((void **)&j->seen, j->seen_count, &j->seen_room, sizeof(*j->seen)) < 0)
		return -ENOMEM;
	j->seen[j->seen_count++] = (struct seen){.rid = rid,
						 .domain = context->domain,
						 .table = context->table,
						 .owner = device ? device->owner : AUDIT_HOST,
						 .pass_through = context->pass_through};
	if (device || context->why)
		return 0;
	tell(j, about(AUDIT_LEFTOVER, rid),
	     "has a context entry (domain %u, table 0x%" PRIx64 "), but no such function exists",
	     context->domain, context->table);
	return j->err;
}

/* A domain id tags what the unit's caches hold (6.2.1): two tables under one id mix, and one table
 * for two owners is one memory for both. */
static void judge_shared(struct judge *j)
{
	char other[AUDIT_RID_TEXT];

	for (size_t i = 0; i < j->seen_count; i++)
		for (size_t k = i + 1; k < j->seen_count; k++) {
			const struct seen *a = &j->seen[i], *b = &j->seen[k];
			bool table = a->table == b->table && !a->pass_through && !b->pass_through;
			if (a->owner == b->owner || !(table || a->domain == b->domain))
				continue;
			tell(j, about(AUDIT_SHARED, a->rid), "of %s shares %s %u with %s of %s",
			     owner_name(j->audit, a->owner),
			     table ? "the page table of domain" : "the domain id", a->domain,
			     audit_rid_format(j->audit->units[j->unit].segment, b->rid, other),
			     owner_name(j->audit, b->owner));
		}
}

static bool is_other(const struct audit *audit, uint16_t rid)
{
	for (size_t i = 0; i < audit->other_count; i++)
		if (audit->others[i] == rid)
			return true;
	return false;
}

static struct audit_reach *reach_of(struct judge *j, uint16_t rid)
{
	for (size_t i = 0; i < j->v->reach_count; i++)
		if (j->v->reaches[i].device->rid == rid && j->v->reaches[i].device->unit == j->unit)
			return &j->v->reaches[i];
	return NULL;
}

/* An entry that an assigned function can use. */
static void judge_own_interrupt(struct judge *j, unsigned index, const struct vtd_irte *irte)
{
	const struct audit_device *device = j->reach->device;
	struct audit_finding f = about(AUDIT_INTERRUPT, device->rid);

	j->reach->interrupts++;
	j->reach->posted += irte->posted;
	if (irte->vector < VECTOR_FIRST)
		tell(j, f, "interrupt entry %u raises vector %u, an exception of the processor",
		     index, irte->vector);
	if (!irte->posted && irte->delivery > 1)
		tell(j, f,
		     "interrupt entry %u is of delivery mode %u (SMI, NMI, INIT or ExtINT), which "
		     "no device of a VM may send",
		     index, irte->delivery);
	if (j->reach->interrupts == device->vectors + 1)
		tell(j, f,
		     "interrupt entry %u: more entries carry its source id than it has "
		     "interrupts (%u)",
		     index, device->vectors);
}

static int see_interrupt(void *opaque, unsigned index, const struct vtd_irte *irte, const char *why)
{
	struct judge *j = opaque;
	const struct audit_device *device = audit_find_device(
		j->audit, (uint16_t)j->audit->units[j->unit].segment, irte->source);

	j->v->interrupts++;
	j->reach = reach_of(j, irte->source);
	if (irte->check == VTD_SVT_NONE)
		tell(j, about(AUDIT_INTERRUPT, irte->source),
		     "interrupt entry %u (vector %u) does not check who sends it: any device may",
		     index, irte->vector);
	else if (why)
		tell(j, about(AUDIT_INTERRUPT, irte->source), "interrupt entry %u: %s", index, why);
	else if (irte->check == VTD_SVT_REQUESTER && !device && !is_other(j->audit, irte->source))
		tell(j, about(AUDIT_LEFTOVER, irte->source),
		     "is the source of interrupt entry %u (vector %u), but no such function exists",
		     index, irte->vector);
	else if (j->reach)
		judge_own_interrupt(j, index, irte);
	j->reach = NULL;
	if (irte->posted || irte->vector == VECTOR_PARKED)
		return j->err;
	if (grow((void **)&j->irqs, j->irq_count, &j->irq_room, sizeof(*j->irqs)) < 0)
		return -ENOMEM;
	j->irqs[j->irq_count++] =
		(struct irq){index, irte->destination, irte->vector, irte->source};
	return j->err;
}

/* An assigned function's entry that raises the vector of somebody else on the same CPU. */
static void judge_vectors(struct judge *j)
{
	char other[AUDIT_RID_TEXT];

	for (size_t i = 0; i < j->irq_count; i++)
		for (size_t k = 0; k < j->irq_count; k++) {
			const struct irq *a = &j->irqs[i], *b = &j->irqs[k];
			j->reach = a->rid != b->rid && a->vector == b->vector &&
						   a->destination == b->destination
					   ? reach_of(j, a->rid)
					   : NULL;
			if (!j->reach)
				continue;
			tell(j, about(AUDIT_INTERRUPT, a->rid),
			     "interrupt entry %u raises vector 0x%x at destination 0x%x, which is also that of "
			     "entry %u of %s",
			     a->index, a->vector, a->destination, b->index,
			     audit_rid_format(j->audit->units[j->unit].segment, b->rid, other));
		}
	j->reach = NULL;
}

static int judge_unit(struct judge *j)
{
	struct audit *audit = j->audit;
	const struct audit_unit *unit = &audit->units[j->unit];
	int err = 0;

	for (size_t i = 0; i < audit->device_count && !err; i++) {
		const struct audit_device *device = &audit->devices[i];
		if (device->unit == j->unit && (device->vfio || device->owner != AUDIT_HOST))
			err = judge_device(j, device);
	}
	j->told = 0;
	j->seen_count = j->irq_count = 0;
	if (!err && unit->gsts & VTD_GS_TE)
		err = audit_contexts(audit, unit, see_context, j);
	if (!err)
		judge_shared(j);
	if (err == -EUCLEAN) {
		err = 0;
		tell(j, about(AUDIT_TABLE, 0), "the root table at 0x%" PRIx64 " cannot be read",
		     unit->rtaddr);
	}
	if (!err)
		err = audit_interrupts(audit, unit, see_interrupt, j);
	if (err == -EUCLEAN) {
		err = 0;
		tell(j, about(AUDIT_TABLE, 0),
		     "the interrupt remapping table at 0x%" PRIx64 " cannot be read", unit->irta);
	}
	if (!err)
		judge_vectors(j);
	return err ? err : j->err;
}

int audit_run_all(struct audit *audit, struct audit_verdict *out)
{
	struct judge j = {.audit = audit, .v = out};
	int err = 0;

	*out = (struct audit_verdict){0};
	for (; j.unit < audit->unit_count && !err; j.unit++)
		err = judge_unit(&j);
	free(j.seen);
	free(j.irqs);
	out->tables = audit->pages ? audit->pages->count : 0;
	if (err)
		audit_verdict_free(out);
	return err;
}

void audit_verdict_free(struct audit_verdict *verdict)
{
	free(verdict->reaches);
	free(verdict->findings);
	*verdict = (struct audit_verdict){0};
}
