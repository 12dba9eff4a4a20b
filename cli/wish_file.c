/* SPDX-License-Identifier: BSD-3-Clause */
/* wish_file: see wish_file.h. */
#include "cli/wish_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/gpu_file.h"
#include "cli/show_plan.h"
#include "sriov/attr.h"

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
	char text[ATTR_TEXT], number[16];
	struct sriov_vf *list = NULL;
	size_t count = 0, rows;
	const struct attr_info *table = attr_table(&rows);
	int err = sriov_vf_list(sriov, pf, &list, &count);

	snprintf(number, sizeof(number), "%u", pf->num_vfs);
	json_object_set_new(row, "count", json_string(number));
	for (size_t i = 0; i < count; i++) {
		json_t *at = find_vf(vfs, (int)list[i].index);
		json_object_set_new(at, "driver",
				    json_string(list[i].driver[0] ? list[i].driver : "none"));
		for (size_t a = 0; a < rows; a++)
			if (list[i].attrs.set & table[a].bit)
				json_object_set_new(at, table[a].name,
						    json_string(attr_format(table[a].bit,
									    &list[i].attrs, text)));
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

static int add(struct wishes *w, const char *path, int vf, const char *name, const char *value)
{
	struct sriov_attrs attrs = {0};
	struct sriov_wish *grown = realloc(w->list, (w->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	w->list = grown;
	bool known =
		vf < 0 ? !strcmp(name, "count") || !strcmp(name, "probe") : !strcmp(name, "driver");
	if (!known && vf < 0)
		return log_fail(-EINVAL, path, "a PF has no '%s'; there are count, probe and vfs",
				name);
	if (!known && *value && attr_parse(path, name, value, &attrs))
		return -EINVAL;
	struct sriov_wish *wish = &grown[w->count++];
	*wish = (struct sriov_wish){.vf = vf};
	if (snprintf(wish->name, sizeof(wish->name), "%s", name) >= (int)sizeof(wish->name) ||
	    snprintf(wish->value, sizeof(wish->value), "%s", value) >= (int)sizeof(wish->value))
		return log_fail(-EINVAL, path, "'%.20s…': too long", value);
	return 0;
}

/* Every text of an object is a wish; other keys are named in `skip`. */
static int add_object(struct wishes *w, const char *path, int vf, json_t *object, const char *skip)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		if (strstr(skip, key))
			continue;
		if (!json_is_string(value))
			return log_fail(-EINVAL, path, "'%s' is no text", key);
		int err = add(w, path, vf, key, json_string_value(value));
		if (err)
			return err;
	}
	return 0;
}

static bool named(const struct wishes *w, const struct sriov_wish *wish)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->list[i].vf == wish->vf && !strcmp(w->list[i].name, wish->name))
			return true;
	return false;
}

/* What is wished now and not in the file goes. */
static int add_removals(struct sriov *sriov, const struct sriov_pf *pf, const char *path,
			struct wishes *w)
{
	struct sriov_wish *now = NULL;
	size_t count = 0;
	int err = sriov_wishes(sriov, pf, &now, &count);

	for (size_t i = 0; i < count && !err; i++)
		if (!named(w, &now[i]))
			err = add(w, path, now[i].vf, now[i].name, "");
	free(now);
	return err;
}

static int read_pf(struct sriov *sriov, const char *path, json_t *row, struct sriov_pf *pf,
		   struct wishes *w)
{
	const char *name = json_string_value(json_object_get(row, "pf"));
	size_t i;
	json_t *vf;

	if (!name)
		return log_fail(-EINVAL, path, "an entry of 'pfs' without 'pf'");
	int err = sriov_pf_find(sriov, name, pf);
	if (!err)
		err = add_object(w, path, -1, row, "pf address vfs");
	json_array_foreach (json_object_get(row, "vfs"), i, vf) {
		const json_t *index = json_object_get(vf, "vf");
		if (!err && (!json_is_integer(index) || json_integer_value(index) < 0 ||
			     json_integer_value(index) > UINT16_MAX))
			err = log_fail(-EINVAL, path, "an entry of 'vfs' of %s without 'vf'", name);
		if (!err)
			err = add_object(w, path, (int)json_integer_value(index), vf, "vf");
	}
	return err ? err : add_removals(sriov, pf, path, w);
}

static int apply_pf(struct cli *cli, const char *path, json_t *row, bool yes, json_t *rows)
{
	struct wishes w = {0};
	struct sriov_plan plan;
	struct sriov_pf pf;
	int err = read_pf(cli->sriov, path, row, &pf, &w);

	if (!err)
		err = sriov_plan(cli->sriov, &pf, w.list, w.count, SRIOV_PHASE_ALL, &plan);
	if (err) {
		free(w.list);
		return err;
	}
	show_plan_add(rows, &plan);
	if (!cli->dry_run && sriov_plan_effect(&plan) != SRIOV_SAFE && !yes)
		err = log_fail(-EPERM, plan.name,
			       "not applied: who uses its VFs would feel it; look with --dry-run, "
			       "then pass --yes");
	if (!cli->dry_run && !err)
		err = sriov_change(cli->sriov, &pf, w.list, w.count, "apply");
	sriov_plan_free(&plan);
	free(w.list);
	return err;
}

static int apply_pool(struct cli *cli, const char *path, json_t *row)
{
	struct sriov_pool pool = {.numa_node = -1};
	const char *name = json_string_value(json_object_get(row, "name"));
	const char *pf = json_string_value(json_object_get(row, "pf"));
	const char *driver = json_string_value(json_object_get(row, "driver"));

	if (!name)
		return log_fail(-EINVAL, path, "an entry of 'pools' without 'name'");
	snprintf(pool.name, sizeof(pool.name), "%s", name);
	snprintf(pool.pf, sizeof(pool.pf), "%s", pf ? pf : "");
	snprintf(pool.driver, sizeof(pool.driver), "%s", driver ? driver : "");
	if (json_is_integer(json_object_get(row, "numa_node")))
		pool.numa_node = (int)json_integer_value(json_object_get(row, "numa_node"));
	pool.speed = (unsigned)json_integer_value(json_object_get(row, "speed"));
	return cli->dry_run ? 0 : sriov_pool_set(cli->sriov, &pool);
}

int wish_file_apply(struct cli *cli, const char *path, bool yes, json_t *rows)
{
	json_error_t error;
	size_t i;
	json_t *row, *root = json_load_file(path, 0, &error);
	int err = cli_sriov(cli) ? 0 : -EIO;

	if (!root)
		return log_fail(-EINVAL, path, "line %d: %s", error.line, error.text);
	json_array_foreach (json_object_get(root, "pfs"), i, row)
		err = err ? err : apply_pf(cli, path, row, yes, rows);
	json_array_foreach (json_object_get(root, "pools"), i, row)
		err = err ? err : apply_pool(cli, path, row);
	if (!err)
		err = gpu_file_apply(cli, path, root, yes, rows);
	json_decref(root);
	return err;
}
