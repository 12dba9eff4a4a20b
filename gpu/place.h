/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place: where a slice goes. Pure: what is there comes in, and which GPU and profile come out, so a
 * table tests it.
 */
#ifndef GPU_PLACE_H
#define GPU_PLACE_H

#include "gpu/gpu.h"

/* A GPU as the planner sees it. */
struct place_site {
	const char *name;
	int node; /* -1 unknown */
	enum gpu_mode mode;
	unsigned slices;
	uint64_t total, free;		    /* bytes; 0 total: unknown */
	bool by_bytes;			    /* memory= may be any number, within `free` */
	const struct gpu_profile *profiles; /* as they can be made now */
	size_t profile_count;
	const char *const *used; /* profiles of the slices there are */
	size_t used_count;
	bool full; /* no place for another slice */
};

struct place_choice {
	size_t site;
	const struct gpu_profile *profile;
	char why[GPU_WHY]; /* why there */
};

/* The smallest profile that satisfies the request on each site, then the site by policy:
 *
 *     binpack       the one that is fullest and still has room: large pieces stay whole
 *     spread        the one with fewest slices, then with most free
 *     numa          on node `node`, else binpack
 *     same-profile  one that has slices of the profile already, else an empty one, else binpack
 *
 * Equal ones by their order. -ENOSPC: none has room; -EXDEV: only its siblings keep it from being
 * made; -ENOENT: no site has such a profile. `why` of the choice then says so, site by site. */
int place_slice(const struct place_site *sites, size_t count, const struct gpu_request *request,
		enum gpu_policy policy, int node, struct place_choice *out);

/* How much less than it could be the largest slice is: percent of `could`, which is what is free,
 * but no more than the largest profile. */
unsigned place_fragmented(uint64_t could, uint64_t largest);

#endif
