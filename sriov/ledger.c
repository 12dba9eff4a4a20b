/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger: see ledger.h. Every statement here is its own transaction.
 */
#include "sriov/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sriov/sql.h"

#define COLUMNS                                                                  \
	"bdf, pf, vf_index, owner, generation, boot, previous_driver, "          \
	"previous_set, mac, vlan, qos, spoof_check, trust, min_rate, max_rate, " \
	"since, more"

/* ---- claims ---- */

/* Settings that have a column of their own, apart from a VLAN's protocol. The others stand in the
 * column `more`, as texts: "link-state=auto msix=8". */
#define OWN_COLUMN (SRIOV_MAC | SRIOV_VLAN | SRIOV_SPOOF | SRIOV_TRUST | SRIOV_RATE)
#define MORE	   1024

static const char *format_more(const struct sriov_attrs *attrs, char more[MORE])
{
	size_t count, used = 0;
	const struct sriov_attr_info *table = sriov_attr_table(&count);
	unsigned bits = attrs->set & (attrs->vlan_proto ? ~0u : ~(unsigned)SRIOV_VLAN);

	more[0] = '\0';
	for (size_t i = 0; i < count && used < MORE; i++) {
		char text[SRIOV_ATTR_TEXT];
		if (bits & table[i].bit & ~(OWN_COLUMN & ~(unsigned)SRIOV_VLAN))
			used += (size_t)snprintf(more + used, MORE - used, "%s%s=%s",
						 used ? " " : "", table[i].name,
						 sriov_attr_format(table[i].bit, attrs, text));
	}
	return more;
}

static int parse_more(const char *dev, char more[MORE], struct sriov_attrs *out)
{
	int err = 0;

	for (char *rest = more, *pair; !err && (pair = strsep(&rest, " "));) {
		char *name = strsep(&pair, "=");
		if (*name)
			err = pair ? sriov_attr_parse(dev, name, pair, out) : -EINVAL;
	}
	return err ? log_fail(-EUCLEAN, "ledger", "row '%s' is damaged", dev) : 0;
}

static int bind_previous(sqlite3_stmt *stmt, int at, const struct sriov_attrs *was)
{
	sqlite3_bind_int64(stmt, at++, was->set);
	sqlite3_bind_blob(stmt, at++, was->mac, sizeof(was->mac), SQLITE_STATIC);
	sqlite3_bind_int(stmt, at++, was->vlan);
	sqlite3_bind_int(stmt, at++, was->qos);
	sqlite3_bind_int(stmt, at++, was->spoof_check);
	sqlite3_bind_int(stmt, at++, was->trust);
	sqlite3_bind_int64(stmt, at++, was->min_rate);
	sqlite3_bind_int64(stmt, at++, was->max_rate);
	return at;
}

int ledger_put(struct ledger *ledger, const struct ledger_claim *claim)
{
	const struct sriov_attrs *was = &claim->previous;
	sqlite3_stmt *stmt;
	int at = 1, err = sql_prepare(ledger,
				      "INSERT INTO claims (" COLUMNS
				      ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
				      &stmt);
	char more[MORE];

	if (err)
		return err;
	sql_bind_bdf(stmt, at++, claim->bdf);
	sql_bind_bdf(stmt, at++, claim->pf);
	sqlite3_bind_int(stmt, at++, claim->vf_index);
	sqlite3_bind_text(stmt, at++, claim->owner, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, at++, claim->generation, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, at++, claim->boot, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, at++, claim->previous_driver, -1, SQLITE_STATIC);
	at = bind_previous(stmt, at, was);
	sqlite3_bind_int64(stmt, at++, claim->since);
	sqlite3_bind_text(stmt, at++, format_more(was, more), -1, SQLITE_STATIC);
	return sql_run(ledger, stmt);
}

int ledger_drop(struct ledger *ledger, struct bdf bdf)
{
	return sql_run_for(ledger, "DELETE FROM claims WHERE bdf = ?", bdf);
}

static int take_claim(sqlite3_stmt *stmt, struct ledger_claim *out)
{
	char bdf[BDF_TEXT], pf[BDF_TEXT], more[MORE];
	struct sriov_attrs *was = &out->previous;

	*out = (struct ledger_claim){0};
	sql_take_text(stmt, 0, bdf, sizeof(bdf));
	sql_take_text(stmt, 1, pf, sizeof(pf));
	if (bdf_parse(bdf, &out->bdf) < 0 || bdf_parse(pf, &out->pf) < 0 ||
	    sqlite3_column_bytes(stmt, 8) != (int)sizeof(was->mac))
		return log_fail(-EUCLEAN, "ledger", "row '%s' is damaged", bdf);
	out->vf_index = sqlite3_column_int(stmt, 2);
	sql_take_text(stmt, 3, out->owner, sizeof(out->owner));
	sql_take_text(stmt, 4, out->generation, sizeof(out->generation));
	sql_take_text(stmt, 5, out->boot, sizeof(out->boot));
	sql_take_text(stmt, 6, out->previous_driver, sizeof(out->previous_driver));
	was->set = (unsigned)sqlite3_column_int64(stmt, 7);
	memcpy(was->mac, sqlite3_column_blob(stmt, 8), sizeof(was->mac));
	was->vlan = (uint16_t)sqlite3_column_int(stmt, 9);
	was->qos = (uint8_t)sqlite3_column_int(stmt, 10);
	was->spoof_check = sqlite3_column_int(stmt, 11);
	was->trust = sqlite3_column_int(stmt, 12);
	was->min_rate = (uint32_t)sqlite3_column_int64(stmt, 13);
	was->max_rate = (uint32_t)sqlite3_column_int64(stmt, 14);
	out->since = sqlite3_column_int64(stmt, 15);
	sql_take_text(stmt, 16, more, sizeof(more));
	return parse_more(bdf, more, was);
}

int ledger_get(struct ledger *ledger, struct bdf bdf, struct ledger_claim *out)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger, "SELECT " COLUMNS " FROM claims WHERE bdf = ?", &stmt);

	if (err)
		return err;
	sql_bind_bdf(stmt, 1, bdf);
	int rc = sqlite3_step(stmt), found = 0;
	if (rc == SQLITE_ROW) {
		err = take_claim(stmt, out);
		found = err ? err : 1;
	} else if (rc != SQLITE_DONE) {
		found = sql_fail(ledger, rc, "not read");
	}
	sqlite3_finalize(stmt);
	return found;
}

int ledger_list(struct ledger *ledger, const char *owner, struct ledger_claim **out, size_t *count)
{
	struct ledger_claim *list = NULL;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int rc, err = sql_prepare(ledger,
				  "SELECT " COLUMNS " FROM claims"
				  " WHERE ?1 IS NULL OR owner = ?1 ORDER BY bdf",
				  &stmt);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, owner, -1, SQLITE_STATIC); /* NULL binds NULL */
	while (!err && (rc = sqlite3_step(stmt)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW) {
			err = sql_fail(ledger, rc, "not read");
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
	int err = sql_prepare(ledger, "DELETE FROM aliases WHERE alias = ?", &stmt);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, alias, -1, SQLITE_STATIC);
	return sql_run(ledger, stmt);
}

int ledger_alias_put(struct ledger *ledger, const char *alias, const char *identity,
		     const char *before)
{
	sqlite3_stmt *stmt;
	int err = *before && strcmp(before, alias) ? drop_alias(ledger, before) : 0;

	if (err || !*alias)
		return err;
	/* One statement: it has its old row or its new one. */
	err = sql_prepare(ledger, "INSERT OR REPLACE INTO aliases (alias, identity) VALUES (?, ?)",
			  &stmt);
	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, alias, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, identity, -1, SQLITE_STATIC);
	return sql_run(ledger, stmt);
}

int ledger_alias_list(struct ledger *ledger, struct ledger_alias **out, size_t *count)
{
	struct ledger_alias *list = NULL;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int rc, err = sql_prepare(ledger, "SELECT alias, identity FROM aliases ORDER BY alias",
				  &stmt);

	if (err)
		return err;
	while (!err && (rc = sqlite3_step(stmt)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW) {
			err = sql_fail(ledger, rc, "not read");
			break;
		}
		struct ledger_alias *more = realloc(list, (n + 1) * sizeof(*list));
		err = more ? 0 : -ENOMEM;
		if (err)
			break;
		list = more;
		sql_take_text(stmt, 0, list[n].alias, sizeof(list[n].alias));
		sql_take_text(stmt, 1, list[n].identity, sizeof(list[n].identity));
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

int ledger_update(struct ledger *ledger, const struct ledger_claim *claim)
{
	const struct sriov_attrs *was = &claim->previous;
	sqlite3_stmt *stmt;
	int at = 1, err = sql_prepare(ledger,
				      "UPDATE claims SET previous_set = ?, mac = ?, vlan = ?,"
				      " qos = ?, spoof_check = ?, trust = ?, min_rate = ?,"
				      " max_rate = ?, more = ? WHERE bdf = ?",
				      &stmt);
	char more[MORE];

	if (err)
		return err;
	at = bind_previous(stmt, at, was);
	sqlite3_bind_text(stmt, at++, format_more(was, more), -1, SQLITE_STATIC);
	sql_bind_bdf(stmt, at, claim->bdf);
	return sql_run(ledger, stmt);
}

/* ---- strangers ---- */

int ledger_stranger_put(struct ledger *ledger, struct bdf bdf, const char *boot)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger, "INSERT OR REPLACE INTO strangers (bdf, boot) VALUES (?, ?)",
			      &stmt);

	if (err)
		return err;
	sql_bind_bdf(stmt, 1, bdf);
	sqlite3_bind_text(stmt, 2, boot, -1, SQLITE_STATIC);
	return sql_run(ledger, stmt);
}

int ledger_stranger_drop(struct ledger *ledger, struct bdf bdf)
{
	return sql_run_for(ledger, "DELETE FROM strangers WHERE bdf = ?", bdf);
}

int ledger_stranger_list(struct ledger *ledger, const char *boot, struct bdf **out, size_t *count)
{
	struct bdf *list = NULL;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int more, err = sql_prepare(ledger, "SELECT bdf FROM strangers WHERE boot = ? ORDER BY bdf",
				    &stmt);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, boot, -1, SQLITE_STATIC);
	while ((more = sql_next(ledger, stmt)) > 0) {
		char text[BDF_TEXT];
		struct bdf *grown = realloc(list, (n + 1) * sizeof(*list));
		if (!grown) {
			sqlite3_finalize(stmt);
			free(list);
			return -ENOMEM;
		}
		list = grown;
		sql_take_text(stmt, 0, text, sizeof(text));
		if (!bdf_parse(text, &list[n]))
			n++;
	}
	*out = list;
	*count = n;
	if (more < 0)
		free(list);
	return more;
}
