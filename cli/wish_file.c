/* SPDX-License-Identifier: BSD-3-Clause */
/* wish_file: see wish_file.h. */
#include "cli/wish_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/gpu_file.h"
#include "cli/show_plan.h"

/* ---- out ---- */

static json_t *find_vf(json_t *vfs, int vf)
{
	size_t i;
	json_t *row;

	json_array_foreach (vfs, i, row)
		if (json_integer_value(json_object_get(row, "vf")) == vf)
			return row;
	row = json_pack("{s:i}", "vf", vf);
	json_array_append_new(vfs, row);
	return row;
}

static int add_wishes(struct sriov *sriov, const struct sriov_pf *pf, json_t *row, json_t *vfs)
{
	struct sriov_wish *wishes = NULL;
	size_t count = 0;
	int err = sriov_wishes(sriov, pf, &wishes, &count);

	for (size_t i = 0; i < count; i++) {
		json_t *at = wishes[i].vf < 0 ? row : find_vf(vfs, wishes[i].vf);
		json_object_set_new(at, wishes[i].name, json_string(wishes[i].value));
	}
	free(wishes);
	return err;
}

static int add_found(struct sriov *sriov, const struct sriov_pf *pf, json_t *row, json_t *vfs)
{
	char text[SRIOV_ATTR_TEXT], number[16];
	struct sriov_pf_facts facts;
	struct sriov_vf *list = NULL;
	size_t count = 0, rows;
	const struct sriov_attr_info *table = sriov_attr_table(&rows);
	int err = sriov_vf_list(sriov, pf, &list, &count);

	snprintf(number, sizeof(number), "%u", pf->num_vfs);
	json_object_set_new(row, "count", json_string(number));
	if (!sriov_pf_facts(sriov, pf, &facts) && facts.eswitch == SRIOV_ESWITCH_SWITCHDEV)
		json_object_set_new(row, "eswitch", json_string("switchdev"));
	for (size_t i = 0; i < count; i++) {
		json_t *at = find_vf(vfs, (int)list[i].index);
		json_object_set_new(at, "driver",
				    json_string(list[i].driver[0] ? list[i].driver : "none"));
		for (size_t a = 0; a < rows; a++)
			if (list[i].attrs.set & table[a].bit)
				json_object_set_new(at, table[a].name,
						    json_string(sriov_attr_format(
							    table[a].bit, &list[i].attrs, text)));
	}
	free(list);
	return err;
}

static int export_pfs(struct sriov *sriov, bool found, json_t *out)
{
	struct sriov_pf *pfs = NULL;
	size_t count = 0;
	char bdf[BDF_TEXT];
	int err = sriov_pf_list(sriov, &pfs, &count);

	for (size_t i = 0; i < count && !err; i++) {
		const char *address = bdf_format(pfs[i].bdf, bdf);
		json_t *row =
			json_pack("{s:s,s:s}", "pf", pfs[i].ifname[0] ? pfs[i].ifname : address,
				  "address", address);
		json_t *vfs = json_array();
		size_t keys = json_object_size(row);
		err = found ? add_found(sriov, &pfs[i], row, vfs)
			    : add_wishes(sriov, &pfs[i], row, vfs);
		bool any = json_object_size(row) > keys || json_array_size(vfs);
		if (json_array_size(vfs))
			json_object_set(row, "vfs", vfs);
		if (any)
			json_array_append(out, row);
		json_decref(vfs);
		json_decref(row);
	}
	free(pfs);
	return err;
}

static int export_pools(struct sriov *sriov, json_t *out)
{
	struct sriov_pool *pools = NULL;
	size_t count = 0;
	int err = sriov_pool_list(sriov, &pools, &count);

	for (size_t i = 0; i < count; i++) {
		json_t *row = json_pack("{s:s}", "name", pools[i].name);
		if (pools[i].pf[0])
			json_object_set_new(row, "pf", json_string(pools[i].pf));
		if (pools[i].driver[0])
			json_object_set_new(row, "driver", json_string(pools[i].driver));
		if (pools[i].numa_node >= 0)
			json_object_set_new(row, "numa_node", json_integer(pools[i].numa_node));
		if (pools[i].speed)
			json_object_set_new(row, "speed", json_integer(pools[i].speed));
		json_array_append_new(out, row);
	}
	free(pools);
	return err;
}

int wish_file_export(struct cli *cli, bool found, json_t **out)
{
	struct sriov *sriov = cli_sriov(cli);
	json_t *pfs = json_array(), *pools = json_array();
	int err = sriov ? export_pfs(sriov, found, pfs) : -EIO;

	if (!err)
		err = export_pools(sriov, pools);
	*out = json_pack("{s:o,s:o}", "pfs", pfs, "pools", pools);
	return err ? err : gpu_file_export(cli, *out);
}

/* ---- in ---- */

struct wishes {
	struct sriov_wish *list;
	size_t count;
};

static int add(struct wishes *w, int vf, const char *name, const char *value)
{
	struct sriov_wish *grown = realloc(w->list, (w->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	w->list = grown;
	struct sriov_wish *wish = &grown[w->count++];
	*wish = (struct sriov_wish){.vf = vf};
	snprintf(wish->name, sizeof(wish->name), "%s",
		 name); /* the file's reader knows that it fits */
	snprintf(wish->value, sizeof(wish->value), "%s", value);
	return 0;
}

/* Every key of an object is a wish, but for those that say what it is about. */
static int add_object(struct wishes *w, int vf, const json_t *object)
{
	static const char *const about[] = {"pf", "address", "vfs", "vf"};
	const char *key;
	json_t *value;
	int err = 0;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		bool wish = true;
		for (size_t i = 0; i < ARRAY_SIZE(about); i++)
			wish &= strcmp(about[i], key) != 0;
		if (wish && !err)
			err = add(w, vf, key, json_string_value(value));
	}
	return err;
}

static bool named(const struct wishes *w, const struct sriov_wish *wish)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->list[i].vf == wish->vf && !strcmp(w->list[i].name, wish->name))
			return true;
	return false;
}

/* What is wished now and not in the file goes. */
static int add_removals(struct sriov *sriov, const struct sriov_pf *pf, struct wishes *w)
{
	struct sriov_wish *now = NULL;
	size_t count = 0;
	int err = sriov_wishes(sriov, pf, &now, &count);

	for (size_t i = 0; i < count && !err; i++)
		if (!named(w, &now[i]))
			err = add(w, now[i].vf, now[i].name, "");
	free(now);
	return err;
}

static int read_pf(struct sriov *sriov, const json_t *row, struct sriov_pf *pf, struct wishes *w)
{
	const json_t *vf;
	size_t i;
	int err = sriov_pf_find(sriov, json_string_value(json_object_get(row, "pf")), pf);

	if (!err)
		err = add_object(w, -1, row);
	json_array_foreach (json_object_get(row, "vfs"), i, vf)
		if (!err)
			err = add_object(w, (int)json_integer_value(json_object_get(vf, "vf")), vf);
	return err ? err : add_removals(sriov, pf, w);
}

static int plan_pf(struct cli *cli, const json_t *row, json_t *rows)
{
	struct wishes w = {0};
	struct sriov_plan plan;
	struct sriov_pf pf;
	int err = read_pf(cli->sriov, row, &pf, &w);

	if (!err)
		err = sriov_plan(cli->sriov, &pf, w.list, w.count, SRIOV_PHASE_ALL, &plan);
	free(w.list);
	if (err)
		return err;
	show_plan_add(rows, &plan);
	sriov_plan_free(&plan);
	return 0;
}

static int apply_pf(struct cli *cli, const json_t *row)
{
	struct wishes w = {0};
	struct sriov_pf pf;
	int err = read_pf(cli->sriov, row, &pf, &w);

	if (!err)
		err = sriov_change(cli->sriov, &pf, w.list, w.count, "apply");
	free(w.list);
	return err;
}

/* ---- pools ---- */

static struct sriov_pool read_pool(const json_t *row)
{
	const char *pf = json_string_value(json_object_get(row, "pf"));
	const char *driver = json_string_value(json_object_get(row, "driver"));
	const json_t *node = json_object_get(row, "numa_node");
	struct sriov_pool pool = {
		.numa_node = node ? (int)json_integer_value(node) : -1,
		.speed = (unsigned)json_integer_value(json_object_get(row, "speed"))};

	snprintf(pool.name, sizeof(pool.name), "%s",
		 json_string_value(json_object_get(row, "name")));
	snprintf(pool.pf, sizeof(pool.pf), "%s", pf ? pf : "");
	snprintf(pool.driver, sizeof(pool.driver), "%s", driver ? driver : "");
	return pool;
}

static bool same_pool(const struct sriov_pool *a, const struct sriov_pool *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->pf, b->pf) &&
	       !strcmp(a->driver, b->driver) && a->numa_node == b->numa_node &&
	       a->speed == b->speed;
}

static bool has_pool(const struct sriov_pool *pools, size_t count, const struct sriov_pool *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (same_pool(&pools[i], wanted))
			return true;
	return false;
}

static int plan_pools(struct sriov *sriov, const json_t *list, json_t *rows)
{
	struct sriov_pool *pools = NULL;
	size_t count = 0, i;
	const json_t *row;
	int err = sriov_pool_list(sriov, &pools, &count);

	json_array_foreach (list, i, row) {
		struct sriov_pool pool = read_pool(row);
		char name[SRIOV_NAME + 8];
		snprintf(name, sizeof(name), "pool %s", pool.name);
		if (!err && !has_pool(pools, count, &pool))
			json_array_append_new(
				rows, json_pack("{s:s,s:s,s:s,s:s,s:s}", "pool", pool.name, "name",
						name, "what", "rule", "after", "as in the file",
						"effect", show_plan_effect(SRIOV_SAFE)));
	}
	free(pools);
	return err;
}

/* ---- the whole ---- */

int wish_file_plan(struct cli *cli, const json_t *file, json_t *rows)
{
	const json_t *row;
	int failed = 0;
	size_t i;

	if (!cli_sriov(cli))
		return -EIO;
	json_array_foreach (json_object_get(file, "pfs"), i, row)
		failed += plan_pf(cli, row, rows) != 0;
	int err = plan_pools(cli->sriov, json_object_get(file, "pools"), rows);
	if (!err)
		failed += gpu_file_plan(cli, file, rows) != 0;
	return err ? err : failed;
}

int wish_file_apply(struct cli *cli, const json_t *file)
{
	const json_t *row;
	int failed = 0;
	size_t i;

	if (!cli_sriov(cli))
		return -EIO;
	json_array_foreach (json_object_get(file, "pfs"), i, row)
		failed += apply_pf(cli, row) != 0;
	json_array_foreach (json_object_get(file, "pools"), i, row) {
		struct sriov_pool pool = read_pool(row);
		failed += sriov_pool_set(cli->sriov, &pool) != 0;
	}
	return failed + (gpu_file_apply(cli, file) != 0);
}
