/* SPDX-License-Identifier: BSD-3-Clause */
/* pool: names for GPUs with a policy, and how full they are. A pool is wishes below its own key. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "gpu/pool.h"
#include "gpu/slice.h"

#define KEY "+gpu-pool:"

static void set(struct sriov_wish *wish, const char *name, const char *value)
{
	*wish = (struct sriov_wish){.vf = -1};
	snprintf(wish->name, sizeof(wish->name), "%s", name);
	snprintf(wish->value, sizeof(wish->value), "%s", value);
}

static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= SRIOV_NAME || !isalpha((unsigned char)name[0]))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
	       len;
}

static int check(struct gpu *gpu, const struct gpu_pool *pool)
{
	char text[GPU_VALUE], *save = NULL;
	struct gpu_device dev;

	if (!name_valid(pool->name))
		return log_fail(-EINVAL, pool->name,
				"no name for a pool: up to %d letters, digits, '.', '_', '-', "
				"beginning with a letter",
				SRIOV_NAME - 1);
	memcpy(text, pool->gpus, sizeof(text));
	for (char *name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		int err = gpu_find(gpu, name, &dev);
		if (err)
			return err;
	}
	return 0;
}

int gpu_pool_set(struct gpu *gpu, const struct gpu_pool *pool)
{
	char key[SRIOV_RESOURCE_KEY];
	struct sriov_wish wishes[4];
	int err = check(gpu, pool);

	if (err)
		return err;
	snprintf(key, sizeof(key), KEY "%s", pool->name);
	set(&wishes[0], "policy", gpu_policy_name(pool->policy));
	set(&wishes[1], "gpus", pool->gpus);
	set(&wishes[2], "mode", pool->mode < 0 ? "" : gpu_mode_name((enum gpu_mode)pool->mode));
	set(&wishes[3], "profile", pool->profile);
	return sriov_resource_wish(gpu->sriov, key, wishes, ARRAY_SIZE(wishes));
}

static void take_wish(const struct sriov_wish *w, struct gpu_pool *out)
{
	if (!strcmp(w->name, "policy"))
		gpu_policy_parse(w->value, &out->policy);
	else if (!strcmp(w->name, "gpus"))
		memcpy(out->gpus, w->value, sizeof(out->gpus));
	else if (!strcmp(w->name, "profile"))
		snprintf(out->profile, sizeof(out->profile), "%s", w->value);
	for (int mode = 0; !strcmp(w->name, "mode") && mode < GPU_MODES; mode++)
		if (!strcmp(w->value, gpu_mode_name((enum gpu_mode)mode)))
			out->mode = mode;
}

int gpu_pool_list(struct gpu *gpu, struct gpu_pool **out, size_t *count)
{
	char(*keys)[SRIOV_RESOURCE_KEY] = NULL;
	int err = sriov_resource_keys(gpu->sriov, KEY, &keys, count);

	*out = err ? NULL : calloc(*count + 1, sizeof(**out));
	if (!err && !*out)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < *count; i++) {
		struct sriov_wish *wishes = NULL;
		size_t n = 0;
		struct gpu_pool *pool = &(*out)[i];
		pool->mode = -1;
		snprintf(pool->name, sizeof(pool->name), "%.31s", keys[i] + strlen(KEY));
		err = sriov_resource_wishes(gpu->sriov, keys[i], &wishes, &n);
		for (size_t w = 0; w < n; w++)
			take_wish(&wishes[w], pool);
		free(wishes);
	}
	free(keys);
	if (err)
		free(*out);
	return err;
}

int pool_find(struct gpu *gpu, const char *name, struct gpu_pool *out)
{
	struct gpu_pool *list = NULL;
	size_t count = 0;
	int err = gpu_pool_list(gpu, &list, &count);
	bool found = false;

	if (err)
		return err;
	for (size_t i = 0; i < count && !found; i++) {
		found = !strcmp(list[i].name, name);
		if (found)
			*out = list[i];
	}
	free(list);
	return found ? 0 : -ENOENT;
}

int gpu_pool_drop(struct gpu *gpu, const char *name)
{
	struct sriov_wish wishes[4];
	char key[SRIOV_RESOURCE_KEY], slice[GPU_SLICE_NAME];
	struct gpu_slice *list = NULL;
	struct gpu_pool pool;
	size_t count = 0;
	int err = pool_find(gpu, name, &pool);

	if (err)
		return log_fail(err, name, "no such pool; see `sluice gpu pool list`");
	err = gpu_slice_list(gpu, NULL, &list, &count);
	for (size_t i = 0; i < count && !err; i++)
		if (!strcmp(list[i].pool, name))
			err = log_fail(-EBUSY, name, "pool not removed: slice %s belongs to it",
				       gpu_slice_name(&list[i], slice));
	free(list);
	if (err)
		return err;
	snprintf(key, sizeof(key), KEY "%s", name);
	set(&wishes[0], "policy", "");
	set(&wishes[1], "gpus", "");
	set(&wishes[2], "mode", "");
	set(&wishes[3], "profile", "");
	return sriov_resource_wish(gpu->sriov, key, wishes, ARRAY_SIZE(wishes));
}

bool pool_has(const struct gpu_pool *pool, const char *gpu)
{
	char text[GPU_VALUE], *save = NULL;

	if (!pool->gpus[0])
		return true;
	memcpy(text, pool->gpus, sizeof(text));
	for (char *name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save))
		if (!strcmp(name, gpu))
			return true;
	return false;
}

/* ---- how full ---- */

static void fill_room(const struct slice_site *s, struct gpu_room *room)
{
	uint64_t most = 0;

	*room = (struct gpu_room){.mode = (int)s->site.mode,
				  .total = s->site.total,
				  .free = s->site.free,
				  .slices = s->site.slices};
	snprintf(room->gpu, sizeof(room->gpu), "%s", s->dev.name);
	for (size_t i = 0; i < s->site.profile_count; i++) {
		const struct gpu_profile *p = &s->profiles[i];
		most = MAX(most, p->memory);
		if (p->available && !s->site.full)
			room->largest = MAX(room->largest, p->memory);
	}
	for (size_t i = 0; i < s->slice_count; i++)
		room->held += s->slices[i].state == GPU_HELD;
	if (s->site.by_bytes)
		room->largest = s->site.full ? 0 : s->site.free;
	most = s->site.by_bytes ? s->site.free : MIN(most, s->site.free);
	room->fragmented = place_fragmented(most, room->largest);
}

int gpu_rooms(struct gpu *gpu, const char *name, struct gpu_room **out, size_t *count)
{
	struct gpu_pool pool = {.mode = -1};
	struct gpu_device *devices = NULL;
	size_t n = 0;
	int err = *name ? pool_find(gpu, name, &pool) : 0;

	*out = NULL;
	*count = 0;
	if (err)
		return log_fail(err, name, "no such pool; see `sluice gpu pool list`");
	err = gpu_list(gpu, &devices, &n);
	*out = calloc(n * GPU_MODES + 1, sizeof(**out));
	for (size_t i = 0; !err && *out && i < n; i++)
		for (int mode = GPU_VF; mode < GPU_MODES && !err; mode++) {
			struct slice_site site;
			if (!pool_has(&pool, devices[i].name) || !(devices[i].modes & 1u << mode) ||
			    (pool.mode >= 0 && pool.mode != mode))
				continue;
			err = slice_site_read(gpu, &devices[i], (enum gpu_mode)mode, &site);
			if (!err)
				fill_room(&site, &(*out)[(*count)++]);
			slice_site_free(&site);
		}
	free(devices);
	return err ? err : *out ? 0 : -ENOMEM;
}
