/* SPDX-License-Identifier: BSD-3-Clause */
/* apply: all GPUs of the machine as they are wished, and what does not hold. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gpu/slice.h"

#define KEY "+gpu:"

/* What dead VMs had. */
static int release_orphans(struct gpu *gpu, const struct gpu_device *dev)
{
	struct gpu_slice *list = NULL;
	size_t count = 0;
	int err = gpu_slice_list(gpu, dev, &list, &count);

	for (size_t i = 0; i < count && !err; i++)
		if (list[i].state == GPU_ORPHANED)
			err = sriov_release(gpu->sriov, list[i].bdf, NULL);
	free(list);
	return err;
}

int gpu_apply(struct gpu *gpu, bool dry,
	      void (*tell)(const char *subject, const char *what, const char *before,
			   const char *after, void *opaque),
	      void *opaque)
{
	struct gpu_device *list = NULL;
	size_t count = 0;
	int changed = 0, err = gpu_list(gpu, &list, &count), bad = 0;

	for (size_t i = 0; i < count && !err; i++) {
		int repaired = dry ? 0 : sriov_resource_lock(gpu->sriov, list[i].bdf);
		if (repaired < 0) {
			bad = repaired;
			continue;
		}
		int n = slice_apply(gpu, &list[i], dry, tell, opaque);
		if (!dry)
			sriov_resource_unlock(gpu->sriov);
		int released = dry || n < 0 ? 0 : release_orphans(gpu, &list[i]);
		bad = n < 0 ? n : released ? released : bad;
		changed += (n > 0 ? n : 0) + (repaired > 0);
	}
	free(list);
	return err ? err : bad ? bad : changed;
}

/* ---- does all hold? ---- */

struct telling {
	void (*tell)(const char *subject, const char *text, void *opaque);
	void *opaque;
	int count;
};

static void tell_step(const char *subject, const char *what, const char *before, const char *after,
		      void *opaque)
{
	struct telling *t = opaque;
	char text[256];

	snprintf(text, sizeof(text), "%s is %s, wanted: %s", what, *before ? before : "not there",
		 after);
	t->tell(subject, text, t->opaque);
	t->count++;
}

static int tell_orphans(struct gpu *gpu, struct telling *t)
{
	struct gpu_slice *list = NULL;
	char name[GPU_SLICE_NAME], text[256];
	size_t count = 0;
	int err = gpu_slice_list(gpu, NULL, &list, &count);

	for (size_t i = 0; i < count; i++) {
		if (list[i].state != GPU_ORPHANED)
			continue;
		gpu_slice_name(&list[i], name);
		snprintf(text, sizeof(text),
			 "left over from vm %s; `sluice gpu release %s` takes it back",
			 list[i].owner, name);
		t->tell(name, text, t->opaque);
		t->count++;
	}
	free(list);
	return err;
}

/* GPUs with wishes that are not in the machine. */
static int tell_absent(struct gpu *gpu, struct telling *t)
{
	char(*keys)[SRIOV_RESOURCE_KEY] = NULL, here[SRIOV_RESOURCE_KEY];
	struct gpu_device *list = NULL;
	size_t key_count = 0, count = 0;
	int err = sriov_resource_keys(gpu->sriov, KEY, &keys, &key_count);

	if (!err)
		err = gpu_list(gpu, &list, &count);
	for (size_t k = 0; k < key_count && !err; k++) {
		bool found = false;
		for (size_t i = 0; i < count && !found; i++)
			found = !sriov_resource_key(gpu->sriov, "gpu", list[i].bdf, list[i].name,
						    here) &&
				!strcmp(here, keys[k]);
		if (found)
			continue;
		t->tell(keys[k] + strlen(KEY),
			"has slices that are wished, but is not in this "
			"machine, or its driver offers none any more",
			t->opaque);
		t->count++;
	}
	free(keys);
	free(list);
	return err;
}

int gpu_assert(struct gpu *gpu, void (*tell)(const char *subject, const char *text, void *opaque),
	       void *opaque)
{
	struct telling t = {tell, opaque, 0};
	int err = gpu_apply(gpu, true, tell_step, &t);

	if (err >= 0)
		err = tell_absent(gpu, &t);
	if (!err)
		err = tell_orphans(gpu, &t);
	return err < 0 ? err : t.count;
}
