/* SPDX-License-Identifier: BSD-3-Clause */
/* place: see place.h. */
#include "gpu/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

static const char *const policy_names[] = {"binpack", "spread", "numa", "same-profile"};

const char *gpu_policy_name(enum gpu_policy policy)
{
	return policy_names[policy];
}

int gpu_policy_parse(const char *text, enum gpu_policy *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(policy_names); i++)
		if (!strcmp(text, policy_names[i])) {
			*out = (enum gpu_policy)i;
			return 0;
		}
	return -EINVAL;
}

/* ---- one site ---- */

static bool large_enough(const struct place_site *site, const struct gpu_profile *p,
			 const struct gpu_request *r)
{
	if (r->profile[0] && strcmp(p->name, r->profile))
		return false;
	if (!site->by_bytes && r->memory && p->memory < r->memory)
		return false;
	return !r->share || p->share >= r->share;
}

static uint64_t size_of(const struct place_site *site, const struct gpu_profile *p,
			const struct gpu_request *r)
{
	return site->by_bytes && r->memory ? r->memory : p->memory;
}

static int full(const struct place_site *site, char why[GPU_WHY])
{
	snprintf(why, GPU_WHY, "%.40s: all its places have slices", site->name);
	return -ENOSPC;
}

/* The profile that wastes least, or why none. */
static int fit(const struct place_site *site, const struct gpu_request *r,
	       const struct gpu_profile **best, char why[GPU_WHY])
{
	char want[PARSE_SIZE_TEXT], left[PARSE_SIZE_TEXT];
	const struct gpu_profile *exhausted = NULL;
	bool named = false, counted = false;

	*best = NULL;
	for (size_t i = 0; i < site->profile_count; i++) {
		const struct gpu_profile *p = &site->profiles[i];
		counted |= p->available >= 0;
		if (!large_enough(site, p, r))
			continue;
		named = true;
		if (!p->available)
			exhausted = p;
		else if (!*best || p->memory < (*best)->memory)
			*best = p;
	}
	if (site->full)
		return full(site, why);
	if (site->by_bytes && r->memory > site->free && *best) {
		*best = NULL;
		snprintf(why, GPU_WHY, "%.40s: %s asked for, %s left of its memory", site->name,
			 format_size(r->memory, want), format_size(site->free, left));
		return -ENOSPC;
	}
	if (*best)
		return 0;
	if (exhausted) {
		snprintf(why, GPU_WHY, "%.40s: no more '%.40s'%s%.60s", site->name, exhausted->name,
			 exhausted->why_not[0] ? ": " : "", exhausted->why_not);
		return -ENOSPC;
	}
	/* A list without numbers is of what can be made just now. */
	if (!named && !counted && r->profile[0] && site->used_count) {
		snprintf(why, GPU_WHY, "%.40s: '%.40s' cannot be made beside its '%.40s'",
			 site->name, r->profile, site->used[0]);
		return -EXDEV;
	}
	snprintf(why, GPU_WHY, "%.40s: has no profile %s%.40s", site->name,
		 r->profile[0] ? "" : "so large", r->profile);
	return -ENOENT;
}

/* ---- among sites ---- */

static bool has_same(const struct place_site *site, const struct gpu_profile *p)
{
	for (size_t i = 0; i < site->used_count; i++)
		if (!strcmp(site->used[i], p->name))
			return true;
	return false;
}

/* Smaller is better; what is unknown about memory is counted in slices. */
struct score {
	int64_t first, second;
};

static int64_t left_over(const struct place_site *site, const struct gpu_profile *p,
			 const struct gpu_request *r)
{
	uint64_t size = size_of(site, p, r);

	if (!site->total)
		return p->available >= 0 ? p->available : INT32_MAX - (int64_t)site->slices;
	return (int64_t)(site->free > size ? site->free - size : 0);
}

static struct score score(const struct place_site *site, const struct gpu_profile *p,
			  const struct gpu_request *r, enum gpu_policy policy, int node)
{
	int64_t left = left_over(site, p, r);

	switch (policy) {
	case GPU_SPREAD:
		return (struct score){site->slices, -left};
	case GPU_NUMA:
		return (struct score){node >= 0 && site->node != node, left};
	case GPU_SAME_PROFILE:
		return (struct score){has_same(site, p) ? 0 : site->slices ? 2 : 1, left};
	case GPU_BINPACK:
	default:
		return (struct score){0, left};
	}
}

static bool better(struct score a, struct score b)
{
	return a.first < b.first || (a.first == b.first && a.second < b.second);
}

static void explain(const struct place_site *site, const struct gpu_profile *p,
		    enum gpu_policy policy, int node, size_t others, char why[GPU_WHY])
{
	static const char *const words[] = {"is fullest and has room", "has fewest slices",
					    "is near", "has slices of that profile"};
	const char *word = words[policy];

	if (policy == GPU_NUMA && site->node != node)
		word = "has room, though on another NUMA node";
	if (policy == GPU_SAME_PROFILE && !has_same(site, p))
		word = site->slices ? "has room, among other profiles" : "is empty";
	snprintf(why, GPU_WHY, "%s: %.60s %s%s", policy_names[policy], site->name, word,
		 others ? "" : " (the only one that could)");
}

int place_slice(const struct place_site *sites, size_t count, const struct gpu_request *request,
		enum gpu_policy policy, int node, struct place_choice *out)
{
	struct score best = {0};
	size_t fits = 0, used = 0;
	int err = -ENOENT;

	*out = (struct place_choice){0};
	for (size_t i = 0; i < count; i++) {
		const struct gpu_profile *p;
		char why[GPU_WHY];
		int bad = fit(&sites[i], request, &p, why);
		if (bad) {
			/* Room that comes again weighs more than what never was. */
			err = bad == -ENOSPC || (bad == -EXDEV && err == -ENOENT) ? bad : err;
			if (!out->profile && used < GPU_WHY)
				used += (size_t)snprintf(out->why + used, GPU_WHY - used, "%s%s",
							 used ? "; " : "", why);
			continue;
		}
		struct score s = score(&sites[i], p, request, policy, node);
		if (!fits++ || better(s, best)) {
			best = s;
			out->site = i;
			out->profile = p;
		}
	}
	if (!fits)
		return err;
	explain(&sites[out->site], out->profile, policy, node, fits - 1, out->why);
	return 0;
}

unsigned place_fragmented(uint64_t could, uint64_t largest)
{
	return largest >= could ? 0 : (unsigned)((could - largest) * 100 / could);
}
