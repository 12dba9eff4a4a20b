/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resource: see sriov.h. What is here is only the way into the journal and the wishes, which do
 * not ask what a step does.
 */
#include "sriov/resource.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sriov/identity.h"
#include "sriov/journal.h"
#include "sriov/lock.h"
#include "sriov/pf.h"
#include "sriov/slow.h"
#include "sriov/sql.h"
#include "sriov/wish.h"
#include "sriov/work.h"

_Static_assert(SRIOV_RESOURCE_KEY == WISH_KEY, "keys of resources are keys of wishes");

void sriov_resource_driver(struct sriov *ctx, const struct sriov_resource_driver *driver)
{
	ctx->resource = driver;
}

/* ---- for the journal ---- */

bool resource_key(const char *key)
{
	return key[0] == '+';
}

bool resource_present(struct sriov *ctx, struct bdf bdf)
{
	return ctx->resource && ctx->resource->present(ctx->resource->opaque, bdf);
}

/* The name behind "+gpu:", where it is one: an identity has commas. */
static void name_of(const char *key, char out[SRIOV_NAME])
{
	const char *colon = strchr(key, ':');

	if (colon && !strchr(colon, ','))
		snprintf(out, SRIOV_NAME, "%.*s", SRIOV_NAME - 1, colon + 1);
}

int resource_read(struct sriov *ctx, struct bdf bdf, const char *key, struct sriov_pf *out)
{
	char dev[BDF_TEXT];

	*out = (struct sriov_pf){.bdf = bdf, .numa_node = -1, .iommu_group = -1};
	name_of(key, out->ifname);
	if (!ctx->resource)
		return log_fail(-ENOSYS, bdf_format(bdf, dev),
				"a command about its slices was cut off in the middle; `sluice gpu "
				"list` or `sluice apply` puts that in order");
	return resource_present(ctx, bdf) ? 0 : -ENODEV;
}

int resource_step(struct sriov *ctx, struct bdf bdf, const struct sriov_step *step, const char *to)
{
	return ctx->resource ? ctx->resource->step(ctx->resource->opaque, bdf, step, to) : -ENOSYS;
}

/* ---- keys ---- */

int sriov_resource_keys(struct sriov *ctx, const char *prefix, char (**out)[SRIOV_RESOURCE_KEY],
			size_t *count)
{
	char(*list)[SRIOV_RESOURCE_KEY] = NULL;
	struct ledger *ledger;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int more = 0, err = context_ledger(ctx, &ledger);

	if (!err)
		err = sql_prepare(ledger,
				  "SELECT DISTINCT pf FROM wishes"
				  " WHERE substr(pf, 1, length(?1)) = ?1 ORDER BY pf",
				  &stmt);
	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
	while ((more = sql_next(ledger, stmt)) > 0) {
		char(*grown)[SRIOV_RESOURCE_KEY] = realloc(list, (n + 1) * sizeof(*list));
		if (!grown) {
			sqlite3_finalize(stmt);
			free(list);
			return -ENOMEM;
		}
		list = grown;
		sql_take_text(stmt, 0, list[n++], SRIOV_RESOURCE_KEY);
	}
	if (more < 0) {
		free(list);
		return more;
	}
	*out = list;
	*count = n;
	return 0;
}

/* The key under which this card's wishes are known: it may have been another slot's. */
static int find_key(struct sriov *ctx, const char *prefix, const struct sriov_identity *id,
		    char key[SRIOV_RESOURCE_KEY])
{
	char(*keys)[SRIOV_RESOURCE_KEY] = NULL;
	struct sriov_identity known;
	size_t count = 0;
	bool moved = false;
	int err = sriov_resource_keys(ctx, prefix, &keys, &count);

	for (size_t i = 0; i < count; i++) {
		if (identity_parse(keys[i] + strlen(prefix), &known))
			continue;
		enum identity_match m = identity_match(&known, id);
		if (m == IDENTITY_SAME || (m == IDENTITY_MOVED && !moved))
			memcpy(key, keys[i], SRIOV_RESOURCE_KEY);
		if (m == IDENTITY_SAME)
			break;
		moved |= m == IDENTITY_MOVED;
	}
	free(keys);
	return err;
}

int sriov_resource_key(struct sriov *ctx, const char *kind, struct bdf bdf, const char *name,
		       char key[SRIOV_RESOURCE_KEY])
{
	struct sriov_pf pf = {.bdf = bdf};
	char prefix[32], text[SRIOV_IDENTITY], dev[BDF_TEXT];
	int used = snprintf(prefix, sizeof(prefix), "+%s:", kind);

	if (bdf_is_stand_in(bdf)) {
		snprintf(key, SRIOV_RESOURCE_KEY, "%s%s", prefix, name);
		return 0;
	}
	context_driver(ctx, bdf_format(bdf, dev), pf.driver);
	identity_read(ctx, &pf);
	if (used + (int)strlen(sriov_identity_format(&pf.identity, text)) >= SRIOV_RESOURCE_KEY)
		return -ENAMETOOLONG;
	memcpy(key, prefix, (size_t)used);
	strcpy(key + used, text);
	return find_key(ctx, prefix, &pf.identity, key);
}

/* ---- wishes ---- */

int sriov_resource_wishes(struct sriov *ctx, const char *key, struct sriov_wish **out,
			  size_t *count)
{
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	return err ? err : wish_list(ledger, key, out, count);
}

int sriov_resource_wish(struct sriov *ctx, const char *key, const struct sriov_wish *wishes,
			size_t count)
{
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = sql_begin(ledger);
	if (err)
		return err;
	for (size_t i = 0; i < count && !err; i++)
		err = wish_set(ledger, key, wishes[i].vf, wishes[i].name, wishes[i].value);
	return sql_end(ledger, err);
}

/* ---- jobs ---- */

int sriov_resource_lock(struct sriov *ctx, struct bdf bdf)
{
	struct journal_job job = {0};
	struct ledger *ledger;
	int found = 0, err = context_ledger(ctx, &ledger);

	if (!err)
		found = journal_get(ledger, bdf, &job);
	journal_free(&job);
	if (!err && found >= 0)
		err = work_lock(ctx, ledger, bdf);
	return err ? err : found;
}

void sriov_resource_unlock(struct sriov *ctx)
{
	lock_drop(ctx);
}

int sriov_resource_change(struct sriov *ctx, struct bdf bdf, const char *name, const char *key,
			  const struct sriov_step *steps, size_t count, const char *what)
{
	struct journal_job job = {.pf = bdf, .count = count};
	struct sriov_pf pf = {.bdf = bdf};
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (err || !count)
		return err;
	job.steps = calloc(count, sizeof(*job.steps));
	if (!job.steps)
		return -ENOMEM;
	snprintf(pf.ifname, sizeof(pf.ifname), "%s", name);
	snprintf(job.key, sizeof(job.key), "%s", key);
	snprintf(job.what, sizeof(job.what), "%s", what);
	for (size_t i = 0; i < count; i++)
		job.steps[i] = (struct journal_step){
			.step = steps[i],
			.state = steps[i].op == SRIOV_OP_WISH ? JOURNAL_DONE : JOURNAL_PLANNED,
		};
	err = work_run(ctx, ledger, &pf, &job);
	journal_free(&job);
	return err;
}

int sriov_slow_write(struct sriov *ctx, const char *text, const char *path)
{
	return slow_write(ctx, text, "%s", path);
}
