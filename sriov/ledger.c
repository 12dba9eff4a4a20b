/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger: see ledger.h.
 *
 * Write-ahead log with synchronous=FULL: a row that was written survives a power cut, which is what
 * makes "row first, then the machine" a promise. Every statement is its own transaction. The
 * schema's version is PRAGMA user_version; `migrations` brings any older one up, one step a
 * transaction.
 */
#include "sriov/ledger.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "sriov/attr.h"

#define BUSY_MS 10000

struct ledger {
	sqlite3 *db;
	char *path;
};

/* Entry n brings version n to n + 1. Never change one that was released: add another. */
static const char *const migrations[] = {
	"CREATE TABLE claims ("
	" bdf TEXT PRIMARY KEY, pf TEXT NOT NULL, vf_index INTEGER NOT NULL, owner TEXT NOT NULL,"
	" generation TEXT NOT NULL, boot TEXT NOT NULL, previous_driver TEXT NOT NULL,"
	" previous_set INTEGER NOT NULL, mac BLOB NOT NULL, vlan INTEGER NOT NULL,"
	" qos INTEGER NOT NULL, spoof_check INTEGER NOT NULL, trust INTEGER NOT NULL,"
	" min_rate INTEGER NOT NULL, max_rate INTEGER NOT NULL, since INTEGER NOT NULL) STRICT;"
	"CREATE TABLE probes (pf TEXT PRIMARY KEY, autoprobe TEXT NOT NULL) STRICT;",
	"ALTER TABLE claims ADD COLUMN more TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE aliases (alias TEXT PRIMARY KEY, identity TEXT NOT NULL UNIQUE) STRICT;",
};

#define COLUMNS                                                                  \
	"bdf, pf, vf_index, owner, generation, boot, previous_driver, "          \
	"previous_set, mac, vlan, qos, spoof_check, trust, min_rate, max_rate, " \
	"since, more"

static int to_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int fail(const struct ledger *ledger, int rc, const char *what)
{
	int err = to_errno(rc);
	const char *next = err == -EACCES  ? "; run as root"
			   : err == -EBUSY ? "; another command is writing it, try again"
			   : err == -EUCLEAN
				   ? "; the file is damaged: stop all VMs, move it away, and "
				     "bind their devices back with `sluice vf list`"
				   : "";

	return log_fail(err, ledger->path, "ledger %s: %s%s", what, sqlite3_errmsg(ledger->db),
			next);
}

/* ---- opening ---- */

static int user_version(struct ledger *ledger, int *version)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(ledger->db, "PRAGMA user_version", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : fail(ledger, rc, "not read");
}

/* Takes the write lock first, so that of two commands on a fresh machine one waits and sees. */
static int migrate_step(struct ledger *ledger, int *version)
{
	char sql[64];
	int rc = sqlite3_exec(ledger->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return fail(ledger, rc, "not locked");
	int err = user_version(ledger, version);
	if (!err && *version < (int)ARRAY_SIZE(migrations)) {
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", *version + 1);
		rc = sqlite3_exec(ledger->db, migrations[*version], NULL, NULL, NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_exec(ledger->db, sql, NULL, NULL, NULL);
		if (rc == SQLITE_OK)
			++*version;
		else
			err = fail(ledger, rc, "not brought up to date");
	}
	if (!err) {
		rc = sqlite3_exec(ledger->db, "COMMIT", NULL, NULL, NULL);
		err = rc == SQLITE_OK ? 0 : fail(ledger, rc, "not brought up to date");
	}
	if (err)
		sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static int migrate(struct ledger *ledger)
{
	int version = 0, err = user_version(ledger, &version);

	while (!err && version < (int)ARRAY_SIZE(migrations))
		err = migrate_step(ledger, &version);
	if (!err && version > (int)ARRAY_SIZE(migrations))
		return log_fail(-ENOTSUP, ledger->path,
				"ledger of version %d, made by a newer sluice; this one knows %d",
				version, (int)ARRAY_SIZE(migrations));
	return err;
}

int ledger_open(const char *state_dir, struct ledger **out)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger || asprintf(&ledger->path, "%s/state.db", state_dir) < 0) {
		free(ledger);
		return -ENOMEM;
	}
	int rc = sqlite3_open_v2(ledger->path, &ledger->db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(ledger->db, BUSY_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(ledger->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
				  NULL, NULL, NULL);
	int err = rc == SQLITE_OK ? migrate(ledger) : fail(ledger, rc, "not opened");
	if (err) {
		ledger_close(ledger);
		return err;
	}
	*out = ledger;
	return 0;
}

void ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	sqlite3_close(ledger->db);
	free(ledger->path);
	free(ledger);
}

/* ---- statements ---- */

static int prepare(struct ledger *ledger, const char *sql, sqlite3_stmt **stmt)
{
	int rc = sqlite3_prepare_v2(ledger->db, sql, -1, stmt, NULL);

	return rc == SQLITE_OK ? 0 : fail(ledger, rc, "not asked");
}

static void bind_bdf(sqlite3_stmt *stmt, int column, struct bdf bdf)
{
	char text[BDF_TEXT];

	sqlite3_bind_text(stmt, column, bdf_format(bdf, text), -1, SQLITE_TRANSIENT);
}

/* Runs a statement without rows and ends it. */
static int run(struct ledger *ledger, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);
	int err = rc == SQLITE_DONE ? 0 : fail(ledger, rc, "not written");

	sqlite3_finalize(stmt);
	return err;
}

static int run_for(struct ledger *ledger, const char *sql, struct bdf bdf)
{
	sqlite3_stmt *stmt;
	int err = prepare(ledger, sql, &stmt);

	if (err)
		return err;
	bind_bdf(stmt, 1, bdf);
	return run(ledger, stmt);
}

/* ---- claims ---- */

/* Settings that have a column of their own, apart from a VLAN's protocol. The others stand in the
 * column `more`, as texts: "link-state=auto msix=8". */
#define OWN_COLUMN (SRIOV_MAC | SRIOV_VLAN | SRIOV_SPOOF | SRIOV_TRUST | SRIOV_RATE)
#define MORE	   1024

static const char *format_more(const struct sriov_attrs *attrs, char more[MORE])
{
	size_t count, used = 0;
	const struct attr_info *table = attr_table(&count);
	unsigned bits = attrs->set & (attrs->vlan_proto ? ~0u : ~(unsigned)SRIOV_VLAN);

	more[0] = '\0';
	for (size_t i = 0; i < count && used < MORE; i++) {
		char text[ATTR_TEXT];
		if (bits & table[i].bit & ~(OWN_COLUMN & ~(unsigned)SRIOV_VLAN))
			used += (size_t)snprintf(more + used, MORE - used, "%s%s=%s",
						 used ? " " : "", table[i].name,
						 attr_format(table[i].bit, attrs, text));
	}
	return more;
}

static int parse_more(const char *dev, char more[MORE], struct sriov_attrs *out)
{
	int err = 0;

	for (char *rest = more, *pair; !err && (pair = strsep(&rest, " "));) {
		char *name = strsep(&pair, "=");
		if (*name)
			err = pair ? attr_parse(dev, name, pair, out) : -EINVAL;
	}
	return err ? log_fail(-EUCLEAN, "ledger", "row '%s' is damaged", dev) : 0;
}

int ledger_put(struct ledger *ledger, const struct ledger_claim *claim)
{
	const struct sriov_attrs *was = &claim->previous;
	sqlite3_stmt *stmt;
	int at = 1, err = prepare(ledger,
				  "INSERT INTO claims (" COLUMNS
				  ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
				  &stmt);
	char more[MORE];

	if (err)
		return err;
	bind_bdf(stmt, at++, claim->bdf);
	bind_bdf(stmt, at++, claim->pf);
	sqlite3_bind_int(stmt, at++, claim->vf_index);
	sqlite3_bind_text(stmt, at++, claim->owner, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, at++, claim->generation, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, at++, claim->boot, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, at++, claim->previous_driver, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, at++, was->set);
	sqlite3_bind_blob(stmt, at++, was->mac, sizeof(was->mac), SQLITE_STATIC);
	sqlite3_bind_int(stmt, at++, was->vlan);
	sqlite3_bind_int(stmt, at++, was->qos);
	sqlite3_bind_int(stmt, at++, was->spoof_check);
	sqlite3_bind_int(stmt, at++, was->trust);
	sqlite3_bind_int64(stmt, at++, was->min_rate);
	sqlite3_bind_int64(stmt, at++, was->max_rate);
	sqlite3_bind_int64(stmt, at++, claim->since);
	sqlite3_bind_text(stmt, at++, format_more(was, more), -1, SQLITE_STATIC);
	return run(ledger, stmt);
}

int ledger_drop(struct ledger *ledger, struct bdf bdf)
{
	return run_for(ledger, "DELETE FROM claims WHERE bdf = ?", bdf);
}

static void take_text(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	snprintf(out, size, "%s", text ? (const char *)text : "");
}

static int take_claim(sqlite3_stmt *stmt, struct ledger_claim *out)
{
	char bdf[BDF_TEXT], pf[BDF_TEXT], more[MORE];
	struct sriov_attrs *was = &out->previous;

	*out = (struct ledger_claim){0};
	take_text(stmt, 0, bdf, sizeof(bdf));
	take_text(stmt, 1, pf, sizeof(pf));
	if (bdf_parse(bdf, &out->bdf) < 0 || bdf_parse(pf, &out->pf) < 0 ||
	    sqlite3_column_bytes(stmt, 8) != (int)sizeof(was->mac))
		return log_fail(-EUCLEAN, "ledger", "row '%s' is damaged", bdf);
	out->vf_index = sqlite3_column_int(stmt, 2);
	take_text(stmt, 3, out->owner, sizeof(out->owner));
	take_text(stmt, 4, out->generation, sizeof(out->generation));
	take_text(stmt, 5, out->boot, sizeof(out->boot));
	take_text(stmt, 6, out->previous_driver, sizeof(out->previous_driver));
	was->set = (unsigned)sqlite3_column_int64(stmt, 7);
	memcpy(was->mac, sqlite3_column_blob(stmt, 8), sizeof(was->mac));
	was->vlan = (uint16_t)sqlite3_column_int(stmt, 9);
	was->qos = (uint8_t)sqlite3_column_int(stmt, 10);
	was->spoof_check = sqlite3_column_int(stmt, 11);
	was->trust = sqlite3_column_int(stmt, 12);
	was->min_rate = (uint32_t)sqlite3_column_int64(stmt, 13);
	was->max_rate = (uint32_t)sqlite3_column_int64(stmt, 14);
	out->since = sqlite3_column_int64(stmt, 15);
	take_text(stmt, 16, more, sizeof(more));
	return parse_more(bdf, more, was);
}

int ledger_get(struct ledger *ledger, struct bdf bdf, struct ledger_claim *out)
{
	sqlite3_stmt *stmt;
	int err = prepare(ledger, "SELECT " COLUMNS " FROM claims WHERE bdf = ?", &stmt);

	if (err)
		return err;
	bind_bdf(stmt, 1, bdf);
	int rc = sqlite3_step(stmt), found = 0;
	if (rc == SQLITE_ROW) {
		err = take_claim(stmt, out);
		found = err ? err : 1;
	} else if (rc != SQLITE_DONE) {
		found = fail(ledger, rc, "not read");
	}
	sqlite3_finalize(stmt);
	return found;
}

int ledger_list(struct ledger *ledger, const char *owner, struct ledger_claim **out, size_t *count)
{
	struct ledger_claim *list = NULL;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int rc, err = prepare(ledger,
			      "SELECT " COLUMNS " FROM claims"
			      " WHERE ?1 IS NULL OR owner = ?1 ORDER BY bdf",
			      &stmt);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, owner, -1, SQLITE_STATIC); /* NULL binds NULL */
	while (!err && (rc = sqlite3_step(stmt)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW) {
			err = fail(ledger, rc, "not read");
			break;
		}
		struct ledger_claim *more = realloc(list, (n + 1) * sizeof(*list));
		if (more)
			list = more;
		err = more ? take_claim(stmt, &list[n++]) : -ENOMEM;
	}
	sqlite3_finalize(stmt);
	if (err) {
		free(list);
		return err;
	}
	*out = list;
	*count = n;
	return 0;
}

/* ---- aliases ---- */

static int drop_alias(struct ledger *ledger, const char *alias)
{
	sqlite3_stmt *stmt;
	int err = prepare(ledger, "DELETE FROM aliases WHERE alias = ?", &stmt);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, alias, -1, SQLITE_STATIC);
	return run(ledger, stmt);
}

int ledger_alias_put(struct ledger *ledger, const char *alias, const char *identity,
		     const char *before)
{
	sqlite3_stmt *stmt;
	int err = *before && strcmp(before, alias) ? drop_alias(ledger, before) : 0;

	if (err || !*alias)
		return err;
	/* One statement: it has its old row or its new one. */
	err = prepare(ledger, "INSERT OR REPLACE INTO aliases (alias, identity) VALUES (?, ?)",
		      &stmt);
	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, alias, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, identity, -1, SQLITE_STATIC);
	return run(ledger, stmt);
}

int ledger_alias_list(struct ledger *ledger, struct ledger_alias **out, size_t *count)
{
	struct ledger_alias *list = NULL;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int rc, err = prepare(ledger, "SELECT alias, identity FROM aliases ORDER BY alias", &stmt);

	if (err)
		return err;
	while (!err && (rc = sqlite3_step(stmt)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW) {
			err = fail(ledger, rc, "not read");
			break;
		}
		struct ledger_alias *more = realloc(list, (n + 1) * sizeof(*list));
		err = more ? 0 : -ENOMEM;
		if (err)
			break;
		list = more;
		take_text(stmt, 0, list[n].alias, sizeof(list[n].alias));
		take_text(stmt, 1, list[n].identity, sizeof(list[n].identity));
		n++;
	}
	sqlite3_finalize(stmt);
	if (err) {
		free(list);
		return err;
	}
	*out = list;
	*count = n;
	return 0;
}

/* ---- probes ---- */

int ledger_probe_put(struct ledger *ledger, struct bdf pf, const char *autoprobe)
{
	sqlite3_stmt *stmt;
	int err = prepare(ledger, "INSERT INTO probes (pf, autoprobe) VALUES (?, ?)", &stmt);

	if (err)
		return err;
	bind_bdf(stmt, 1, pf);
	sqlite3_bind_text(stmt, 2, autoprobe, -1, SQLITE_STATIC);
	return run(ledger, stmt);
}

int ledger_probe_drop(struct ledger *ledger, struct bdf pf)
{
	return run_for(ledger, "DELETE FROM probes WHERE pf = ?", pf);
}

int ledger_probe_get(struct ledger *ledger, struct bdf pf, char autoprobe[8])
{
	sqlite3_stmt *stmt;
	int err = prepare(ledger, "SELECT autoprobe FROM probes WHERE pf = ?", &stmt);

	if (err)
		return err;
	bind_bdf(stmt, 1, pf);
	int rc = sqlite3_step(stmt), found = rc == SQLITE_ROW;
	if (found)
		take_text(stmt, 0, autoprobe, 8);
	else if (rc != SQLITE_DONE)
		found = fail(ledger, rc, "not read");
	sqlite3_finalize(stmt);
	return found;
}

int ledger_probe_list(struct ledger *ledger, struct bdf **out, size_t *count)
{
	sqlite3_stmt *stmt;
	struct bdf *list = NULL;
	size_t n = 0;
	int rc, err = prepare(ledger, "SELECT pf FROM probes", &stmt);

	if (err)
		return err;
	while (!err && (rc = sqlite3_step(stmt)) != SQLITE_DONE) {
		char text[BDF_TEXT] = "";
		struct bdf *more = realloc(list, (n + 1) * sizeof(*list));
		if (more)
			list = more;
		if (rc == SQLITE_ROW)
			take_text(stmt, 0, text, sizeof(text));
		if (rc != SQLITE_ROW)
			err = fail(ledger, rc, "not read");
		else if (!more)
			err = -ENOMEM;
		else if (!bdf_parse(text, &list[n]))
			n++;
	}
	sqlite3_finalize(stmt);
	if (err) {
		free(list);
		return err;
	}
	*out = list;
	*count = n;
	return 0;
}
