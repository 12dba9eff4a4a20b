/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * change: from wishes to a plan, from a plan to a job, and the commands that do both at once.
 *
 * Every change of a PF takes one way: lock, repair, read wishes and machine, plan, refuse or
 * journal, do. `sluice apply` shows the plan in between; so it holds what it showed against what it
 * would do now, and refuses (-ESTALE) when they differ.
 */
#include "sriov/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sriov/attrs.h"
#include "sriov/eswitch.h"
#include "sriov/identity.h"
#include "sriov/lock.h"
#include "sriov/numvfs.h"
#include "sriov/nvme_pf.h"
#include "sriov/pf.h"
#include "sriov/plan.h"
#include "sriov/vf.h"
#include "sriov/work.h"

/* ---- a PF's wishes ---- */

/* The wishes of the card that was called `known`: are they this one's? */
static enum identity_match match(const struct wish_place *known, const struct sriov_pf *pf)
{
	struct sriov_identity id;

	return identity_parse(known->key, &id) ? IDENTITY_OTHER
					       : identity_match(&id, &pf->identity);
}

int place_find(struct ledger *ledger, const struct sriov_pf *pf, struct wish_place *out)
{
	struct wish_place *known = NULL;
	size_t count = 0;
	int err = wish_places(ledger, &known, &count);
	enum identity_match best = IDENTITY_OTHER;

	*out = (struct wish_place){.bdf = pf->bdf};
	sriov_identity_format(&pf->identity, out->key);
	pf_name(pf, out->label);
	/* In its place, or else moved; another card in the place has none of its wishes. */
	for (size_t i = 0; i < count && best != IDENTITY_SAME; i++) {
		enum identity_match m = match(&known[i], pf);
		if (m != IDENTITY_SAME && (m != IDENTITY_MOVED || best == IDENTITY_MOVED))
			continue;
		best = m;
		memcpy(out->key, known[i].key, sizeof(out->key));
	}
	free(known);
	return err;
}

static void overlay_one(const struct sriov_wish *wish, const char *subject,
			struct sriov_attrs *attrs, char driver[SRIOV_DRIVER])
{
	struct sriov_attrs one = {0};

	if (!strcmp(wish->name, "driver"))
		snprintf(driver, SRIOV_DRIVER, "%s",
			 strcmp(wish->value, "none") ? wish->value : "");
	else if (!sriov_attr_parse(subject, wish->name, wish->value, &one) &&
		 (one.set & attrs->set)) {
		if (one.set & SRIOV_VLAN) /* its parts add up, here they must not */
			attrs->qos = 0, attrs->vlan_proto = 0;
		sriov_attr_parse(subject, wish->name, wish->value, attrs);
	}
}

void place_overlay(struct sriov *ctx, struct ledger *ledger, struct bdf bdf, int vf,
		   struct sriov_attrs *attrs, char driver[SRIOV_DRIVER])
{
	struct sriov_wish *wishes = NULL;
	struct wish_place place;
	struct sriov_pf pf;
	size_t count = 0;

	if (pf_read(ctx, bdf, &pf) || place_find(ledger, &pf, &place) ||
	    wish_list(ledger, place.key, &wishes, &count))
		return;
	for (size_t i = 0; i < count; i++)
		if (wishes[i].vf == vf)
			overlay_one(&wishes[i], place.label, attrs, driver);
	free(wishes);
}

/* ---- what is wanted, what is there ---- */

struct situation {
	struct ledger *ledger;
	struct wish_place place;
	char name[SRIOV_NAME];
	struct sriov_wish *wishes; /* as they shall be */
	size_t wish_count;
	struct sriov_wish *before; /* what the changes replace, one for one */
	struct plan_want want;
	struct plan_have have;
	int64_t generation;
};

static void situation_free(struct situation *s)
{
	free(s->wishes);
	free(s->before);
	plan_want_free(&s->want);
	free(s->have.vfs);
	free(s->have.claimed);
}

static struct sriov_wish *find_wish(struct sriov_wish *list, size_t count, int vf, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].vf == vf && !strcmp(list[i].name, name))
			return &list[i];
	return NULL;
}

/* Lays the changes over the wishes, and remembers what they replace. */
static int overlay(struct situation *s, const struct sriov_wish *changes, size_t count)
{
	struct sriov_wish *grown = realloc(s->wishes, (s->wish_count + count + 1) * sizeof(*grown));

	s->wishes = grown ? grown : s->wishes;
	s->before = calloc(count + 1, sizeof(*s->before));
	if (!grown || !s->before)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct sriov_wish *at =
			find_wish(s->wishes, s->wish_count, changes[i].vf, changes[i].name);
		s->before[i] = at ? *at : changes[i];
		if (!at) {
			s->before[i].value[0] = '\0';
			at = &s->wishes[s->wish_count++];
		}
		*at = changes[i];
	}
	return 0;
}

static int read_wishes(struct sriov *ctx, const struct sriov_pf *pf,
		       const struct sriov_wish *changes, size_t count, struct situation *s)
{
	int err = context_ledger(ctx, &s->ledger);

	if (!err)
		err = place_find(s->ledger, pf, &s->place);
	if (!err)
		err = wish_generation(s->ledger, &s->generation);
	if (!err)
		err = wish_list(s->ledger, s->place.key, &s->wishes, &s->wish_count);
	if (!err)
		err = overlay(s, changes, count);
	return err ? err : plan_want_parse(s->name, s->wishes, s->wish_count, &s->want);
}

/* What a VF's holder brought along: it goes with him. */
static int read_claimed(struct situation *s)
{
	struct ledger_claim *claims = NULL;
	size_t count = 0;
	struct plan_have *have = &s->have;
	int err = ledger_list(s->ledger, NULL, &claims, &count);

	have->claimed = calloc(have->vf_count + 1, sizeof(*have->claimed));
	if (!err && !have->claimed)
		err = -ENOMEM;
	for (size_t c = 0; c < count && !err; c++)
		for (size_t i = 0; i < have->vf_count; i++)
			if (bdf_equal(claims[c].bdf, have->vfs[i].bdf))
				have->claimed[i] = claims[c].previous.set;
	free(claims);
	return err;
}

static int read_machine(struct sriov *ctx, const struct sriov_pf *pf, struct situation *s)
{
	char dev[BDF_TEXT], text[8];
	int err = pf_read(ctx, pf->bdf, &s->have.pf);

	if (err)
		return log_fail(err, s->name, "gone: %s", strerror(-err));
	s->have.autoprobe = sysfs_read(&ctx->fs, text, sizeof(text),
				       "bus/pci/devices/%s/sriov_drivers_autoprobe",
				       bdf_format(pf->bdf, dev)) ||
			    strcmp(text, "0");
	/* What takes a talk with the card, only where somebody cares. */
	if (s->want.eswitch)
		s->have.eswitch = eswitch_now(&s->have.pf);
	s->have.keep = s->want.keep < 0 ? -1 : nvme_kept(ctx, &s->have.pf);
	if (s->want.keep >= 0)
		nvme_busy(ctx, &s->have.pf, s->have.keep_blocker);
	err = sriov_vf_list(ctx, pf, &s->have.vfs, &s->have.vf_count);
	return err ? err : read_claimed(s);
}

static int situation_read(struct sriov *ctx, const struct sriov_pf *pf,
			  const struct sriov_wish *changes, size_t count, struct situation *s)
{
	*s = (struct situation){0};
	pf_name(pf, s->name);
	int err = read_wishes(ctx, pf, changes, count, s);
	return err ? err : read_machine(ctx, pf, s);
}

static int situation_plan(const struct situation *s, const struct plan_scope *scope,
			  struct sriov_plan *out)
{
	*out = (struct sriov_plan){.pf = s->have.pf, .generation = s->generation};
	snprintf(out->name, sizeof(out->name), "%s", s->name);
	int err = plan_make(&s->want, &s->have, scope, out);
	if (err)
		sriov_plan_free(out);
	return err;
}

int sriov_plan(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_wish *changes,
	       size_t count, enum sriov_phase phase, struct sriov_plan *out)
{
	const struct plan_scope scope = {changes, count, phase};
	struct situation s;
	int err = situation_read(ctx, pf, changes, count, &s);

	if (!err)
		err = situation_plan(&s, &scope, out);
	situation_free(&s);
	return err;
}

/* ---- a job out of a plan ---- */

static struct journal_step *job_add(struct journal_job *job, enum sriov_op op, int vf,
				    const char *name, const char *before, const char *after)
{
	struct journal_step *s = &job->steps[job->count++];

	*s = (struct journal_step){.step = {.op = op, .vf = vf}, .state = JOURNAL_DONE};
	snprintf(s->step.name, sizeof(s->step.name), "%s", name);
	snprintf(s->step.before, sizeof(s->step.before), "%s", before);
	snprintf(s->step.after, sizeof(s->step.after), "%s", after);
	return s;
}

/* What goes away with the VFs, so that undoing brings it back. */
static void job_keep(const struct sriov *ctx, struct journal_job *job, const struct plan_have *have)
{
	char text[SRIOV_ATTR_TEXT];
	size_t rows;
	const struct sriov_attr_info *table = sriov_attr_table(&rows);

	for (size_t i = 0; i < have->vf_count; i++) {
		const struct sriov_vf *vf = &have->vfs[i];
		job_add(job, SRIOV_OP_KEEP, (int)vf->index, "driver",
			vf->driver[0] ? vf->driver : "none", "");
		for (size_t a = 0; a < rows; a++)
			if ((vf->attrs.set & table[a].bit) &&
			    !(table[a].bit == SRIOV_MAC &&
			      vf_mac_is_random(ctx, vf->bdf, vf->attrs.mac)))
				job_add(job, SRIOV_OP_KEEP, (int)vf->index, table[a].name,
					sriov_attr_format(table[a].bit, &vf->attrs, text), "");
	}
}

static bool takes_away(const struct sriov_plan *plan)
{
	return sriov_plan_effect(plan) == SRIOV_DESTROYS_VF;
}

/* Wishes, what must be kept, and the steps that nobody is in the way of. */
static int job_make(const struct sriov *ctx, const struct situation *s,
		    const struct sriov_plan *plan, const struct sriov_wish *changes, size_t count,
		    const char *what, struct journal_job *job)
{
	size_t rows;

	sriov_attr_table(&rows);
	*job = (struct journal_job){.pf = s->have.pf.bdf};
	snprintf(job->key, sizeof(job->key), "%s", s->place.key);
	snprintf(job->what, sizeof(job->what), "%s", what);
	job->steps = calloc(count + s->have.vf_count * (rows + 1) + plan->count + 1,
			    sizeof(*job->steps));
	if (!job->steps)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (strcmp(s->before[i].value, changes[i].value))
			job_add(job, SRIOV_OP_WISH, changes[i].vf, changes[i].name,
				s->before[i].value, changes[i].value);
	if (takes_away(plan))
		job_keep(ctx, job, &s->have);
	for (size_t i = 0; i < plan->count; i++) {
		const struct sriov_step *p = &plan->steps[i];
		if (!p->waits && !p->blocker[0])
			job_add(job, p->op, p->vf, p->name, p->before, p->after)->state =
				JOURNAL_PLANNED;
	}
	return 0;
}

/* ---- refusing ---- */

static const struct sriov_step *find_count(const struct sriov_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].op == SRIOV_OP_COUNT && plan->steps[i].blocker[0])
			return &plan->steps[i];
	return NULL;
}

/* VFs come and go all together, so one that must stay keeps all. */
static int refuse_count(struct sriov *ctx, const struct situation *s, const struct sriov_plan *plan)
{
	const struct sriov_step *blocked = find_count(plan);
	bool changes = false;

	for (size_t i = 0; i < plan->count; i++)
		changes |= plan->steps[i].op == SRIOV_OP_COUNT;
	int err = changes ? numvfs_check(ctx, &s->have.pf, (unsigned)s->want.count) : 0;
	if (err || !blocked)
		return err;
	return s->want.count ? log_fail(-EBUSY, s->name, "%d VFs refused: %s", s->want.count,
					blocked->blocker)
			     : log_fail(-EBUSY, s->name, "VFs not removed: %s", blocked->blocker);
}

static int tell_blocked(const struct sriov_plan *plan)
{
	int err = 0;

	for (size_t i = 0; i < plan->count; i++) {
		const struct sriov_step *p = &plan->steps[i];
		char vf[16] = "";

		if (p->vf >= 0)
			snprintf(vf, sizeof(vf), "VF %d: ", p->vf);
		if (p->waits)
			log_warn(plan->name, "%s%s waits for the link of %s", vf, p->name,
				 plan->name);
		if (p->blocker[0])
			err = log_fail(-EBUSY, plan->name, "%s%s stays %s: %s", vf, p->name,
				       p->before[0] ? p->before : "as it is", p->blocker);
	}
	return err;
}

/* ---- doing ---- */

static int do_plan(struct sriov *ctx, struct situation *s, const struct sriov_plan *plan,
		   const struct sriov_wish *changes, size_t count, const char *what)
{
	struct journal_job job;
	int err = refuse_count(ctx, s, plan);

	if (!err && count) /* asked for by name: all or nothing */
		err = tell_blocked(plan);
	if (!err)
		err = job_make(ctx, s, plan, changes, count, what, &job);
	if (err)
		return err;
	if (job.count && count)
		err = wish_place_set(s->ledger, &s->place);
	if (!err && job.count)
		err = work_run(ctx, s->ledger, &s->have.pf, &job);
	journal_free(&job);
	if (!err && !count)
		err = tell_blocked(plan);
	return err;
}

static int change_locked(struct sriov *ctx, const struct sriov_pf *pf,
			 const struct sriov_wish *changes, size_t count, const char *what)
{
	const struct plan_scope scope = {changes, count, SRIOV_PHASE_ALL};
	struct sriov_plan plan = {0};
	struct situation s;
	int err = situation_read(ctx, pf, changes, count, &s);

	if (!err)
		err = situation_plan(&s, &scope, &plan);
	if (!err)
		err = do_plan(ctx, &s, &plan, changes, count, what);
	sriov_plan_free(&plan);
	situation_free(&s);
	return err;
}

int sriov_change(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_wish *changes,
		 size_t count, const char *what)
{
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = work_lock(ctx, ledger, pf->bdf);
	if (err)
		return err;
	err = change_locked(ctx, pf, changes, count, what);
	lock_drop(ctx);
	return err;
}

static bool same_plan(const struct sriov_plan *a, const struct sriov_plan *b)
{
	if (a->generation != b->generation || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct sriov_step *x = &a->steps[i], *y = &b->steps[i];
		if (x->op != y->op || x->vf != y->vf || strcmp(x->name, y->name) ||
		    strcmp(x->before, y->before) || strcmp(x->after, y->after) ||
		    x->effect != y->effect)
			return false;
	}
	return true;
}

static int apply_locked(struct sriov *ctx, const struct sriov_plan *plan, enum sriov_phase phase)
{
	const struct plan_scope scope = {.phase = phase};
	struct sriov_plan now = {0};
	struct situation s;
	int err = situation_read(ctx, &plan->pf, NULL, 0, &s);

	if (!err)
		err = situation_plan(&s, &scope, &now);
	if (!err && !same_plan(plan, &now))
		err = log_fail(-ESTALE, plan->name,
			       "not applied: wishes, owners or the machine have changed since the "
			       "plan was made; look at `sluice plan` again");
	if (!err)
		err = do_plan(ctx, &s, &now, NULL, 0, "apply");
	sriov_plan_free(&now);
	situation_free(&s);
	return err;
}

int sriov_apply(struct sriov *ctx, const struct sriov_plan *plan, enum sriov_phase phase)
{
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = work_lock(ctx, ledger, plan->pf.bdf);
	if (err)
		return err;
	err = apply_locked(ctx, plan, phase);
	lock_drop(ctx);
	return err;
}

/* ---- the deeds that are one change ---- */

static void set_wish(struct sriov_wish *wish, int vf, const char *name, const char *value)
{
	*wish = (struct sriov_wish){.vf = vf};
	snprintf(wish->name, sizeof(wish->name), "%s", name);
	snprintf(wish->value, sizeof(wish->value), "%s", value);
}

int sriov_wishes(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_wish **out,
		 size_t *count)
{
	struct wish_place place;
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = place_find(ledger, pf, &place);
	return err ? err : wish_list(ledger, place.key, out, count);
}

int sriov_count_changes(struct sriov *ctx, const struct sriov_pf *pf, unsigned count, bool probe,
			struct sriov_wish **out, size_t *changes)
{
	struct sriov_wish *old = NULL, *list;
	size_t old_count = 0, n = 0;
	char text[16];
	int err = sriov_wishes(ctx, pf, &old, &old_count);

	if (err)
		return err;
	list = calloc(old_count + 2, sizeof(*list));
	if (!list) {
		free(old);
		return -ENOMEM;
	}
	snprintf(text, sizeof(text), "%u", count);
	set_wish(&list[n++], WISH_PF, "count", text);
	set_wish(&list[n++], WISH_PF, "probe", count ? (probe ? "on" : "off") : "");
	for (size_t i = 0; i < old_count; i++)
		if (old[i].vf >= 0 && (unsigned)old[i].vf >= count)
			set_wish(&list[n++], old[i].vf, old[i].name, "");
	free(old);
	*out = list;
	*changes = n;
	return 0;
}

int sriov_vfs_create(struct sriov *ctx, const struct sriov_pf *pf, unsigned count, bool probe)
{
	struct sriov_wish *changes;
	struct sriov_pf now;
	size_t n;
	int err = sriov_count_changes(ctx, pf, count, probe, &changes, &n);

	if (err)
		return err;
	err = sriov_change(ctx, pf, changes, n, count ? "vf create" : "vf destroy");
	free(changes);
	if (!err && count && !pf_read(ctx, pf->bdf, &now) && now.ifname[0] && !now.link_up)
		log_warn(now.ifname,
			 "has no link: its VFs pass no traffic, and their drivers may not "
			 "start; `ip link set %s up` first",
			 now.ifname);
	return err;
}

int sriov_vfs_destroy(struct sriov *ctx, const struct sriov_pf *pf)
{
	return sriov_vfs_create(ctx, pf, 0, true);
}

/* Settings outlive a reboot only together with the VFs that have them. */
static int add_count(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_wish *changes,
		     size_t *n)
{
	struct sriov_wish *old = NULL;
	size_t count = 0;
	char dev[BDF_TEXT], text[16];
	uint64_t probes = 1;
	int err = sriov_wishes(ctx, pf, &old, &count);

	if (!err && !find_wish(old, count, WISH_PF, "count")) {
		snprintf(text, sizeof(text), "%u", pf->num_vfs);
		set_wish(&changes[(*n)++], WISH_PF, "count", text);
		sysfs_read_u64(&ctx->fs, &probes, "bus/pci/devices/%s/sriov_drivers_autoprobe",
			       bdf_format(pf->bdf, dev));
		set_wish(&changes[(*n)++], WISH_PF, "probe", probes ? "on" : "off");
	}
	free(old);
	return err;
}

int sriov_attr_changes(struct sriov *ctx, const struct sriov_vf *vf,
		       const struct sriov_attrs *attrs, const char *driver, struct sriov_wish **out,
		       size_t *count)
{
	char text[SRIOV_ATTR_TEXT];
	struct sriov_pf pf;
	size_t rows;
	const struct sriov_attr_info *table = sriov_attr_table(&rows);
	struct sriov_wish *list = calloc(rows + 3, sizeof(*list));
	int err = list ? pf_read(ctx, vf->pf_bdf, &pf) : -ENOMEM;

	*count = 0;
	for (size_t i = 0; !err && i < rows; i++)
		if (attrs->set & table[i].bit)
			set_wish(&list[(*count)++], (int)vf->index, table[i].name,
				 sriov_attr_format(table[i].bit, attrs, text));
	if (!err && driver)
		set_wish(&list[(*count)++], (int)vf->index, "driver", driver);
	if (!err)
		err = add_count(ctx, &pf, list, count);
	*out = list;
	if (err)
		free(list);
	return err;
}

int sriov_vf_set(struct sriov *ctx, const struct sriov_vf *vf, const struct sriov_attrs *attrs)
{
	char subject[VF_SUBJECT];
	struct sriov_wish *changes;
	struct sriov_pf pf;
	size_t count;
	int err = sriov_attr_check(vf_subject(vf, subject), attrs);

	if (err)
		return err;
	err = pf_read(ctx, vf->pf_bdf, &pf);
	if (err)
		return log_fail(err, subject, "its PF is gone: %s", strerror(-err));
	err = attrs_check_pf(subject, &pf, attrs);
	if (!err)
		err = sriov_attr_changes(ctx, vf, attrs, NULL, &changes, &count);
	if (err)
		return err;
	err = sriov_change(ctx, &pf, changes, count, "vf set");
	free(changes);
	if (!err && vf->ifname[0] && (attrs->set & (SRIOV_MAC | SRIOV_VLAN)))
		log_warn(subject, "%s (driver %s) may show it only after the driver is reloaded",
			 vf->ifname, vf->driver);
	return err;
}
