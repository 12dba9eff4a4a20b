/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * back_mig: partitions of NVIDIA's hardware, by nvidia-smi (docs.nvidia.com, mig-user-guide).
 *
 * A GPU instance is a range of memory slices: where it begins is its index here, since the numbers
 * that the driver gives are its own. A partition does not reach a VM by itself: a vGPU on a VF is
 * put on it (mode vf, place=INSTANCE). Nothing of it outlives a reboot, so it is wished and made
 * again.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "gpu/backend.h"
#include "gpu/tool.h"

#define MIG_SLICES 7 /* of compute; memory has eight */

static int smi(const struct gpu *gpu, const struct gpu_device *dev, const char *const more[6],
	       char out[TOOL_OUTPUT])
{
	const char *args[TOOL_ARGS] = {"mig", "-i", dev->name};

	for (int i = 0; i < 6 && more[i]; i++)
		args[3 + i] = more[i];
	return tool_run(gpu, gpu->smi, args, out);
}

static int fail(const struct gpu *gpu, const struct gpu_device *dev, const char *what, int rc,
		char out[TOOL_OUTPUT])
{
	if (rc == -ENOENT)
		return log_fail(rc, dev->name, "%s: %s is not installed", what, gpu->smi);
	if (rc == -ETIMEDOUT)
		return log_fail(rc, dev->name,
				"%s: %s has not answered for %u ms and was ended; see dmesg", what,
				gpu->smi, gpu->tool_ms);
	return log_fail(rc > 0 ? -EIO : rc, dev->name, "%s: %s says: %.160s", what, gpu->smi,
			tool_last(out));
}

static bool discover(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	const char *const args[TOOL_ARGS] = {"-i", dev->name, "--query-gpu=mig.mode.current",
					     "--format=csv,noheader", NULL};
	char out[TOOL_OUTPUT];

	if (strcmp(dev->driver, "nvidia") != 0) {
		snprintf(why, GPU_WHY, "partitions (MIG) are NVIDIA's, with its driver");
		return false;
	}
	int rc = tool_run(gpu, gpu->smi, args, out);
	if (!rc && !strncmp(out, "Enabled", 7))
		return true;
	if (rc == -ENOENT)
		snprintf(why, GPU_WHY, "%.60s is not installed", gpu->smi);
	else if (rc == -ETIMEDOUT)
		snprintf(why, GPU_WHY, "%.60s has not answered for %u ms", gpu->smi, gpu->tool_ms);
	else
		snprintf(why, GPU_WHY, "MIG mode is off (%.40s); `nvidia-smi -i %.20s -mig 1`",
			 tool_last(out), dev->name);
	return false;
}

/* "|   0  MIG 1g.5gb          19     7/7        4.75       No     14 …" */
static int add_profile(const char *line, struct gpu_profile **out, size_t *count)
{
	unsigned id, left, total, compute = 0;
	char name[32];
	double gib;

	if (sscanf(line, " | %*d MIG %31s %u %u/%u %lf", name, &id, &left, &total, &gib) != 5)
		return 0;
	struct gpu_profile *grown = realloc(*out, (*count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*out = grown;
	struct gpu_profile *p = &grown[(*count)++];
	*p = (struct gpu_profile){.available = (int)left};
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->text, sizeof(p->text), "profile %u, %u of %u left", id, left, total);
	p->memory = (uint64_t)(gib * 1024) << 20;
	sscanf(name, "%ug", &compute);
	p->share = compute * 100 / MIG_SLICES;
	if (!left)
		snprintf(p->why_not, sizeof(p->why_not),
			 "the partitions that there are leave no room for it");
	return 0;
}

static int profiles(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_profile **out,
		    size_t *count)
{
	const char *const args[6] = {"-lgip", NULL};
	char text[TOOL_OUTPUT], *save = NULL;
	int rc = smi(gpu, dev, args, text), err = 0;

	*out = NULL;
	*count = 0;
	if (rc)
		return fail(gpu, dev, "profiles not read", rc, text);
	for (char *line = strtok_r(text, "\n", &save); line && !err;
	     line = strtok_r(NULL, "\n", &save))
		err = add_profile(line, out, count);
	return err;
}

/* "|   0  MIG 1g.5gb          19        7          4:1     |" */
struct instance {
	char name[32];
	unsigned profile, id, start, size;
};

static int instances(const struct gpu *gpu, const struct gpu_device *dev, struct instance list[8],
		     size_t *count)
{
	const char *const args[6] = {"-lgi", NULL};
	char text[TOOL_OUTPUT], *save = NULL;
	int rc = smi(gpu, dev, args, text);

	*count = 0;
	/* With none there, it says so and fails. */
	if (rc > 0 && strstr(text, "No GPU instances found"))
		return 0;
	if (rc)
		return fail(gpu, dev, "partitions not read", rc, text);
	for (char *line = strtok_r(text, "\n", &save); line && *count < 8;
	     line = strtok_r(NULL, "\n", &save)) {
		struct instance *i = &list[*count];
		if (sscanf(line, " | %*d MIG %31s %u %u %u:%u", i->name, &i->profile, &i->id,
			   &i->start, &i->size) == 5)
			(*count)++;
	}
	return 0;
}

static int query(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		 size_t *count)
{
	struct instance list[8];
	int err = instances(gpu, dev, list, count);

	*out = err ? NULL : calloc(*count + 1, sizeof(**out));
	if (!*out)
		return err ? err : -ENOMEM;
	for (size_t i = 0; i < *count; i++) {
		struct gpu_slice *s = &(*out)[i].slice;
		(*out)[i].made = true;
		s->index = (int)list[i].start;
		s->iommu_group = -1;
		s->access = GPU_AS_IS;
		memcpy(s->profile, list[i].name, sizeof(list[i].name));
		snprintf(s->value[GPU_SETTINGS - 1], GPU_VALUE, "%u", list[i].id);
		snprintf(s->vfio, sizeof(s->vfio), "gi%u", list[i].id);
		s->bdf = bdf_stand_in(s->vfio);
	}
	return 0;
}

static int profile_id(const struct gpu *gpu, const struct gpu_device *dev, const char *name,
		      unsigned *id)
{
	struct gpu_profile *list = NULL;
	size_t count = 0;
	int err = profiles(gpu, dev, &list, &count);
	bool found = false;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(list[i].name, name))
			found = sscanf(list[i].text, "profile %u", id) == 1;
	free(list);
	if (!err && !found)
		err = log_fail(-ENOENT, dev->name,
			       "no partition profile '%s'; see `sluice gpu "
			       "show %s`",
			       name, dev->name);
	return err;
}

static int destroy(const struct gpu *gpu, const struct gpu_device *dev, int index)
{
	struct instance list[8];
	char text[TOOL_OUTPUT], id[16];
	size_t count;
	int err = instances(gpu, dev, list, &count);

	for (size_t i = 0; i < count && !err; i++) {
		if ((int)list[i].start != index)
			continue;
		snprintf(id, sizeof(id), "%u", list[i].id);
		const char *const compute[6] = {"-dci", "-gi", id, NULL};
		const char *const whole[6] = {"-dgi", "-gi", id, NULL};
		int rc = smi(gpu, dev, compute, text);
		if (rc < 0)
			return fail(gpu, dev, "partition not removed", rc, text);
		rc = smi(gpu, dev, whole, text);
		if (rc)
			err = fail(gpu, dev, "partition not removed", rc, text);
	}
	return err;
}

static int create(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const char *profile)
{
	struct instance list[8];
	char text[TOOL_OUTPUT], what[32];
	unsigned id = 0;
	size_t count;
	int err = instances(gpu, dev, list, &count);

	for (size_t i = 0; i < count && !err; i++)
		if ((int)list[i].start == index) {
			if (!strcmp(list[i].name, profile))
				return 0;
			err = destroy(gpu, dev, index);
		}
	if (!err)
		err = profile_id(gpu, dev, profile, &id);
	if (err)
		return err;
	snprintf(what, sizeof(what), "%u:%d", id, index);
	const char *const args[6] = {"-cgi", what, "-C", NULL};
	int rc = smi(gpu, dev, args, text);
	if (rc > 0 && strstr(text, "Insufficient Resources"))
		return log_fail(-ENOSPC, dev->name,
				"partition '%s' refused: the others leave no room for it", profile);
	return rc ? fail(gpu, dev, "partition not made", rc, text) : 0;
}

/* "GPU  0 Profile ID 19 Placements: {0,1,2,3,4,5,6}:1": the first beginning that is free. */
static int first_free(const char *line, const struct instance *list, size_t count)
{
	const char *open = strchr(line, '{'), *end = strchr(line, '}');
	unsigned size = end && end[1] == ':' ? (unsigned)strtoul(end + 2, NULL, 10) : 0;

	for (const char *p = open; p && size && p < end; p = strpbrk(p + 1, ",}")) {
		unsigned start = (unsigned)strtoul(p + 1, NULL, 10);
		bool free_one = isdigit((unsigned char)p[1]);
		for (size_t i = 0; i < count; i++)
			free_one &= start + size <= list[i].start ||
				    list[i].start + list[i].size <= start;
		if (free_one)
			return (int)start;
	}
	return -ENOSPC;
}

static int place(const struct gpu *gpu, const struct gpu_device *dev, const char *profile)
{
	const char *const args[6] = {"-lgipp", NULL};
	struct instance list[8];
	char text[TOOL_OUTPUT], *save = NULL;
	unsigned id = 0, now;
	size_t count;
	int err = profile_id(gpu, dev, profile, &id);

	if (!err)
		err = instances(gpu, dev, list, &count);
	int rc = err ? 0 : smi(gpu, dev, args, text);
	if (err || rc)
		return err ? err : fail(gpu, dev, "placements not read", rc, text);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *at = strstr(line, "Profile ID");
		if (at && sscanf(at, "Profile ID %u", &now) == 1 && now == id)
			return first_free(line, list, count);
	}
	return -ENOSPC;
}

static int no_set(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const struct gpu_setting *setting, const char *value)
{
	(void)gpu, (void)value;
	return log_fail(-EOPNOTSUPP, dev->name, "partition %d has no %s beside its profile", index,
			setting->name);
}

const struct gpu_backend gpu_back_mig = {
	.name = "mig",
	.mode = GPU_MIG,
	.can = GPU_CAN_MIX,
	.discover = discover,
	.profiles = profiles,
	.query = query,
	.create = create,
	.destroy = destroy,
	.set = no_set,
	.place = place,
};
