/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * work: see work.h.
 *
 * A job is a list of steps with a mark how far it came. Doing it, finishing it after a kill, and
 * undoing it are the same two loops, because a step looks at the machine before it acts.
 */
#include "sriov/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "sriov/lock.h"
#include "sriov/pf.h"
#include "sriov/plan.h"
#include "sriov/resource.h"
#include "sriov/step.h"
#include "sriov/vf.h"

struct work {
	struct sriov *ctx;
	struct ledger *ledger;
	const struct sriov_pf *pf;
	char name[SRIOV_NAME];
	struct journal_job *job;
};

/* Keeps in the journal whom the kernel waits for, so that the next command can say it. */
static void note_blocked(struct work *w, const struct sriov_step *step)
{
	char text[SRIOV_BLOCKER] = "", words[STEP_TEXT];
	struct sriov_vf *vfs = NULL;
	size_t count = 0;

	if (!resource_key(w->job->key) && !sriov_vf_list(w->ctx, w->pf, &vfs, &count))
		for (size_t i = 0; i < count && !text[0]; i++)
			plan_blocker(&vfs[i], text);
	free(vfs);
	if (!text[0])
		snprintf(text, sizeof(text), "the kernel has not finished '%.100s'",
			 step_words(step, words));
	journal_blocked(w->ledger, w->pf->bdf, text);
}

static bool gone(const struct work *w)
{
	struct sriov_pf now;

	if (resource_key(w->job->key))
		return !resource_present(w->ctx, w->pf->bdf);
	return pf_read(w->ctx, w->pf->bdf, &now) == -ENODEV;
}

/* Everything from step `from` back to the first. */
static int undo(struct work *w, size_t from)
{
	char words[STEP_TEXT];
	bool whole = true;
	int err = journal_undoing(w->ledger, w->pf->bdf);

	if (err)
		return err;
	for (size_t i = from; i-- > 0;) {
		const struct journal_step *s = &w->job->steps[i];
		if (s->state == JOURNAL_PLANNED)
			continue;
		err = step_do(w->ctx, w->pf, &s->step, s->step.before);
		if (err == -ETIMEDOUT) {
			note_blocked(w, &s->step);
			return err;
		}
		if (err)
			log_warn(w->name, "not put back: %s", step_words(&s->step, words));
		whole &= !err;
	}
	err = journal_end(w->ledger, w->job, true);
	if (!err && !whole)
		log_warn(w->name, "not all is as before; `sluice assert` tells what is not");
	return err;
}

/* Does the steps that are not done; sets *reached behind the last that was begun. */
static int go_on(struct work *w, size_t *reached)
{
	for (size_t i = 0; i < w->job->count; i++) {
		struct journal_step *s = &w->job->steps[i];
		*reached = i + 1;
		if (s->state == JOURNAL_DONE)
			continue;
		int err = journal_start(w->ledger, w->pf->bdf, i);
		if (err) {
			*reached = i;
			return err;
		}
		s->state = JOURNAL_STARTED;
		err = step_do(w->ctx, w->pf, &s->step, s->step.after);
		if (err == -ETIMEDOUT)
			note_blocked(w, &s->step);
		if (err)
			return err;
		s->state = JOURNAL_DONE;
	}
	return 0;
}

static int finish(struct work *w)
{
	size_t reached = 0;
	int err = w->job->undoing ? -ECANCELED : go_on(w, &reached);

	if (!err)
		return journal_end(w->ledger, w->job, false);
	if (err == -ETIMEDOUT)
		return err;
	if (gone(w)) {
		/* What is wanted stays so: it is done when the device comes back. */
		journal_end(w->ledger, w->job, w->job->undoing);
		return log_fail(-ENODEV, w->name,
				"%s: the device has gone away in the middle of it", w->job->what);
	}
	int err2 = undo(w, w->job->undoing ? w->job->count : reached);
	return err2 == -ETIMEDOUT ? err2 : err;
}

int work_run(struct sriov *ctx, struct ledger *ledger, const struct sriov_pf *pf,
	     struct journal_job *job)
{
	struct work w = {.ctx = ctx, .ledger = ledger, .pf = pf, .job = job};

	pf_name(pf, w.name);
	context_boot(job->boot);
	int err = journal_begin(ledger, job);
	return err ? err : finish(&w);
}

/* ---- after a kill ---- */

static int read_device(struct sriov *ctx, const struct journal_job *job, struct sriov_pf *pf)
{
	if (!resource_key(job->key))
		return pf_read(ctx, job->pf, pf);
	return resource_read(ctx, job->pf, job->key, pf);
}

static int repair_job(struct sriov *ctx, struct ledger *ledger, struct journal_job *job)
{
	struct sriov_pf pf = {0};
	struct work w = {.ctx = ctx, .ledger = ledger, .pf = &pf, .job = job};
	char boot[CONTEXT_BOOT];

	context_boot(boot);
	int err = read_device(ctx, job, &pf);
	if (err == -ENOSYS)
		return err;
	/* A reboot undid the machine's part, and so did whoever took the device out. */
	if ((job->boot[0] && strcmp(job->boot, boot)) || err)
		return journal_end(ledger, job, job->undoing);
	pf_name(&pf, w.name);
	log_warn(w.name, "a '%s' was cut off in the middle; %s it", job->what,
		 job->undoing ? "undoing" : "finishing");
	err = finish(&w);
	if (err == -ETIMEDOUT || err == -ENOSPC || err == -EACCES)
		return err; /* the job is still there */
	if (err && !job->undoing)
		log_warn(w.name, "it could not be finished, so it was undone");
	return 0;
}

int work_repair(struct sriov *ctx, struct ledger *ledger, struct bdf pf)
{
	struct journal_job job;
	int found = journal_get(ledger, pf, &job);
	int err = found > 0 ? repair_job(ctx, ledger, &job) : 0;

	journal_free(&job);
	return err ? err : found;
}

/* A PF that the kernel does not give back is not worth a minute's wait. */
static int refuse_blocked(struct sriov *ctx, struct ledger *ledger, struct bdf pf)
{
	struct journal_job job;
	char dev[BDF_TEXT];
	int fd = -1, found = journal_get(ledger, pf, &job);

	journal_free(&job);
	if (found <= 0 || !job.blocked[0])
		return found < 0 ? found : 0;
	fd = lock_try(ctx, pf);
	if (fd < 0)
		return log_fail(-EBUSY, bdf_format(pf, dev),
				"blocked: the kernel still waits in a '%s': %s", job.what,
				job.blocked);
	io_close(&fd);
	return 0;
}

int work_lock(struct sriov *ctx, struct ledger *ledger, struct bdf pf)
{
	int err = refuse_blocked(ctx, ledger, pf);

	if (!err)
		err = lock_take(ctx, pf);
	if (err)
		return err;
	err = work_repair(ctx, ledger, pf);
	if (err < 0)
		lock_drop(ctx);
	return err < 0 ? err : 0;
}
