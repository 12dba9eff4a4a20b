/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_ring: asynchronous I/O on one raw file or block device, through io_uring.
 *
 * An operation is a struct of the caller's; it is queued, submitted with whatever else is queued,
 * and comes back through reap with its result, whole: transfers that the kernel cut short are
 * continued, and where the file was opened with O_DIRECT, memory that is not aligned for it goes
 * through a buffer of ours. One thread uses a ring. At most `entries` operations may be under way.
 */
#ifndef VDEV_BLK_RING_H
#define VDEV_BLK_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct vdev_blk_ring;

enum vdev_blk_op {
	VDEV_BLK_READ,
	VDEV_BLK_WRITE,
	VDEV_BLK_FLUSH,
	VDEV_BLK_PUNCH, /* deallocate: reads zeroes */
	VDEV_BLK_ZERO,	/* zeroes; stays allocated where the file system can */
};

struct vdev_blk_io {
	enum vdev_blk_op op;
	bool durable;	   /* WRITE: on the medium when it is done */
	struct iovec *iov; /* READ, WRITE; cut off at the front as it goes */
	unsigned iovs;
	uint64_t offset, len; /* after a failure: what is left of it, to be queued again */
	/* the ring's own */
	uint64_t done;
	void *bounce;
	struct iovec bounce_iov;
};

/* `fd` stays the caller's. */
int vdev_blk_ring_create(const char *name, int fd, unsigned entries, struct vdev_blk_ring **out);
/* With nothing under way; accepts NULL. */
void vdev_blk_ring_destroy(struct vdev_blk_ring *ring);

/* Readable when there is something to reap. */
int vdev_blk_ring_eventfd(const struct vdev_blk_ring *ring);
void vdev_blk_ring_queue(struct vdev_blk_ring *ring, struct vdev_blk_io *io);
void vdev_blk_ring_submit(struct vdev_blk_ring *ring);
/* fn may queue; what it queues is submitted. err: 0 or negative errno; -EIO also for the end of the
 * file within the operation. */
void vdev_blk_ring_reap(struct vdev_blk_ring *ring,
			void (*fn)(void *opaque, struct vdev_blk_io *io, int err), void *opaque);
/* Until there is something to reap. */
void vdev_blk_ring_wait(struct vdev_blk_ring *ring);

#endif
