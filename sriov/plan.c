/* SPDX-License-Identifier: BSD-3-Clause */
/* plan: see plan.h. */
#include "sriov/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "sriov/attr.h"
#include "sriov/eswitch.h"

/* ---- wishes ---- */

static int by_index(const void *a, const void *b)
{
	unsigned x = ((const struct plan_vf *)a)->index, y = ((const struct plan_vf *)b)->index;

	return x < y ? -1 : x > y;
}

static struct plan_vf *want_vf(struct plan_want *want, unsigned index)
{
	/* They come sorted, but for the few of a change, which stand at the end. */
	bool later = !want->vf_count || index > want->most;
	for (size_t i = want->vf_count; !later && i-- > 0;)
		if (want->vfs[i].index == index)
			return &want->vfs[i];
	want->most = later ? index : want->most;
	struct plan_vf *vf = &want->vfs[want->vf_count++];
	*vf = (struct plan_vf){.index = index};
	return vf;
}

static int parse_pf(const struct sriov_wish *wish, struct plan_want *out)
{
	const char *name = wish->name, *value = wish->value;
	uint32_t number;

	if (!strcmp(name, "probe") && (!strcmp(value, "on") || !strcmp(value, "off"))) {
		out->probe = !strcmp(value, "on");
		out->probe_known = true;
		return 0;
	}
	if (!strcmp(name, "eswitch"))
		return (out->eswitch = eswitch_parse(value)) ? 0 : -EINVAL;
	if ((strcmp(name, "count") && strcmp(name, "nvme-keep")) ||
	    parse_u32(value, 0, UINT16_MAX, &number))
		return -EINVAL;
	*(!strcmp(name, "count") ? &out->count : &out->keep) = (int)number;
	return 0;
}

int sriov_wish_check(const char *subject, const struct sriov_wish *wish)
{
	struct plan_want want = {.count = -1};
	struct sriov_attrs attrs = {0};

	if (!wish->value[0] || (wish->vf >= 0 && !strcmp(wish->name, "driver")))
		return 0;
	if (wish->vf >= 0)
		return sriov_attr_parse(subject, wish->name, wish->value, &attrs);
	return parse_pf(wish, &want)
		       ? log_fail(-EINVAL, subject,
				  "a PF has no '%s' of '%s'; there are count, probe (on, off), "
				  "eswitch (legacy, switchdev), nvme-keep, and vfs",
				  wish->name, wish->value)
		       : 0;
}

int plan_want_parse(const char *subject, const struct sriov_wish *wishes, size_t count,
		    struct plan_want *out)
{
	int err = 0;

	*out = (struct plan_want){
		.count = -1, .keep = -1, .vfs = calloc(count + 1, sizeof(*out->vfs))};
	if (!out->vfs)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++) {
		if (!wishes[i].value[0])
			continue;
		if (wishes[i].vf < 0) {
			if (parse_pf(&wishes[i], out))
				err = log_fail(-EINVAL, subject,
					       "the ledger wants %s '%s', which this sluice does "
					       "not know",
					       wishes[i].name, wishes[i].value);
			continue;
		}
		struct plan_vf *vf = want_vf(out, (unsigned)wishes[i].vf);
		if (!strcmp(wishes[i].name, "driver"))
			snprintf(vf->driver, sizeof(vf->driver), "%s", wishes[i].value);
		else
			err = sriov_attr_parse(subject, wishes[i].name, wishes[i].value,
					       &vf->attrs);
	}
	qsort(out->vfs, out->vf_count, sizeof(*out->vfs), by_index);
	return err;
}

void plan_want_free(struct plan_want *want)
{
	free(want->vfs);
	want->vfs = NULL;
	want->vf_count = 0;
}

/* ---- who is in the way ---- */

void plan_blocker(const struct sriov_vf *vf, char text[SRIOV_BLOCKER])
{
	text[0] = '\0';
	if (vf->state == SRIOV_VF_HELD)
		snprintf(text, SRIOV_BLOCKER,
			 "vf %s/%u is held by vm %.40s (pid %d); stop it first", vf->pf, vf->index,
			 vf->owner, (int)vf->pid);
	else if (vf->state == SRIOV_VF_ORPHANED)
		snprintf(text, SRIOV_BLOCKER,
			 "vf %s/%u is left over from vm %.30s; `sluice vf release %s/%u` first",
			 vf->pf, vf->index, vf->owner, vf->pf, vf->index);
	else if (vf->state == SRIOV_VF_FOREIGN && vf->pid)
		snprintf(text, SRIOV_BLOCKER,
			 "vf %s/%u is in use by process %d, which is not ours; end it first",
			 vf->pf, vf->index, (int)vf->pid);
	else if (vf->state == SRIOV_VF_FOREIGN && vf->driver[0])
		snprintf(text, SRIOV_BLOCKER,
			 "vf %s/%u is bound to %.20s, but not by sluice; unbind it, or `sluice vf "
			 "adopt` it, first",
			 vf->pf, vf->index, vf->driver);
	else if (vf->state == SRIOV_VF_FOREIGN)
		snprintf(text, SRIOV_BLOCKER,
			 "vf %s/%u was not made by sluice; `sluice vf adopt` it first", vf->pf,
			 vf->index);
}

/* ---- steps ---- */

struct maker {
	const struct plan_want *want;
	const struct plan_have *have;
	const struct plan_scope *scope;
	struct sriov_plan *out;
	size_t room;
	int err;
	bool fresh;		       /* VFs are made anew */
	bool by_hand;		       /* new VFs get their drivers from us, not from the kernel */
	bool autoprobe;		       /* behind the last step */
	unsigned count;		       /* VFs there will be */
	const struct sriov_vf **found; /* by index; NULL: not there */
	const unsigned **claimed;
};

static struct sriov_step *add(struct maker *m, enum sriov_op op, int vf, const char *name)
{
	struct sriov_plan *out = m->out;

	if (out->count == m->room) {
		size_t room = m->room ? m->room * 2 : 64;
		struct sriov_step *grown = realloc(out->steps, room * sizeof(*grown));
		if (!grown) {
			m->err = -ENOMEM;
			return NULL;
		}
		out->steps = grown;
		m->room = room;
	}
	struct sriov_step *s = &out->steps[out->count++];
	memset(s, 0, sizeof(*s));
	s->op = op;
	s->vf = vf;
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

static void set_text(char out[SRIOV_STEP_VALUE], const char *text)
{
	snprintf(out, SRIOV_STEP_VALUE, "%s", text);
}

static bool is_named(const struct maker *m, int vf, const char *name)
{
	const struct plan_scope *scope = m->scope;

	for (size_t i = 0; i < scope->only_count; i++)
		if (scope->only[i].vf == vf && !strcmp(scope->only[i].name, name))
			return true;
	return false;
}

static bool in_scope(const struct maker *m, int vf, const char *name)
{
	return !m->scope->only || m->fresh || is_named(m, vf, name);
}

/* Switches the kernel's own probing of new VFs, when it is not so already. */
static void add_autoprobe(struct maker *m, bool to)
{
	if (m->autoprobe == to)
		return;
	struct sriov_step *s = add(m, SRIOV_OP_AUTOPROBE, -1, "autoprobe");
	if (!s)
		return;
	set_text(s->before, m->autoprobe ? "1" : "0");
	set_text(s->after, to ? "1" : "0");
	m->autoprobe = to;
}

static void add_count(struct maker *m, unsigned before, unsigned after)
{
	struct sriov_step *s = add(m, SRIOV_OP_COUNT, -1, "count");
	const struct sriov_pf *pf = &m->have->pf;

	if (!s)
		return;
	snprintf(s->before, sizeof(s->before), "%u", before);
	snprintf(s->after, sizeof(s->after), "%u", after);
	s->effect = before ? SRIOV_DESTROYS_VF : SRIOV_SAFE;
	for (size_t i = 0; before && i < m->have->vf_count && !s->blocker[0]; i++)
		plan_blocker(&m->have->vfs[i], s->blocker);
	if (!s->blocker[0] && after > pf->total_vfs)
		snprintf(s->blocker, sizeof(s->blocker), "it has at most %u", pf->total_vfs);
}

/* Do new VFs have to stay without a driver until we have been there? */
static bool want_by_hand(const struct maker *m)
{
	size_t n;
	const struct sriov_attr_info *table = sriov_attr_table(&n);

	if (!m->want->probe)
		return true;
	for (size_t i = 0; i < m->want->vf_count; i++) {
		const struct plan_vf *vf = &m->want->vfs[i];
		if (vf->driver[0])
			return true;
		for (size_t a = 0; a < n; a++)
			if ((vf->attrs.set & table[a].bit) && table[a].needs_unbound)
				return true;
	}
	return false;
}

static bool differs(const struct maker *m, const struct plan_vf *want, const struct sriov_vf *have,
		    unsigned claimed, const struct sriov_attr_info *info)
{
	if (!(want->attrs.set & info->bit) || !in_scope(m, (int)want->index, info->name))
		return false;
	/* What its holder brought gives way only to who names it. */
	if ((claimed & info->bit) && !m->scope->only)
		return false;
	if (m->scope->phase == SRIOV_PHASE_EARLY && info->needs_link)
		return false;
	if (!have)
		return true;
	if (have->attrs.set & info->bit)
		return !attr_same(info->bit, &have->attrs, &want->attrs);
	/* The driver does not tell. When it was asked for just now it is written, else it would be
	 * missing for ever. */
	return m->scope->only != NULL;
}

static void add_attr(struct maker *m, const struct plan_vf *want, const struct sriov_vf *have,
		     const struct sriov_attr_info *info)
{
	char text[SRIOV_ATTR_TEXT];
	struct sriov_step *s = add(m, SRIOV_OP_ATTR, (int)want->index, info->name);

	if (!s)
		return;
	if (have && (have->attrs.set & info->bit))
		set_text(s->before, sriov_attr_format(info->bit, &have->attrs, text));
	set_text(s->after, sriov_attr_format(info->bit, &want->attrs, text));
	s->waits = info->needs_link && !m->have->pf.link_up;
	if (have && have->state != SRIOV_VF_FREE)
		s->effect = info->effect;
	if (have && have->state == SRIOV_VF_FOREIGN && !m->scope->only)
		plan_blocker(have, s->blocker);
}

static const char *driver_text(const struct sriov_vf *vf)
{
	return vf && vf->driver[0] ? vf->driver : "none";
}

static void add_driver(struct maker *m, unsigned index, const struct sriov_vf *have,
		       const char *before, const char *after)
{
	struct sriov_step *s = add(m, SRIOV_OP_DRIVER, (int)index, "driver");

	if (!s)
		return;
	set_text(s->before, before);
	set_text(s->after, after);
	s->effect = strcmp(before, "none") ? SRIOV_DISRUPTIVE : SRIOV_SAFE;
	if (have)
		plan_blocker(have, s->blocker);
}

/* Settings that need the VF without a driver, and others; true when there were some. */
static bool add_attrs(struct maker *m, const struct plan_vf *want, const struct sriov_vf *have,
		      unsigned claimed, bool unbound)
{
	size_t n;
	const struct sriov_attr_info *table = sriov_attr_table(&n);
	bool any = false;

	for (size_t a = 0; a < n; a++) {
		if (table[a].needs_unbound != unbound ||
		    !differs(m, want, have, claimed, &table[a]))
			continue;
		any = true;
		add_attr(m, want, have, &table[a]);
	}
	return any;
}

static bool needs_unbinding(const struct maker *m, const struct plan_vf *want,
			    const struct sriov_vf *have, unsigned claimed)
{
	size_t n;
	const struct sriov_attr_info *table = sriov_attr_table(&n);
	bool needs = false;

	for (size_t a = 0; have && have->driver[0] && a < n; a++)
		needs |= table[a].needs_unbound && differs(m, want, have, claimed, &table[a]);
	return needs;
}

static void plan_existing(struct maker *m, const struct plan_vf *want, const struct sriov_vf *have,
			  unsigned claimed)
{
	bool unbind = needs_unbinding(m, want, have, claimed);
	const char *is = driver_text(have), *end = want->driver[0] ? want->driver : is;

	if (have->state == SRIOV_VF_HELD || have->state == SRIOV_VF_ORPHANED ||
	    !in_scope(m, (int)want->index, "driver"))
		end = is; /* its holder's driver, until he gives it back */
	if (unbind)
		add_driver(m, want->index, have, is, "none");
	add_attrs(m, want, have, claimed, true);
	add_attrs(m, want, have, claimed, false);
	if (strcmp(unbind ? "none" : is, end))
		add_driver(m, want->index, have, unbind ? "none" : is, end);
}

static const char *new_driver(const struct maker *m, const struct plan_vf *want)
{
	return want && want->driver[0] ? want->driver : m->want->probe ? "default" : "none";
}

static void plan_new(struct maker *m, unsigned index, const struct plan_vf *want)
{
	const char *driver = new_driver(m, want);

	if (want)
		add_attrs(m, want, NULL, 0, true);
	if (want)
		add_attrs(m, want, NULL, 0, false);
	if (m->by_hand && strcmp(driver, "none") && strcmp(driver, "default"))
		add_driver(m, index, NULL, "none", driver);
}

/* Whichever driver the kernel finds: it looks for one only with autoprobe on. */
static void plan_new_default(struct maker *m, unsigned index, const struct plan_vf *want)
{
	if (m->by_hand && !strcmp(new_driver(m, want), "default"))
		add_driver(m, index, NULL, "none", "default");
}

static void plan_vfs(struct maker *m,
		     void (*each_new)(struct maker *m, unsigned index, const struct plan_vf *want))
{
	size_t next = 0;

	for (unsigned i = 0; i < m->count && !m->err; i++) {
		while (next < m->want->vf_count && m->want->vfs[next].index < i)
			next++;
		const struct plan_vf *want =
			next < m->want->vf_count && m->want->vfs[next].index == i
				? &m->want->vfs[next]
				: NULL;
		if (each_new)
			each_new(m, i, want);
		else if (want && m->found[i])
			plan_existing(m, want, m->found[i], m->claimed[i] ? *m->claimed[i] : 0);
	}
}

static int index_found(struct maker *m)
{
	m->found = calloc(m->have->pf.num_vfs + 1u, sizeof(*m->found));
	m->claimed = calloc(m->have->pf.num_vfs + 1u, sizeof(*m->claimed));
	if (!m->found || !m->claimed)
		return -ENOMEM;
	for (size_t i = 0; i < m->have->vf_count; i++) {
		const struct sriov_vf *vf = &m->have->vfs[i];
		if (vf->index >= m->have->pf.num_vfs)
			continue;
		m->found[vf->index] = vf;
		m->claimed[vf->index] = m->have->claimed ? &m->have->claimed[i] : NULL;
	}
	return 0;
}

/* ---- the PF's own settings ---- */

/* VFs that stay feel it; where they go and come anew, that step says so. */
static void plan_eswitch(struct maker *m)
{
	const struct plan_have *have = m->have;
	bool stay = have->pf.num_vfs && !m->fresh;

	if (!m->want->eswitch || m->want->eswitch == have->eswitch || !in_scope(m, -1, "eswitch"))
		return;
	struct sriov_step *s = add(m, SRIOV_OP_PF, -1, "eswitch");
	if (!s)
		return;
	set_text(s->before, eswitch_name(have->eswitch));
	set_text(s->after, eswitch_name(m->want->eswitch));
	s->effect = stay ? SRIOV_DISRUPTIVE : SRIOV_SAFE;
	for (size_t i = 0; stay && i < have->vf_count && !s->blocker[0]; i++)
		plan_blocker(&have->vfs[i], s->blocker);
}

/* The controller is reset, which never comes along with something else that was asked for. At boot
 * nobody uses it yet, or a disk that is mounted forbids it. */
static void plan_keep(struct maker *m)
{
	const struct plan_have *have = m->have;

	if (m->want->keep < 0 || m->want->keep == have->keep ||
	    (m->scope->only && !is_named(m, -1, "nvme-keep")))
		return;
	struct sriov_step *s = add(m, SRIOV_OP_PF, -1, "nvme-keep");
	if (!s)
		return;
	if (have->keep >= 0)
		snprintf(s->before, sizeof(s->before), "%d", have->keep);
	snprintf(s->after, sizeof(s->after), "%d", m->want->keep);
	s->effect = m->scope->phase == SRIOV_PHASE_EARLY ? SRIOV_SAFE : SRIOV_DISRUPTIVE;
	if (have->pf.num_vfs && !m->fresh)
		snprintf(s->blocker, sizeof(s->blocker),
			 "it keeps what it has while it has VFs: the reset that this takes would "
			 "stop all %u; `sluice vf destroy` first",
			 have->pf.num_vfs);
	else
		memcpy(s->blocker, have->keep_blocker, sizeof(s->blocker));
}

/* All of them anew. What the kernel may do by itself ends as it is wished, and with the last VF as
 * it began. */
static void plan_anew(struct maker *m)
{
	bool after = m->want->probe_known ? m->want->probe : m->have->autoprobe;

	if (m->have->pf.num_vfs)
		add_count(m, m->have->pf.num_vfs, 0);
	plan_eswitch(m);
	plan_keep(m);
	if (!m->count) {
		add_autoprobe(m, true);
		return;
	}
	add_autoprobe(m, !m->by_hand);
	add_count(m, 0, m->count);
	plan_vfs(m, plan_new);
	add_autoprobe(m, after);
	plan_vfs(m, plan_new_default);
}

static void plan_change(struct maker *m)
{
	plan_eswitch(m);
	plan_keep(m);
	if (m->count && m->want->probe_known && in_scope(m, -1, "probe"))
		add_autoprobe(m, m->want->probe);
	plan_vfs(m, NULL);
}

/* Whether the number of VFs is to be looked at. */
static bool meant(const struct plan_scope *scope)
{
	for (size_t i = 0; i < scope->only_count; i++)
		if (scope->only[i].vf < 0 && (!strcmp(scope->only[i].name, "count") ||
					      !strcmp(scope->only[i].name, "probe")))
			return true;
	return !scope->only;
}

int plan_make(const struct plan_want *want, const struct plan_have *have,
	      const struct plan_scope *scope, struct sriov_plan *out)
{
	struct maker m = {.want = want, .have = have, .scope = scope, .out = out};

	m.count = want->count < 0 || !meant(scope) ? have->pf.num_vfs : (unsigned)want->count;
	m.fresh = m.count != have->pf.num_vfs;
	m.autoprobe = have->autoprobe;
	m.by_hand = want_by_hand(&m);
	m.err = index_found(&m);
	if (!m.err && m.fresh)
		plan_anew(&m);
	else if (!m.err)
		plan_change(&m);
	free(m.found);
	free(m.claimed);
	return m.err;
}

/* ---- a plan as a whole ---- */

void sriov_plan_free(struct sriov_plan *plan)
{
	free(plan->steps);
	plan->steps = NULL;
	plan->count = 0;
}

enum sriov_effect sriov_plan_effect(const struct sriov_plan *plan)
{
	enum sriov_effect worst = SRIOV_SAFE;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].effect > worst)
			worst = plan->steps[i].effect;
	return worst;
}

const struct sriov_step *sriov_plan_blocked(const struct sriov_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].blocker[0])
			return &plan->steps[i];
	return NULL;
}
