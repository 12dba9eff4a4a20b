/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool: VFs by what they are. A pool is a name for conditions; which VFs meet them is looked up
 * anew each time, so a pool needs no care when cards come and go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sriov/context.h"
#include "sriov/pf.h"
#include "sriov/sql.h"

/* ---- in state.db ---- */

int sriov_pool_set(struct sriov *ctx, const struct sriov_pool *pool)
{
	struct ledger *ledger;
	sqlite3_stmt *stmt;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = sql_prepare(
			ledger,
			"INSERT OR REPLACE INTO pools (name, pf, numa_node, driver, speed)"
			" VALUES (?, ?, ?, ?, ?)",
			&stmt);
	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, pool->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, pool->pf, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 3, pool->numa_node);
	sqlite3_bind_text(stmt, 4, pool->driver, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 5, pool->speed);
	return sql_run(ledger, stmt);
}

int sriov_pool_drop(struct sriov *ctx, const char *name)
{
	struct ledger *ledger;
	sqlite3_stmt *stmt;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = sql_prepare(ledger, "DELETE FROM pools WHERE name = ?", &stmt);
	if (err)
		return err;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	err = sql_run(ledger, stmt);
	if (!err && !sqlite3_changes(ledger->db))
		err = log_fail(-ENOENT, name, "no such pool; see sluice pool list");
	return err;
}

int sriov_pool_list(struct sriov *ctx, struct sriov_pool **out, size_t *count)
{
	struct sriov_pool *list = NULL;
	struct ledger *ledger;
	sqlite3_stmt *stmt;
	size_t n = 0;
	int more, err = context_ledger(ctx, &ledger);

	if (!err)
		err = sql_prepare(ledger,
				  "SELECT name, pf, numa_node, driver, speed FROM pools"
				  " ORDER BY name",
				  &stmt);
	if (err)
		return err;
	while ((more = sql_next(ledger, stmt)) > 0) {
		struct sriov_pool *grown = realloc(list, (n + 1) * sizeof(*list));
		if (!grown) {
			sqlite3_finalize(stmt);
			free(list);
			return -ENOMEM;
		}
		list = grown;
		struct sriov_pool *pool = &list[n++];
		*pool = (struct sriov_pool){0};
		sql_take_text(stmt, 0, pool->name, sizeof(pool->name));
		sql_take_text(stmt, 1, pool->pf, sizeof(pool->pf));
		pool->numa_node = sqlite3_column_int(stmt, 2);
		sql_take_text(stmt, 3, pool->driver, sizeof(pool->driver));
		pool->speed = (unsigned)sqlite3_column_int64(stmt, 4);
	}
	if (more < 0) {
		free(list);
		return more;
	}
	*out = list;
	*count = n;
	return 0;
}

/* ---- choosing ---- */

struct candidate {
	struct sriov_vf vf;
	struct sriov_pf pf;
	unsigned free, all;
};

static unsigned link_speed(const struct sriov *ctx, const struct sriov_pf *pf)
{
	char dev[BDF_TEXT];
	uint64_t speed = 0;

	if (pf->ifname[0]) /* EINVAL without a link */
		sysfs_read_u64(&ctx->fs, &speed, "bus/pci/devices/%s/net/%s/speed",
			       bdf_format(pf->bdf, dev), pf->ifname);
	return (unsigned)speed;
}

static bool fits(const struct sriov *ctx, const struct sriov_pool *pool, const struct sriov_pf *pf)
{
	char dev[BDF_TEXT];

	if (pool->pf[0] && strcmp(pool->pf, pf->ifname) &&
	    strcmp(pool->pf, bdf_format(pf->bdf, dev)))
		return false;
	if (pool->driver[0] && strcmp(pool->driver, pf->driver))
		return false;
	if (pool->numa_node >= 0 && pool->numa_node != pf->numa_node)
		return false;
	return !pool->speed || link_speed(ctx, pf) >= pool->speed;
}

/* The first free VF of a PF, and how many there are. */
static int look(struct sriov *ctx, const struct sriov_pf *pf,
		bool (*taken)(struct bdf bdf, void *opaque), void *opaque, struct candidate *out)
{
	struct sriov_vf *vfs = NULL;
	size_t count = 0;
	int err = sriov_vf_list(ctx, pf, &vfs, &count);

	*out = (struct candidate){.pf = *pf, .all = (unsigned)count};
	for (size_t i = 0; i < count; i++) {
		if (vfs[i].state != SRIOV_VF_FREE || taken(vfs[i].bdf, opaque))
			continue;
		if (!out->free++)
			out->vf = vfs[i];
	}
	free(vfs);
	return err;
}

/* On the wished node before elsewhere; then where a link is; then where most are free, so that
 * VMs spread over cards. */
static bool better(const struct candidate *a, const struct candidate *b, int node)
{
	bool a_near = node < 0 || a->pf.numa_node == node;
	bool b_near = node < 0 || b->pf.numa_node == node;

	if (!a->free || !b->free)
		return a->free > b->free;
	if (a_near != b_near)
		return a_near;
	if (a->pf.link_up != b->pf.link_up)
		return a->pf.link_up;
	return a->free > b->free;
}

static void explain(const struct candidate *best, int node, char why[SRIOV_WHY])
{
	char name[SRIOV_NAME], where[80] = "";

	if (node >= 0 && best->pf.numa_node == node)
		snprintf(where, sizeof(where), "on NUMA node %d, as the VM", node);
	else if (node >= 0 && best->pf.numa_node >= 0)
		snprintf(where, sizeof(where), "on NUMA node %d, since none is free on node %d",
			 best->pf.numa_node, node);
	else
		snprintf(where, sizeof(where), "on the PF with most free ones");
	snprintf(why, SRIOV_WHY, "%s/%u: %s; %u of %u VFs of %s were free%s",
		 pf_name(&best->pf, name), best->vf.index, where, best->free, best->all, name,
		 best->pf.link_up || !best->pf.ifname[0] ? "" : "; it has no link");
}

static int pick(struct sriov *ctx, const struct sriov_pool *pool, int node,
		bool (*taken)(struct bdf bdf, void *opaque), void *opaque, struct candidate *best)
{
	struct sriov_pf *pfs = NULL;
	struct candidate one;
	size_t count = 0;
	int err = pf_list(ctx, &pfs, &count);

	*best = (struct candidate){0};
	for (size_t i = 0; i < count && !err; i++) {
		if (!fits(ctx, pool, &pfs[i]))
			continue;
		err = look(ctx, &pfs[i], taken, opaque, &one);
		unsigned all = best->all;
		if (!err && better(&one, best, node))
			*best = one;
		else if (!err)
			best->all = best->free ? all : all + one.all;
	}
	free(pfs);
	return err;
}

int sriov_pool_pick(struct sriov *ctx, const char *name, int node,
		    bool (*taken)(struct bdf bdf, void *opaque), void *opaque, struct sriov_vf *out,
		    char why[SRIOV_WHY])
{
	struct sriov_pool *pools = NULL;
	struct candidate best = {0};
	size_t count = 0;
	int err = sriov_pool_list(ctx, &pools, &count);
	const struct sriov_pool *pool = NULL;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(pools[i].name, name))
			pool = &pools[i];
	if (!err && !pool)
		err = -ENOENT;
	if (!err)
		err = pick(ctx, pool, node, taken, opaque, &best);
	if (!err && !best.free && best.all)
		err = log_fail(-EBUSY, name,
			       "none of the pool's %u VFs is free; see sluice vf list", best.all);
	else if (!err && !best.free)
		err = log_fail(-EBUSY, name,
			       "no PF of this host has VFs that fit the pool; see sluice pool list "
			       "and sluice pf list");
	free(pools);
	if (err)
		return err;
	*out = best.vf;
	explain(&best, node, why);
	return 0;
}
