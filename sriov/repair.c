/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * repair: what does not hold, and putting it right: leftovers of killed commands and of dead VMs, a
 * ledger that was damaged, VFs that somebody else made.
 */
#include "sriov/repair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "sriov/change.h"
#include "sriov/lock.h"
#include "sriov/owner.h"
#include "sriov/pf.h"
#include "sriov/plan.h"
#include "sriov/step.h"
#include "sriov/vf.h"
#include "sriov/work.h"

/* ---- a damaged ledger ---- */

static int mark_vfs(struct sriov *ctx, const struct sriov_pf *pf, const char *boot)
{
	struct bdf vf;
	int err = 0;

	for (unsigned i = 0; i < pf->num_vfs && !err; i++)
		if (!pf_virtfn(ctx, pf->bdf, i, &vf))
			err = ledger_stranger_put(ctx->ledger, vf, boot);
	return err;
}

int repair_rebuild(struct sriov *ctx)
{
	char boot[CONTEXT_BOOT];
	struct sriov_pf *pfs = NULL;
	size_t count = 0;
	bool ours;
	int err = ledger_set_aside(ctx->state_dir, &ours);

	if (!err)
		err = ledger_open(ctx->state_dir, &ctx->ledger);
	if (err || !ours)
		return err;
	context_boot(boot);
	err = pf_list(ctx, &pfs, &count);
	for (size_t i = 0; i < count && !err; i++)
		err = mark_vfs(ctx, &pfs[i], boot);
	free(pfs);
	return err;
}

/* ---- leftovers ---- */

static int release_orphans(struct sriov *ctx, const struct sriov_pf *pf, int *found)
{
	struct sriov_vf *vfs = NULL;
	size_t count = 0;
	int err = sriov_vf_list(ctx, pf, &vfs, &count);

	for (size_t i = 0; i < count && !err; i++) {
		if (vfs[i].state != SRIOV_VF_ORPHANED)
			continue;
		err = sriov_release(ctx, vfs[i].bdf, NULL);
		*found = 1;
	}
	free(vfs);
	return err;
}

int sriov_repair(struct sriov *ctx, const struct sriov_pf *pf)
{
	struct journal_job job = {0};
	struct ledger *ledger;
	int found = 0, err = context_ledger(ctx, &ledger);

	if (!err)
		found = journal_get(ledger, pf->bdf, &job);
	journal_free(&job);
	if (!err && found < 0)
		err = found;
	if (!err && found) {
		err = work_lock(ctx, ledger, pf->bdf);
		if (!err)
			lock_drop(ctx);
	}
	if (!err)
		err = release_orphans(ctx, pf, &found);
	return err ? err : found;
}

/* ---- does all hold? ---- */

struct telling {
	void (*tell)(const char *subject, const char *text, void *opaque);
	void *opaque;
	int count;
};

static void tell(struct telling *t, const char *subject, const char *text)
{
	t->tell(subject, text, t->opaque);
	t->count++;
}

static void tell_step(struct telling *t, const struct sriov_plan *plan, const struct sriov_step *s)
{
	char text[STEP_TEXT + SRIOV_BLOCKER + 32], subject[VF_SUBJECT];
	struct sriov_vf vf = {.index = (unsigned)s->vf};

	snprintf(vf.pf, sizeof(vf.pf), "%s", plan->name);
	snprintf(text, sizeof(text), "%s is %s, wanted: %s%s%s", s->name,
		 s->before[0] ? s->before : "not told", s->after, s->blocker[0] ? "; " : "",
		 s->blocker[0] ? s->blocker
		 : s->waits    ? " (waits for the link)"
			       : "");
	tell(t, s->vf < 0 ? plan->name : vf_subject(&vf, subject), text);
}

static int assert_plan(struct sriov *ctx, const struct sriov_pf *pf, struct telling *t)
{
	struct sriov_plan plan;
	int err = sriov_plan(ctx, pf, NULL, 0, SRIOV_PHASE_ALL, &plan);

	if (err)
		return err;
	bool comes = false, counts = false;
	for (size_t i = 0; i < plan.count; i++)
		counts |= plan.steps[i].op == SRIOV_OP_COUNT;
	for (size_t i = 0; i < plan.count; i++) {
		const struct sriov_step *s = &plan.steps[i];
		/* With VFs that are not there, everything of them is missing: said once. */
		if (s->op == SRIOV_OP_COUNT) {
			struct sriov_step whole = *s;
			snprintf(whole.before, sizeof(whole.before), "%u", pf->num_vfs);
			if (comes)
				continue;
			for (size_t j = i; j < plan.count; j++)
				if (plan.steps[j].op == SRIOV_OP_COUNT)
					memcpy(whole.after, plan.steps[j].after,
					       sizeof(whole.after));
			tell_step(t, &plan, &whole);
			comes = true;
		} else if (!comes && (s->op != SRIOV_OP_AUTOPROBE || !counts)) {
			tell_step(t, &plan, s);
		}
	}
	sriov_plan_free(&plan);
	return 0;
}

static int assert_leftovers(struct sriov *ctx, struct ledger *ledger, const struct sriov_pf *pf,
			    struct telling *t)
{
	char name[SRIOV_NAME], subject[VF_SUBJECT], text[160];
	struct journal_job job;
	struct sriov_vf *vfs = NULL;
	size_t count = 0;
	int found = journal_get(ledger, pf->bdf, &job);

	if (found > 0) {
		/* Its lock tells whether the command is dead. */
		int fd = lock_try(ctx, pf->bdf);
		snprintf(text, sizeof(text),
			 fd >= 0 ? "a '%s' was cut off in the middle; `sluice "
				   "apply` puts it right"
				 : "a '%s' is going on",
			 job.what);
		io_close(&fd);
		tell(t, pf_name(pf, name), job.blocked[0] ? job.blocked : text);
	}
	journal_free(&job);
	int err = found < 0 ? found : sriov_vf_list(ctx, pf, &vfs, &count);
	for (size_t i = 0; i < count; i++) {
		if (vfs[i].state != SRIOV_VF_ORPHANED)
			continue;
		snprintf(text, sizeof(text),
			 "left over from vm %s; `sluice vf release %s/%u` takes it back",
			 vfs[i].owner, vfs[i].pf, vfs[i].index);
		tell(t, vf_subject(&vfs[i], subject), text);
	}
	free(vfs);
	return err;
}

/* A PF with wishes that is not in the machine. */
static int assert_present(struct ledger *ledger, const struct sriov_pf *pfs, size_t count,
			  struct telling *t)
{
	struct wish_place *places = NULL, here;
	size_t place_count = 0;
	int err = wish_places(ledger, &places, &place_count);

	for (size_t p = 0; p < place_count && !err; p++) {
		bool found = false;
		for (size_t i = 0; i < count && !found; i++)
			found = !place_find(ledger, &pfs[i], &here) &&
				!strcmp(here.key, places[p].key);
		if (!found)
			tell(t, places[p].label, "is wished for, but not in this machine");
	}
	free(places);
	return err;
}

int sriov_assert(struct sriov *ctx, void (*cb)(const char *subject, const char *text, void *opaque),
		 void *opaque)
{
	struct telling t = {.tell = cb, .opaque = opaque};
	struct sriov_pf *pfs = NULL;
	struct ledger *ledger;
	size_t count = 0;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = pf_list(ctx, &pfs, &count);
	if (!err)
		err = assert_present(ledger, pfs, count, &t);
	for (size_t i = 0; i < count && !err; i++) {
		err = assert_leftovers(ctx, ledger, &pfs[i], &t);
		if (!err)
			err = assert_plan(ctx, &pfs[i], &t);
	}
	free(pfs);
	return err ? err : t.count;
}

/* ---- taking in ---- */

static void adopt_attrs(const struct sriov *ctx, const struct sriov_vf *vf, struct sriov_attrs *out)
{
	static const uint8_t zero[6];

	*out = vf->attrs;
	out->set &= SRIOV_MAC | SRIOV_VLAN;
	if (!memcmp(out->mac, zero, sizeof(zero)) || vf_mac_is_random(ctx, vf->bdf, out->mac))
		out->set &= ~(unsigned)SRIOV_MAC;
	if (!out->vlan)
		out->set &= ~(unsigned)SRIOV_VLAN;
}

int sriov_adopt(struct sriov *ctx, const struct sriov_vf *vf)
{
	char subject[VF_SUBJECT];
	struct sriov_wish *changes;
	struct sriov_attrs attrs;
	struct sriov_pf pf;
	size_t count;

	vf_subject(vf, subject);
	if (vf->state == SRIOV_VF_HELD || vf->state == SRIOV_VF_ORPHANED)
		return log_fail(-EEXIST, subject, "not adopted: it is ours, vm %s has it",
				vf->owner);
	if (vf->state == SRIOV_VF_FOREIGN && vf->pid)
		return log_fail(-EBUSY, subject,
				"not adopted: process %d has it open; end it first", (int)vf->pid);
	int err = pf_read(ctx, vf->pf_bdf, &pf);
	if (err)
		return log_fail(err, subject, "its PF is gone: %s", strerror(-err));
	adopt_attrs(ctx, vf, &attrs);
	err = sriov_attr_changes(ctx, vf, &attrs, vf->driver[0] ? vf->driver : "none", &changes,
				 &count);
	if (err)
		return err;
	err = sriov_change(ctx, &pf, changes, count, "vf adopt");
	free(changes);
	return err ? err : ledger_stranger_drop(ctx->ledger, vf->bdf);
}
