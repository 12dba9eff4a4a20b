/* SPDX-License-Identifier: BSD-3-Clause */
/* blk_limit: see blk_limit.h. */
#include "vdev/blk_limit.h"

#include "base/util.h"

#define SECOND	   1e9
#define BURST_PART 10 /* of a second */

void vdev_blk_limit_init(struct vdev_blk_limit *limit, uint64_t iops, uint64_t bps, uint64_t now)
{
	*limit = (struct vdev_blk_limit){.requests = {iops, 0}, .bytes = {bps, 0}, .filled = now};
}

static void fill(struct vdev_blk_bucket *bucket, uint64_t elapsed)
{
	double most = (double)bucket->rate / BURST_PART;
	double credit = bucket->credit + (double)elapsed * (double)bucket->rate / SECOND;

	bucket->credit = MIN(credit, most);
}

static uint64_t debt(const struct vdev_blk_bucket *bucket)
{
	if (!bucket->rate || bucket->credit >= 0)
		return 0;
	return (uint64_t)(-bucket->credit * SECOND / (double)bucket->rate) + 1;
}

uint64_t vdev_blk_limit_wait(struct vdev_blk_limit *limit, uint64_t now)
{
	fill(&limit->requests, now - limit->filled);
	fill(&limit->bytes, now - limit->filled);
	limit->filled = now;
	return MAX(debt(&limit->requests), debt(&limit->bytes));
}

void vdev_blk_limit_charge(struct vdev_blk_limit *limit, uint64_t bytes)
{
	limit->requests.credit -= 1;
	limit->bytes.credit -= (double)bytes;
}
