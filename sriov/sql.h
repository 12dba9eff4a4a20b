/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sql: state.db as a file, and statements on it. What the tables mean is said by those who own
 * them: ledger.h (claims), wish.h (what is wanted), journal.h (what is being done), pool.h.
 */
#ifndef SRIOV_SQL_H
#define SRIOV_SQL_H

#include <sqlite3.h>

#include "sriov/ledger.h"

struct ledger {
	sqlite3 *db;
	char *path;
};

/* Logs what the database says, with a next step, and returns its errno. */
int sql_fail(const struct ledger *ledger, int rc, const char *what);

int sql_prepare(struct ledger *ledger, const char *sql, sqlite3_stmt **stmt);
/* Runs a statement without rows and ends it. */
int sql_run(struct ledger *ledger, sqlite3_stmt *stmt);
/* The same for one whose only parameter is an address. */
int sql_run_for(struct ledger *ledger, const char *sql, struct bdf bdf);
/* The next row: 1, or 0 behind the last; `stmt` is ended with anything but 1. */
int sql_next(struct ledger *ledger, sqlite3_stmt *stmt);

void sql_bind_bdf(sqlite3_stmt *stmt, int column, struct bdf bdf);
void sql_take_text(sqlite3_stmt *stmt, int column, char *out, size_t size);

/* A transaction that writes; nothing may be nested. sql_end commits when `err` is 0, else rolls
 * back, and returns `err` or its own failure. */
int sql_begin(struct ledger *ledger);
int sql_end(struct ledger *ledger, int err);

#endif
