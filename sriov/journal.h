/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal: what a command is doing to a PF, written before it is done.
 *
 * A job is one command's work on one PF; the PF's lock (lock.h) is held from its first row to its
 * last, so whoever has the lock and finds a job knows that its command is dead. Steps are in order,
 * with what was before; the state of a step is a hint and the machine the truth, so undoing looks
 * first and does nothing twice. Wishes (wish.h) are made in the transaction that begins the job, or
 * unmade again in the one that ends it. Those that are taken away hold until that end: they say
 * that what is still there is ours.
 */
#ifndef SRIOV_JOURNAL_H
#define SRIOV_JOURNAL_H

#include "sriov/wish.h"

enum journal_state { JOURNAL_PLANNED, JOURNAL_STARTED, JOURNAL_DONE };

#define JOURNAL_WHAT 48

struct journal_step {
	struct sriov_step step;
	enum journal_state state;
};

struct journal_job {
	struct bdf pf;
	char key[WISH_KEY]; /* of the PF's wishes */
	char what[JOURNAL_WHAT];
	char boot[40];
	bool undoing;
	char blocked[SRIOV_BLOCKER]; /* whom the kernel waits for in one of its steps */
	struct journal_step *steps;
	size_t count;
};

/* Writes job and steps, and changes the wishes. -EEXIST: there is one. */
int journal_begin(struct ledger *ledger, const struct journal_job *job);
/* Step `seq` begins now; the one before it is done. */
int journal_start(struct ledger *ledger, struct bdf pf, size_t seq);
int journal_undoing(struct ledger *ledger, struct bdf pf);
int journal_blocked(struct ledger *ledger, struct bdf pf, const char *by);
/* Removes the job; with `undone`, its wishes are as before. */
int journal_end(struct ledger *ledger, const struct journal_job *job, bool undone);

/* 1: found, 0: none. journal_free() in any case. */
int journal_get(struct ledger *ledger, struct bdf pf, struct journal_job *out);
void journal_free(struct journal_job *job);

#endif
