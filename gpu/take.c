/* SPDX-License-Identifier: BSD-3-Clause */
/* take: a slice for a VM: one that is free and fits, else a new one where the policy puts it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gpu/pool.h"
#include "gpu/slice.h"

/* Where the settings begin: behind the ':' that is followed by letters and '='; addresses have
 * colons too. */
static const char *settings_of(const char *text)
{
	for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
		size_t key = strspn(colon + 1, "abcdefghijklmnopqrstuvwxyz");
		if (key && colon[1 + key] == '=')
			return colon + 1;
	}
	return NULL;
}

struct taking {
	struct gpu *gpu;
	char name[GPU_SLICE_NAME];
	struct gpu_request request;
	struct gpu_pool pool;
	bool pooled; /* else `pool` stands for one GPU */
	int node;
	bool dry;
	bool (*taken)(struct bdf bdf, void *opaque);
	void *opaque;
};

static bool is_taken(const struct taking *t, const struct gpu_slice *s)
{
	return t->taken && t->taken(s->bdf, t->opaque);
}

static bool satisfies(const struct taking *t, const struct gpu_slice *s)
{
	const struct gpu_request *r = &t->request;

	if (s->state != GPU_FREE || s->mode == GPU_MIG || is_taken(t, s) ||
	    !pool_has(&t->pool, s->gpu) || (t->pooled && strcmp(s->pool, t->pool.name)) ||
	    (r->mode >= 0 && (int)s->mode != r->mode))
		return false;
	if ((r->profile[0] && strcmp(r->profile, s->profile)) || s->memory < r->memory ||
	    s->share < r->share)
		return false;
	for (size_t i = 1; i < GPU_SETTINGS; i++)
		if (r->value[i][0] && strcmp(r->value[i], s->value[i]))
			return false;
	return true;
}

static int node_of(struct gpu *gpu, const struct gpu_slice *s)
{
	struct gpu_device dev;

	return gpu_read_any(gpu, s->gpu_bdf, &dev) ? -1 : dev.numa_node;
}

/* The smallest that does; near ones before far ones. 1: found. */
static int take_free(struct taking *t, struct gpu_slice *out, char why[GPU_WHY])
{
	struct gpu_slice *list = NULL;
	const struct gpu_slice *best = NULL;
	bool best_near = false;
	size_t count = 0;
	int err = gpu_slice_list(t->gpu, NULL, &list, &count);

	for (size_t i = 0; list && i < count && !err; i++) {
		if (!satisfies(t, &list[i]))
			continue;
		bool near_node = t->node >= 0 && node_of(t->gpu, &list[i]) == t->node;
		if (best && (best_near > near_node ||
			     (best_near == near_node && best->memory <= list[i].memory)))
			continue;
		best = &list[i];
		best_near = near_node;
	}
	if (best) {
		char name[GPU_SLICE_NAME];
		*out = *best;
		snprintf(why, GPU_WHY, "slice %s was free", gpu_slice_name(best, name));
	}
	free(list);
	return err ? err : best != NULL;
}

/* ---- a new one ---- */

struct sites {
	struct slice_site *list;
	struct place_site *plain;
	size_t count;
};

static bool may(const struct taking *t, int mode)
{
	int only = t->request.mode >= 0 ? t->request.mode : t->pool.mode;

	if (only >= 0)
		return mode == only;
	return mode != GPU_MIG && (mode != GPU_WHOLE || !t->pooled);
}

static int read_sites(struct taking *t, struct sites *s)
{
	struct gpu_device *devices = NULL;
	size_t n = 0;
	int err = gpu_list(t->gpu, &devices, &n);

	*s = (struct sites){.list = calloc(n * GPU_MODES + 1, sizeof(*s->list)),
			    .plain = calloc(n * GPU_MODES + 1, sizeof(*s->plain))};
	if (!err && (!s->list || !s->plain))
		err = -ENOMEM;
	for (size_t i = 0; i < n && !err; i++) {
		bool parts = devices[i].modes & (1u << GPU_VF | 1u << GPU_MDEV);
		for (int mode = 0; mode < GPU_MODES && !err; mode++) {
			/* All of it only where it cannot be had in parts, or by name. */
			bool whole = mode == GPU_WHOLE && parts && t->request.mode != GPU_WHOLE;
			if (!pool_has(&t->pool, devices[i].name) || !may(t, mode) || whole ||
			    !(devices[i].modes & 1u << mode))
				continue;
			err = slice_site_read(t->gpu, &devices[i], (enum gpu_mode)mode,
					      &s->list[s->count]);
			s->plain[s->count] = s->list[s->count].site;
			s->count++;
		}
	}
	free(devices);
	return err;
}

static void free_sites(struct sites *s)
{
	for (size_t i = 0; i < s->count; i++)
		slice_site_free(&s->list[i]);
	free(s->list);
	free(s->plain);
}

static int take_new(struct taking *t, struct gpu_slice *out, char why[GPU_WHY])
{
	struct place_choice choice = {0};
	struct gpu_request request;
	struct sites s;
	int err = read_sites(t, &s);

	if (!err && !s.count)
		err = log_fail(-ENOENT, t->name,
			       "no GPU of it can be divided now; `sluice gpu list` tells why not");
	if (!err) {
		err = place_slice(s.plain, s.count, &t->request, t->pool.policy, t->node, &choice);
		if (err)
			log_error(t->name, "no slice for that: %s", choice.why);
	}
	if (!err && t->dry) {
		const struct slice_site *site = &s.list[choice.site];
		*out = (struct gpu_slice){.index = -1, .mode = site->site.mode, .iommu_group = -1};
		memcpy(out->gpu, site->dev.name, sizeof(out->gpu));
		snprintf(out->profile, sizeof(out->profile), "%s", choice.profile->name);
		snprintf(out->vfio, sizeof(out->vfio), "new");
		out->bdf = bdf_stand_in("new");
		snprintf(why, GPU_WHY, "%s", choice.why);
	} else if (!err) {
		request = t->request;
		request.mode = (int)s.plain[choice.site].mode;
		snprintf(request.profile, sizeof(request.profile), "%s", choice.profile->name);
		snprintf(why, GPU_WHY, "%s", choice.why);
		err = gpu_slice_create(t->gpu, &s.list[choice.site].dev, &request,
				       t->pooled ? t->pool.name : "", out);
	}
	free_sites(&s);
	return err;
}

/* ---- by any name ---- */

static int split(const char *spec, struct taking *t)
{
	const char *settings = settings_of(spec);
	size_t len = settings ? (size_t)(settings - 1 - spec) : strlen(spec);

	if (!len || len >= sizeof(t->name))
		return log_fail(-EINVAL, "gpu",
				"'%.40s': not POOL, GPU or GPU/N, with settings "
				"behind a ':'",
				spec);
	memcpy(t->name, spec, len);
	t->name[len] = '\0';
	return gpu_request_parse(t->name, settings ? settings : "", &t->request);
}

static int take_named(struct taking *t, struct gpu_slice *out, char why[GPU_WHY])
{
	int err = gpu_slice_find(t->gpu, t->name, out);

	if (!err && out->state == GPU_HELD)
		err = log_fail(-EBUSY, t->name, "vm %s has it", out->owner);
	if (!err && out->state == GPU_FOREIGN)
		err = log_fail(-EPERM, t->name, "was not made by sluice, or is used by another");
	if (!err && out->state == GPU_MISSING)
		err = log_fail(-ENOENT, t->name, "is wished for, but not there; `sluice apply`");
	snprintf(why, GPU_WHY, "it was asked for by name");
	return err;
}

int gpu_take(struct gpu *gpu, const char *spec, int node, bool dry,
	     bool (*taken)(struct bdf bdf, void *opaque), void *opaque, struct gpu_slice *out,
	     char why[GPU_WHY])
{
	struct taking t = {.gpu = gpu, .node = node, .dry = dry, .taken = taken, .opaque = opaque};
	struct gpu_device dev;
	int err = split(spec, &t);

	if (err)
		return err;
	if (strchr(t.name, '/'))
		return take_named(&t, out, why);
	err = pool_find(gpu, t.name, &t.pool);
	t.pooled = !err;
	if (err == -ENOENT) {
		t.pool = (struct gpu_pool){.mode = -1, .policy = GPU_BINPACK};
		err = gpu_find(gpu, t.name, &dev);
		if (!err)
			snprintf(t.pool.gpus, sizeof(t.pool.gpus), "%.63s", dev.name);
	}
	if (err)
		return err;
	if (!t.request.profile[0] && !t.request.memory && !t.request.share)
		memcpy(t.request.profile, t.pool.profile, sizeof(t.request.profile));
	err = take_free(&t, out, why);
	return err ? (err < 0 ? err : 0) : take_new(&t, out, why);
}

/* The two are in one group, so neither can stay with the host. */
static int claim_audio(struct gpu *gpu, const struct gpu_slice *slice, const char *owner)
{
	struct bdf audio;
	int err = bdf_parse(slice->audio, &audio);

	if (!err)
		err = sriov_claim_as_is(gpu->sriov, audio, slice->audio, slice->iommu_group, owner);
	if (err)
		return err;
	err = sriov_bind(gpu->sriov, audio, "vfio-pci", NULL);
	if (err)
		sriov_release(gpu->sriov, audio, owner);
	return err;
}

int gpu_claim(struct gpu *gpu, const struct gpu_slice *slice, const char *owner)
{
	char name[GPU_SLICE_NAME];
	struct gpu_device dev;
	struct sriov_vf vf;
	struct bdf audio;
	int err = 0;

	gpu_slice_name(slice, name);
	if (slice->mode == GPU_MIG)
		return log_fail(
			-EOPNOTSUPP, name,
			"a partition reaches a VM only below a vGPU: make a slice in mode vf "
			"with place=%s",
			slice->value[GPU_SETTINGS - 1]);
	if (slice->access == GPU_AS_IS)
		return sriov_claim_as_is(gpu->sriov, slice->bdf, name, slice->iommu_group, owner);
	if (slice->access == GPU_AS_VF) {
		err = sriov_vf_find(gpu->sriov, slice->vfio, &vf);
		return err ? err : sriov_claim_vf(gpu->sriov, &vf, NULL, owner);
	}
	err = gpu_find(gpu, slice->gpu, &dev);
	if (!err)
		err = slice_check_users(gpu, &dev);
	if (!err && slice->audio[0])
		err = claim_audio(gpu, slice, owner);
	if (err)
		return err;
	err = sriov_claim_device(gpu->sriov, slice->bdf, owner);
	if (err && slice->audio[0] && !bdf_parse(slice->audio, &audio))
		sriov_release(gpu->sriov, audio, owner);
	return err;
}
