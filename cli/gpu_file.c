/* SPDX-License-Identifier: BSD-3-Clause */
/* gpu_file: see gpu_file.h. */
#include "cli/gpu_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/show_plan.h"

#define SUBJECT "host file"

/* ---- out ---- */

static json_t *encode(const struct gpu_slice *s)
{
	json_t *row = json_pack("{s:i,s:s,s:s}", "slice", s->index, "mode", gpu_mode_name(s->mode),
				"profile", s->profile);

	if (s->pool[0])
		json_object_set_new(row, "pool", json_string(s->pool));
	for (size_t i = 0; i < GPU_SETTINGS; i++)
		if (s->wished[i][0])
			json_object_set_new(row, gpu_settings[i].name, json_string(s->wished[i]));
	return row;
}

static json_t *find_gpu(json_t *gpus, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach (gpus, i, row)
		if (!strcmp(json_string_value(json_object_get(row, "gpu")), name))
			return json_object_get(row, "slices");
	row = json_pack("{s:s,s:[]}", "gpu", name, "slices");
	json_array_append_new(gpus, row);
	return json_object_get(row, "slices");
}

static int export_pools(struct gpu *gpu, json_t *root)
{
	struct gpu_pool *pools = NULL;
	json_t *rows = json_array();
	size_t count = 0;
	int err = gpu_pool_list(gpu, &pools, &count);

	for (size_t i = 0; i < count && !err; i++) {
		json_t *row = json_pack("{s:s,s:s}", "name", pools[i].name, "policy",
					gpu_policy_name(pools[i].policy));
		if (pools[i].gpus[0])
			json_object_set_new(row, "gpus", json_string(pools[i].gpus));
		if (pools[i].mode >= 0)
			json_object_set_new(
				row, "mode",
				json_string(gpu_mode_name((enum gpu_mode)pools[i].mode)));
		if (pools[i].profile[0])
			json_object_set_new(row, "profile", json_string(pools[i].profile));
		json_array_append_new(rows, row);
	}
	if (json_array_size(rows))
		json_object_set(root, "gpu_pools", rows);
	json_decref(rows);
	if (!err)
		free(pools);
	return err;
}

int gpu_file_export(struct cli *cli, json_t *root)
{
	struct gpu_slice *list = NULL;
	json_t *gpus = json_array();
	size_t count = 0;
	int err = gpu_slice_list(cli->gpu, NULL, &list, &count);

	for (size_t i = 0; i < count && !err; i++)
		if (list[i].state != GPU_FOREIGN && list[i].index >= 0)
			json_array_append_new(find_gpu(gpus, list[i].gpu), encode(&list[i]));
	if (json_array_size(gpus))
		json_object_set(root, "gpus", gpus);
	json_decref(gpus);
	free(list);
	return err ? err : export_pools(cli->gpu, root);
}

/* ---- in ---- */

/* Keys are the settings by their names, so that one parser reads all. */
static int read_request(const json_t *row, struct gpu_request *out)
{
	char text[1024] = "";
	const char *key;
	const json_t *value;
	size_t used = 0;

	json_object_foreach ((json_t *)(uintptr_t)row, key, value) {
		if (!strcmp(key, "slice") || !strcmp(key, "pool"))
			continue;
		if (!json_is_string(value) || strchr(json_string_value(value), ','))
			return log_fail(-EINVAL, SUBJECT, "'%s' of a slice is no plain text", key);
		int n = snprintf(text + used, sizeof(text) - used, "%s%s=%s", used ? "," : "", key,
				 json_string_value(value));
		if (n < 0 || (size_t)n >= sizeof(text) - used)
			return log_fail(-EINVAL, SUBJECT, "'%s' of a slice is too long", key);
		used += (size_t)n;
	}
	return gpu_request_parse(SUBJECT, text, out);
}

static const json_t *find_row(const json_t *slices, const struct gpu_slice *s)
{
	const json_t *row;
	size_t i;

	json_array_foreach (slices, i, row) {
		const char *mode = json_string_value(json_object_get(row, "mode"));
		if (json_integer_value(json_object_get(row, "slice")) == s->index && mode &&
		    !strcmp(mode, gpu_mode_name(s->mode)))
			return row;
	}
	return NULL;
}

static bool same(const struct gpu_slice *s, const struct gpu_request *r)
{
	bool equal = !r->profile[0] || !strcmp(r->profile, s->profile);

	if (r->memory && (!s->wished[0][0] || strtoull(s->wished[0], NULL, 10) != r->memory))
		equal = false;
	for (size_t i = 1; i < GPU_SETTINGS; i++)
		equal &= !r->value[i][0] || !strcmp(r->value[i], s->wished[i]);
	return equal;
}

struct applying {
	struct cli *cli;
	json_t *rows; /* NULL: it is done, else only told */
	struct gpu_device dev;
	struct gpu_slice *list;
	size_t count;
};

static void tell(const struct applying *a, const char *subject, const char *before,
		 const char *after)
{
	if (!a->rows)
		return;
	show_plan_gpu(subject, "profile", before, after, a->rows);
	if (*before)
		json_object_set_new(json_array_get(a->rows, json_array_size(a->rows) - 1), "effect",
				    json_string(show_plan_effect(SRIOV_DISRUPTIVE)));
}

/* Those that are there and not in the file, or other than in the file. */
static int change_slice(struct applying *a, const struct gpu_slice *s, const json_t *row)
{
	struct gpu_request request = {0};
	char name[GPU_SLICE_NAME];
	int err = row ? read_request(row, &request) : 0;

	gpu_slice_name(s, name);
	if (err || (row && same(s, &request)))
		return err;
	tell(a, name, s->profile,
	     row ? (request.profile[0] ? request.profile : s->profile) : "none");
	if (a->rows)
		return 0;
	return row ? gpu_slice_set(a->cli->gpu, s, &request) : gpu_slice_destroy(a->cli->gpu, s);
}

static int make_slice(struct applying *a, const json_t *row)
{
	const char *pool = json_string_value(json_object_get(row, "pool"));
	struct gpu_request request = {0};
	struct gpu_slice made;
	int err = read_request(row, &request);

	if (err)
		return err;
	tell(a, a->dev.name, "", request.profile[0] ? request.profile : "any");
	return a->cli->dry_run
		       ? 0
		       : gpu_slice_create(a->cli->gpu, &a->dev, &request, pool ? pool : "", &made);
}

static bool is_there(const struct applying *a, const json_t *slices, const json_t *row)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->list[i].state != GPU_FOREIGN && find_row(slices, &a->list[i]) == row)
			return true;
	return false;
}

/* What goes makes room for what comes. */
static int apply_gpu(struct applying *a, const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "gpu"));
	const json_t *slices = json_object_get(row, "slices"), *slice;
	size_t i;

	if (!name)
		return log_fail(-EINVAL, SUBJECT, "an entry of 'gpus' without 'gpu'");
	int err = gpu_find(a->cli->gpu, name, &a->dev);
	if (!err)
		err = gpu_slice_list(a->cli->gpu, &a->dev, &a->list, &a->count);
	for (i = 0; i < a->count && !err; i++)
		if (a->list[i].state != GPU_FOREIGN && a->list[i].index >= 0)
			err = change_slice(a, &a->list[i], find_row(slices, &a->list[i]));
	json_array_foreach (slices, i, slice)
		if (!err && !is_there(a, slices, slice))
			err = make_slice(a, slice);
	free(a->list);
	a->list = NULL;
	a->count = 0;
	return err;
}

static int apply_pool(struct cli *cli, const json_t *row, bool dry)
{
	struct gpu_pool pool = {.mode = -1};
	const char *name = json_string_value(json_object_get(row, "name"));
	const char *gpus = json_string_value(json_object_get(row, "gpus"));
	const char *policy = json_string_value(json_object_get(row, "policy"));
	const char *profile = json_string_value(json_object_get(row, "profile"));
	const char *mode = json_string_value(json_object_get(row, "mode"));

	if (!name)
		return log_fail(-EINVAL, SUBJECT, "an entry of 'gpu_pools' without 'name'");
	if (policy && gpu_policy_parse(policy, &pool.policy))
		return log_fail(-EINVAL, SUBJECT, "pool %s: no policy '%s'", name, policy);
	snprintf(pool.name, sizeof(pool.name), "%s", name);
	snprintf(pool.gpus, sizeof(pool.gpus), "%s", gpus ? gpus : "");
	snprintf(pool.profile, sizeof(pool.profile), "%s", profile ? profile : "");
	for (int i = 0; mode && i < GPU_MODES; i++)
		if (!strcmp(mode, gpu_mode_name((enum gpu_mode)i)))
			pool.mode = i;
	return dry ? 0 : gpu_pool_set(cli->gpu, &pool);
}

static int run(struct cli *cli, const json_t *root, json_t *rows)
{
	struct applying a = {.cli = cli, .rows = rows};
	const json_t *row;
	size_t i;
	int err = 0;

	json_array_foreach (json_object_get(root, "gpu_pools"), i, row)
		err = err ? err : apply_pool(cli, row, rows);
	json_array_foreach (json_object_get(root, "gpus"), i, row)
		err = err ? err : apply_gpu(&a, row);
	return err;
}

int gpu_file_plan(struct cli *cli, const json_t *root, json_t *rows)
{
	return run(cli, root, rows);
}

int gpu_file_apply(struct cli *cli, const json_t *root)
{
	return run(cli, root, NULL);
}
