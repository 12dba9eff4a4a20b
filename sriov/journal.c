/* SPDX-License-Identifier: BSD-3-Clause */
/* journal: see journal.h. */
#include "sriov/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "sriov/sql.h"

static const char *const op_names[] = {
	[SRIOV_OP_WISH] = "wish",
	[SRIOV_OP_KEEP] = "keep",
	[SRIOV_OP_AUTOPROBE] = "autoprobe",
	[SRIOV_OP_COUNT] = "count",
	[SRIOV_OP_ATTR] = "attr",
	[SRIOV_OP_DRIVER] = "driver",
	[SRIOV_OP_PF] = "pf",
	[SRIOV_OP_RESOURCE] = "resource",
};

static int put_job(struct ledger *ledger, const struct journal_job *job)
{
	struct timespec now;
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger,
			      "INSERT INTO jobs (pf, key, what, boot, undoing, blocked, since)"
			      " VALUES (?, ?, ?, ?, 0, '', ?)",
			      &stmt);

	if (err)
		return err;
	clock_gettime(CLOCK_REALTIME, &now);
	sql_bind_bdf(stmt, 1, job->pf);
	sqlite3_bind_text(stmt, 2, job->key, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, job->what, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 4, job->boot, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 5, now.tv_sec);
	return sql_run(ledger, stmt);
}

static int put_step(struct ledger *ledger, struct bdf pf, size_t seq, const struct journal_step *s)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger,
			      "INSERT INTO steps (pf, seq, op, vf, name, before, after, state)"
			      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			      &stmt);

	if (err)
		return err;
	sql_bind_bdf(stmt, 1, pf);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)seq);
	sqlite3_bind_text(stmt, 3, op_names[s->step.op], -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 4, s->step.vf);
	sqlite3_bind_text(stmt, 5, s->step.name, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 6, s->step.before, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 7, s->step.after, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 8, (int)s->state);
	return sql_run(ledger, stmt);
}

int journal_begin(struct ledger *ledger, const struct journal_job *job)
{
	int err = sql_begin(ledger);

	if (err)
		return err;
	err = put_job(ledger, job);
	for (size_t i = 0; i < job->count && !err; i++) {
		const struct sriov_step *s = &job->steps[i].step;
		err = put_step(ledger, job->pf, i, &job->steps[i]);
		if (!err && s->op == SRIOV_OP_WISH && s->after[0])
			err = wish_set(ledger, job->key, s->vf, s->name, s->after);
	}
	return sql_end(ledger, err);
}

/* One write, and so one wait for the disk, a step. */
int journal_start(struct ledger *ledger, struct bdf pf, size_t seq)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger,
			      "UPDATE steps SET state = CASE WHEN seq = ?2 THEN 1"
			      " WHEN state = 1 THEN 2 ELSE state END"
			      " WHERE pf = ?1 AND seq BETWEEN ?2 - 1 AND ?2",
			      &stmt);

	if (err)
		return err;
	sql_bind_bdf(stmt, 1, pf);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)seq);
	return sql_run(ledger, stmt);
}

int journal_undoing(struct ledger *ledger, struct bdf pf)
{
	return sql_run_for(ledger, "UPDATE jobs SET undoing = 1 WHERE pf = ?", pf);
}

int journal_blocked(struct ledger *ledger, struct bdf pf, const char *by)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger, "UPDATE jobs SET blocked = ?2 WHERE pf = ?1", &stmt);

	if (err)
		return err;
	sql_bind_bdf(stmt, 1, pf);
	sqlite3_bind_text(stmt, 2, by, -1, SQLITE_STATIC);
	return sql_run(ledger, stmt);
}

int journal_end(struct ledger *ledger, const struct journal_job *job, bool undone)
{
	int err = sql_begin(ledger);

	if (err)
		return err;
	for (size_t i = job->count; i-- > 0 && !err;) {
		const struct sriov_step *s = &job->steps[i].step;
		if (s->op == SRIOV_OP_WISH && (undone || !s->after[0]))
			err = wish_set(ledger, job->key, s->vf, s->name,
				       undone ? s->before : s->after);
	}
	if (!err)
		err = sql_run_for(ledger, "DELETE FROM steps WHERE pf = ?", job->pf);
	if (!err)
		err = sql_run_for(ledger, "DELETE FROM jobs WHERE pf = ?", job->pf);
	return sql_end(ledger, err);
}

/* ---- reading ---- */

static int get_job(struct ledger *ledger, struct bdf pf, struct journal_job *out)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(
		ledger, "SELECT key, what, boot, undoing, blocked FROM jobs WHERE pf = ?", &stmt);

	if (err)
		return err;
	sql_bind_bdf(stmt, 1, pf);
	int more = sql_next(ledger, stmt);
	if (more <= 0)
		return more;
	sql_take_text(stmt, 0, out->key, sizeof(out->key));
	sql_take_text(stmt, 1, out->what, sizeof(out->what));
	sql_take_text(stmt, 2, out->boot, sizeof(out->boot));
	out->undoing = sqlite3_column_int(stmt, 3);
	sql_take_text(stmt, 4, out->blocked, sizeof(out->blocked));
	sqlite3_finalize(stmt);
	return 1;
}

static int take_step(sqlite3_stmt *stmt, struct journal_job *job)
{
	char op[16];
	struct journal_step *grown = realloc(job->steps, (job->count + 1) * sizeof(*job->steps));

	if (!grown)
		return -ENOMEM;
	job->steps = grown;
	struct journal_step *s = &grown[job->count];
	*s = (struct journal_step){0};
	sql_take_text(stmt, 0, op, sizeof(op));
	for (size_t i = 0; i < ARRAY_SIZE(op_names); i++)
		if (!strcmp(op, op_names[i]))
			s->step.op = (enum sriov_op)i;
	s->step.vf = sqlite3_column_int(stmt, 1);
	sql_take_text(stmt, 2, s->step.name, sizeof(s->step.name));
	sql_take_text(stmt, 3, s->step.before, sizeof(s->step.before));
	sql_take_text(stmt, 4, s->step.after, sizeof(s->step.after));
	s->state = (enum journal_state)sqlite3_column_int(stmt, 5);
	job->count++;
	return 0;
}

int journal_get(struct ledger *ledger, struct bdf pf, struct journal_job *out)
{
	sqlite3_stmt *stmt;

	*out = (struct journal_job){.pf = pf};
	int more, found = get_job(ledger, pf, out);
	if (found <= 0)
		return found;
	int err = sql_prepare(ledger,
			      "SELECT op, vf, name, before, after, state FROM steps WHERE pf = ?"
			      " ORDER BY seq",
			      &stmt);
	if (err)
		return err;
	sql_bind_bdf(stmt, 1, pf);
	while ((more = sql_next(ledger, stmt)) > 0) {
		err = take_step(stmt, out);
		if (err) {
			sqlite3_finalize(stmt);
			return err;
		}
	}
	return more < 0 ? more : 1;
}

void journal_free(struct journal_job *job)
{
	free(job->steps);
	job->steps = NULL;
	job->count = 0;
}
