/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_limit: how much a disk may do: requests and bytes per second.
 *
 * Two buckets of credit fill with time, up to a tenth of a second's worth. A request may begin
 * while neither is in debt, and is charged in full then, so that a big one is never too big to
 * begin and the ones after it wait for it. Times are nanoseconds of one clock; 0 is no limit.
 */
#ifndef VDEV_BLK_LIMIT_H
#define VDEV_BLK_LIMIT_H

#include <stdint.h>

struct vdev_blk_bucket {
	uint64_t rate; /* per second */
	double credit;
};

struct vdev_blk_limit {
	struct vdev_blk_bucket requests, bytes;
	uint64_t filled; /* when */
};

void vdev_blk_limit_init(struct vdev_blk_limit *limit, uint64_t iops, uint64_t bps, uint64_t now);
/* 0: a request may begin. Else the nanoseconds to wait. */
uint64_t vdev_blk_limit_wait(struct vdev_blk_limit *limit, uint64_t now);
void vdev_blk_limit_charge(struct vdev_blk_limit *limit, uint64_t bytes);

#endif
