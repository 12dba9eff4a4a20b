/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sql: see sql.h.
 *
 * Write-ahead log with synchronous=FULL: a row that was written survives a power cut, which is what
 * makes "row first, then the machine" a promise. The schema's version is PRAGMA user_version;
 * `migrations` brings any older one up, one step a transaction. A damaged file is set aside, never
 * repaired in place: see ledger_set_aside().
 */
#include "sriov/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define BUSY_MS 10000

/* Every change of what is wanted, or of who has what, makes plans of before it stale. */
#define COUNT_UP(table, event)                                         \
	"CREATE TRIGGER " table "_" event " AFTER " event " ON " table \
	" BEGIN UPDATE generation SET value = value + 1; END;"

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

	/* What is wanted, pools, and the journal; the latter takes over what `probes` was for. */
	"CREATE TABLE generation (value INTEGER NOT NULL) STRICT;"
	"INSERT INTO generation VALUES (1);"
	"CREATE TABLE wishes (pf TEXT NOT NULL, vf INTEGER NOT NULL, name TEXT NOT NULL,"
	" value TEXT NOT NULL, PRIMARY KEY (pf, vf, name)) STRICT;"
	"CREATE TABLE places (pf TEXT PRIMARY KEY, bdf TEXT NOT NULL, label TEXT NOT NULL) STRICT;"
	"CREATE TABLE pools (name TEXT PRIMARY KEY, pf TEXT NOT NULL, numa_node INTEGER NOT NULL,"
	" driver TEXT NOT NULL, speed INTEGER NOT NULL) STRICT;"
	"CREATE TABLE strangers (bdf TEXT PRIMARY KEY, boot TEXT NOT NULL) STRICT;"
	"CREATE TABLE jobs (pf TEXT PRIMARY KEY, key TEXT NOT NULL, what TEXT NOT NULL,"
	" boot TEXT NOT NULL, undoing INTEGER NOT NULL, blocked TEXT NOT NULL,"
	" since INTEGER NOT NULL) STRICT;"
	"CREATE TABLE steps (pf TEXT NOT NULL, seq INTEGER NOT NULL, op TEXT NOT NULL,"
	" vf INTEGER NOT NULL, name TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,"
	" state INTEGER NOT NULL, PRIMARY KEY (pf, seq)) STRICT;"
	"INSERT INTO jobs SELECT pf, '', 'vf create', '', 1, '', 0 FROM probes;"
	"INSERT INTO steps SELECT pf, 0, 'autoprobe', -1, 'autoprobe', autoprobe, '0', 1"
	" FROM probes;"
	"DROP TABLE probes;" COUNT_UP("claims", "INSERT") COUNT_UP("claims", "DELETE")
		COUNT_UP("claims", "UPDATE") COUNT_UP("wishes", "INSERT")
			COUNT_UP("wishes", "DELETE") COUNT_UP("wishes", "UPDATE")
				COUNT_UP("strangers", "DELETE"),
};

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

/* Root's rights end at a file system that is mounted read-only. */
static const char *why_not_written(const char *path)
{
	struct statvfs fs;
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s", path);
	char *slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (!statvfs(dir, &fs) && (fs.f_flag & ST_RDONLY))
		return "; its file system is mounted read-only: `mount -o remount,rw`";
	return geteuid() ? "; run as root" : "; see its rights and attributes (ls -l, lsattr)";
}

int sql_fail(const struct ledger *ledger, int rc, const char *what)
{
	int err = to_errno(rc);
	const char *next = err == -EACCES   ? why_not_written(ledger->path)
			   : err == -EBUSY  ? "; another command is writing it, try again"
			   : err == -ENOSPC ? "; make room on its file system, then try again"
			   : err == -EUCLEAN
				   ? "; the file is damaged; the next command sets it aside"
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
	return rc == SQLITE_ROW ? 0 : sql_fail(ledger, rc, "not read");
}

/* Takes the write lock first, so that of two commands on a fresh machine one waits and sees. */
static int migrate_step(struct ledger *ledger, int *version)
{
	char sql[64];
	int err = sql_begin(ledger);

	if (err)
		return err;
	err = user_version(ledger, version);
	if (!err && *version < (int)ARRAY_SIZE(migrations)) {
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", *version + 1);
		int rc = sqlite3_exec(ledger->db, migrations[*version], NULL, NULL, NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_exec(ledger->db, sql, NULL, NULL, NULL);
		if (rc == SQLITE_OK)
			++*version;
		else
			err = sql_fail(ledger, rc, "not brought up to date");
	}
	return sql_end(ledger, err);
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

/* A page that was overwritten is found now, not when a row in it is needed. */
static int check_whole(struct ledger *ledger)
{
	sqlite3_stmt *stmt = NULL;
	char verdict[128] = "";
	int err = sql_prepare(ledger, "PRAGMA quick_check(1)", &stmt);

	if (err)
		return err;
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		sql_take_text(stmt, 0, verdict, sizeof(verdict));
	sqlite3_finalize(stmt);
	if (rc != SQLITE_ROW)
		return sql_fail(ledger, rc, "not checked");
	verdict[strcspn(verdict, "\n")] = '\0';
	return strcmp(verdict, "ok")
		       ? log_fail(-EUCLEAN, ledger->path, "ledger damaged: %s", verdict)
		       : 0;
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
	int err = rc == SQLITE_OK ? check_whole(ledger) : sql_fail(ledger, rc, "not opened");
	if (!err)
		err = migrate(ledger);
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

/* ---- a damaged file ---- */

static int move_aside(const char *state_dir, const char *suffix, const char *stamp)
{
	char from[4096], to[4096];

	snprintf(from, sizeof(from), "%s/state.db%s", state_dir, suffix);
	snprintf(to, sizeof(to), "%s/state.db.damaged-%s%s", state_dir, stamp, suffix);
	if (rename(from, to) < 0 && errno != ENOENT)
		return log_fail(-errno, from, "not moved aside: %m");
	return 0;
}

static void make_stamp(char stamp[32])
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, 32, "%Y%m%dT%H%M%SZ", &utc);
}

int ledger_set_aside(const char *state_dir, bool *ours)
{
	char path[4096], stamp[32];
	struct ledger *ledger = NULL;

	*ours = false;
	snprintf(path, sizeof(path), "%s/state.lock", state_dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0) {
		int err = log_fail(-errno, path, "not locked: %m");
		io_close(&fd);
		return err;
	}
	/* Of two commands that saw the damage, the second finds a new file. */
	int err = ledger_open(state_dir, &ledger);
	ledger_close(ledger);
	if (err == -EUCLEAN) {
		make_stamp(stamp);
		err = move_aside(state_dir, "-wal", stamp);
		err = err ? err : move_aside(state_dir, "-shm", stamp);
		err = err ? err : move_aside(state_dir, "", stamp);
		*ours = !err;
		if (!err)
			log_warn(state_dir,
				 "the damaged state.db is kept as state.db.damaged-%s; a new one "
				 "begins, in which all VFs of now are foreign: `sluice vf adopt` "
				 "takes them in",
				 stamp);
	}
	io_close(&fd);
	return err;
}

/* ---- statements ---- */

int sql_prepare(struct ledger *ledger, const char *sql, sqlite3_stmt **stmt)
{
	int rc = sqlite3_prepare_v2(ledger->db, sql, -1, stmt, NULL);

	return rc == SQLITE_OK ? 0 : sql_fail(ledger, rc, "not asked");
}

void sql_bind_bdf(sqlite3_stmt *stmt, int column, struct bdf bdf)
{
	char text[BDF_TEXT];

	sqlite3_bind_text(stmt, column, bdf_format(bdf, text), -1, SQLITE_TRANSIENT);
}

void sql_take_text(sqlite3_stmt *stmt, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	snprintf(out, size, "%s", text ? (const char *)text : "");
}

int sql_run(struct ledger *ledger, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);
	int err = rc == SQLITE_DONE ? 0 : sql_fail(ledger, rc, "not written");

	sqlite3_finalize(stmt);
	return err;
}

int sql_run_for(struct ledger *ledger, const char *sql, struct bdf bdf)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger, sql, &stmt);

	if (err)
		return err;
	sql_bind_bdf(stmt, 1, bdf);
	return sql_run(ledger, stmt);
}

int sql_next(struct ledger *ledger, sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	int err = rc == SQLITE_DONE ? 0 : sql_fail(ledger, rc, "not read");
	sqlite3_finalize(stmt);
	return err;
}

static int run_text(struct ledger *ledger, const char *sql)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger, sql, &stmt);

	return err ? err : sql_run(ledger, stmt);
}

int sql_begin(struct ledger *ledger)
{
	return run_text(ledger, "BEGIN IMMEDIATE");
}

int sql_end(struct ledger *ledger, int err)
{
	if (!err)
		err = run_text(ledger, "COMMIT");
	if (err)
		sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}
