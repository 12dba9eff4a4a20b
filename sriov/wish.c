/* SPDX-License-Identifier: BSD-3-Clause */
/* wish: see wish.h. */
#include "sriov/wish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sriov/sql.h"

int wish_list(struct ledger *ledger, const char *key, struct sriov_wish **out, size_t *count)
{
	struct sriov_wish *list = NULL;
	size_t n = 0, room = 0;
	sqlite3_stmt *stmt;
	int more, err = sql_prepare(ledger,
				    "SELECT vf, name, value FROM wishes WHERE pf = ?"
				    " ORDER BY vf, name",
				    &stmt);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	while ((more = sql_next(ledger, stmt)) > 0) {
		if (n == room) {
			room = room ? room * 2 : 16;
			struct sriov_wish *grown = realloc(list, room * sizeof(*list));
			if (!grown) {
				sqlite3_finalize(stmt);
				free(list);
				return -ENOMEM;
			}
			list = grown;
		}
		list[n].vf = sqlite3_column_int(stmt, 0);
		sql_take_text(stmt, 1, list[n].name, SRIOV_STEP_NAME);
		sql_take_text(stmt, 2, list[n++].value, SRIOV_STEP_VALUE);
	}
	if (more < 0) {
		free(list);
		return more;
	}
	*out = list;
	*count = n;
	return 0;
}

int wish_set(struct ledger *ledger, const char *key, int vf, const char *name, const char *value)
{
	sqlite3_stmt *stmt;
	int err =
		sql_prepare(ledger,
			    *value ? "INSERT INTO wishes (pf, vf, name, value) VALUES (?, ?, ?, ?)"
				     " ON CONFLICT DO UPDATE SET value = excluded.value"
				   : "DELETE FROM wishes WHERE pf = ? AND vf = ? AND name = ?",
			    &stmt);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 2, vf);
	sqlite3_bind_text(stmt, 3, name, -1, SQLITE_STATIC);
	if (*value)
		sqlite3_bind_text(stmt, 4, value, -1, SQLITE_STATIC);
	return sql_run(ledger, stmt);
}

int wish_places(struct ledger *ledger, struct wish_place **out, size_t *count)
{
	struct wish_place *list = NULL;
	size_t n = 0;
	sqlite3_stmt *stmt;
	int more, err = sql_prepare(ledger,
				    "SELECT pf, bdf, label FROM places"
				    " WHERE pf IN (SELECT pf FROM wishes) ORDER BY bdf",
				    &stmt);

	if (err)
		return err;
	while ((more = sql_next(ledger, stmt)) > 0) {
		char bdf[BDF_TEXT];
		struct wish_place *grown = realloc(list, (n + 1) * sizeof(*list));
		if (!grown) {
			sqlite3_finalize(stmt);
			free(list);
			return -ENOMEM;
		}
		list = grown;
		list[n] = (struct wish_place){0};
		sql_take_text(stmt, 0, list[n].key, WISH_KEY);
		sql_take_text(stmt, 1, bdf, sizeof(bdf));
		sql_take_text(stmt, 2, list[n].label, SRIOV_NAME);
		if (!bdf_parse(bdf, &list[n].bdf))
			n++;
	}
	if (more < 0) {
		free(list);
		return more;
	}
	*out = list;
	*count = n;
	return 0;
}

int wish_place_set(struct ledger *ledger, const struct wish_place *place)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger,
			      "INSERT INTO places (pf, bdf, label) VALUES (?, ?, ?) ON CONFLICT"
			      " DO UPDATE SET bdf = excluded.bdf, label = excluded.label",
			      &stmt);

	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, place->key, -1, SQLITE_STATIC);
	sql_bind_bdf(stmt, 2, place->bdf);
	sqlite3_bind_text(stmt, 3, place->label, -1, SQLITE_STATIC);
	return sql_run(ledger, stmt);
}

int wish_generation(struct ledger *ledger, int64_t *out)
{
	sqlite3_stmt *stmt;
	int err = sql_prepare(ledger, "SELECT value FROM generation", &stmt);

	if (err)
		return err;
	int more = sql_next(ledger, stmt);
	if (more <= 0)
		return more < 0 ? more : -EUCLEAN;
	*out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return 0;
}
