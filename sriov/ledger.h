/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger: the SQLite database STATE_DIR/state.db: who has which function, and what it was before.
 *
 * `claims` has a row per function that was handed out, written before anything is changed and
 * removed after everything is back. `aliases` has the users' own
 * names of PFs. The same file holds what is wanted of the machine (wish.h), the
 * journal of what is being done to it (journal.h), and pools (pool.h); sql.h opens it.
 */
#ifndef SRIOV_LEDGER_H
#define SRIOV_LEDGER_H

#include "sriov/sriov.h"

struct ledger;

struct ledger_claim {
	struct bdf bdf;
	struct bdf pf; /* of a VF; else the function itself */
	int vf_index;  /* -1: no VF */
	char owner[64];
	char generation[33]; /* of the owner's life, see owner.h */
	char boot[40];	     /* the boot in which it was claimed */
	char previous_driver[SRIOV_DRIVER];
	struct sriov_attrs previous; /* `set`: those which the claim changes */
	int64_t since;
};

/* Makes the database where it is missing, and brings an older one up to date. -EUCLEAN for a
 * damaged one. Logs. */
int ledger_open(const char *state_dir, struct ledger **out);
/* Renames a damaged database, so that ledger_open() begins a new one. `ours` is false when another
 * command did it meanwhile. Logs. */
int ledger_set_aside(const char *state_dir, bool *ours);
void ledger_close(struct ledger *ledger);

/* All are durable when they return, and log their failures. */
int ledger_put(struct ledger *ledger, const struct ledger_claim *claim); /* -EEXIST */
int ledger_drop(struct ledger *ledger, struct bdf bdf);
/* 1: found, 0: no such row. */
int ledger_get(struct ledger *ledger, struct bdf bdf, struct ledger_claim *out);
/* Rows sorted by address, allocated; of `owner` alone, or all for NULL. */
int ledger_list(struct ledger *ledger, const char *owner, struct ledger_claim **out, size_t *count);

struct ledger_alias {
	char alias[SRIOV_NAME], identity[SRIOV_IDENTITY];
};
/* `alias` stands for `identity` from now on, in place of its alias `before`. Each "" for none. */
int ledger_alias_put(struct ledger *ledger, const char *alias, const char *identity,
		     const char *before);
/* Allocated, by name. */
int ledger_alias_list(struct ledger *ledger, struct ledger_alias **out, size_t *count);

/* Changes `previous` of a row that is there. */
int ledger_update(struct ledger *ledger, const struct ledger_claim *claim);

/* Functions that were found when a damaged ledger had to be begun anew, in this boot: foreign,
 * whatever they look like, until they are adopted. */
int ledger_stranger_put(struct ledger *ledger, struct bdf bdf, const char *boot);
int ledger_stranger_drop(struct ledger *ledger, struct bdf bdf);
/* Those of `boot`, sorted by address, allocated. */
int ledger_stranger_list(struct ledger *ledger, const char *boot, struct bdf **out, size_t *count);

#endif
