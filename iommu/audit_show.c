/* SPDX-License-Identifier: BSD-3-Clause */
/* audit_show: tables in lines for people: one address followed, or everything a unit holds. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "iommu/audit_priv.h"

struct lines {
	void (*line)(void *opaque, const char *text);
	void *opaque;
	struct audit *audit;
	const struct audit_unit *unit;
};

__attribute__((format(printf, 2, 3))) static void say(const struct lines *out, const char *fmt, ...)
{
	char text[AUDIT_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	out->line(out->opaque, text);
}

static const char *rights(unsigned attrs)
{
	static const char *const names[] = {"none", "r", "w", "rw"};

	return names[attrs & 3u];
}

static void say_context(const struct lines *out, uint16_t rid, const struct audit_context *c)
{
	char name[AUDIT_RID_TEXT];

	audit_rid_format(out->unit->segment, rid, name);
	if (c->why)
		say(out, "%s: %s", name, c->why);
	else if (!c->present)
		say(out, "%s: no context entry: everything is blocked", name);
	else if (c->pass_through)
		say(out, "%s: domain %u, passes through: every address is physical", name,
		    c->domain);
	else
		say(out, "%s: domain %u, %s stage of %u levels at 0x%" PRIx64, name, c->domain,
		    c->first_stage ? "first" : "second", c->levels, c->table);
}

static void say_step(const struct lines *out, const struct pagetable_step *s)
{
	static const char *const kinds[] = {"absent", "table", "page"};

	if (s->entry.kind == PAGETABLE_ABSENT)
		say(out, "  level %u  table 0x%" PRIx64 " [%u] = 0x%016" PRIx64 "  absent",
		    s->level, s->table, s->index, s->raw);
	else
		say(out,
		    "  level %u  table 0x%" PRIx64 " [%u] = 0x%016" PRIx64 "  %s 0x%" PRIx64 " %s",
		    s->level, s->table, s->index, s->raw, kinds[s->entry.kind], s->entry.phys,
		    rights(s->entry.attrs));
}

int audit_walk(struct audit *audit, const struct audit_unit *unit, uint16_t rid, uint64_t iova,
	       void (*line)(void *opaque, const char *text), void *opaque)
{
	const struct lines out = {line, opaque, audit, unit};
	const struct pagetable_memory memory = audit_memory(audit);
	struct pagetable_step steps[PAGETABLE_LEVELS_MAX];
	struct pagetable_trouble trouble;
	struct pagetable_span span;
	struct audit_context context;

	audit_context_of(audit, unit, rid, &context);
	say_context(&out, rid, &context);
	if (context.why)
		return -EUCLEAN;
	if (!context.present || context.pass_through)
		return context.present ? 0 : -ENOENT;
	const struct pagetable_format format = audit_format(unit, &context);
	const struct pagetable view = pagetable_view(&format, &memory, context.table);
	int count = pagetable_trace(&view, iova, steps, &trouble);
	for (int i = 0; i < count; i++)
		say_step(&out, &steps[i]);
	int err = pagetable_lookup(&view, iova, &span, &trouble);
	if (!err)
		say(&out, "0x%" PRIx64 " → physical 0x%" PRIx64 " (%s, page of %" PRIu64 " KiB)",
		    iova, span.phys + (iova - span.iova), rights(span.attrs), span.page_size / KIB);
	else if (err == -ERANGE)
		say(&out, "0x%" PRIx64 " is beyond the %u bits of this table: blocked", iova,
		    format.input_bits);
	else if (err == -ENOENT)
		say(&out, "0x%" PRIx64 " is not mapped: blocked", iova);
	else
		say(&out, "0x%" PRIx64 ": %s", iova, trouble.why);
	return err == -ERANGE ? -ENOENT : err;
}

/* ---- everything ---- */

static int dump_context(void *opaque, uint16_t rid, const struct audit_context *context)
{
	say_context(opaque, rid, context);
	return 0;
}

static int dump_interrupt(void *opaque, unsigned index, const struct vtd_irte *irte,
			  const char *why)
{
	const struct lines *out = opaque;
	char name[AUDIT_RID_TEXT], check[32];

	audit_rid_format(out->unit->segment, irte->source, name);
	if (irte->check == VTD_SVT_NONE)
		strcpy(check, "from anybody");
	else if (irte->check == VTD_SVT_BUS)
		snprintf(check, sizeof(check), "from buses %02x-%02x", irte->source >> 8,
			 irte->source & 255);
	else
		snprintf(check, sizeof(check), "from %s", name);
	if (why)
		say(out, "interrupt %u: %s: %s", index, check, why);
	else if (irte->posted)
		say(out, "interrupt %u: %s, posted: vector 0x%x into the descriptor at 0x%" PRIx64,
		    index, check, irte->vector, irte->descriptor);
	else
		say(out, "interrupt %u: %s, remapped: vector 0x%x, destination 0x%x, %s", index,
		    check, irte->vector, irte->destination, irte->level ? "level" : "edge");
	return 0;
}

static void dump_words(void *opaque, const char *field, const char *what, const char *value)
{
	say(opaque, "  %-6s %s: %s", field, what, value);
}

static void dump_unit(const struct lines *out)
{
	const struct audit_unit *u = out->unit;
	struct vtd_ecap ecap;
	struct vtd_cap cap;

	vtd_cap_decode(u->cap, &cap);
	vtd_ecap_decode(u->ecap, &ecap);
	say(out, "unit 0x%" PRIx64 ", segment %u, version %u.%u", u->base, u->segment,
	    u->version >> 4 & 15, u->version & 15);
	say(out, "  translation %s, interrupt remapping %s, queued invalidation %s",
	    u->gsts & VTD_GS_TE ? "on" : "off", u->gsts & VTD_GS_IRE ? "on" : "off",
	    u->gsts & VTD_GS_QIE ? "on" : "off");
	say(out, "  CAP 0x%" PRIx64 "  ECAP 0x%" PRIx64 "  RTADDR 0x%" PRIx64 "  IRTA 0x%" PRIx64,
	    u->cap, u->ecap, u->rtaddr, u->irta);
	vtd_cap_words(&cap, dump_words, (void *)(uintptr_t)out);
	vtd_ecap_words(&ecap, dump_words, (void *)(uintptr_t)out);
}

int audit_dump(struct audit *audit, void (*line)(void *opaque, const char *text), void *opaque)
{
	struct lines out = {line, opaque, audit, NULL};
	int err = 0;

	for (size_t i = 0; i < audit->unit_count && !err; i++) {
		out.unit = &audit->units[i];
		dump_unit(&out);
		if (out.unit->gsts & VTD_GS_TE)
			err = audit_contexts(audit, out.unit, dump_context, &out);
		if (!err)
			err = audit_interrupts(audit, out.unit, dump_interrupt, &out);
	}
	if (err == -EUCLEAN)
		say(&out, "a table of the unit cannot be read");
	return err;
}
