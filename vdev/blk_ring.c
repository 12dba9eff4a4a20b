/* SPDX-License-Identifier: BSD-3-Clause */
/* blk_ring: see blk_ring.h. */
#include "vdev/blk_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/virtq.h"

#define DIRECT_ALIGN 512u
#define BOUNCE_ALIGN 4096u

struct vdev_blk_ring {
	struct io_uring uring;
	bool made;
	bool direct;
	int eventfd;
};

int vdev_blk_ring_create(const char *name, int fd, unsigned entries, struct vdev_blk_ring **out)
{
	struct vdev_blk_ring *ring = calloc(1, sizeof(*ring));
	int flags = fcntl(fd, F_GETFL);

	if (!ring)
		return log_fail(-ENOMEM, name, "no memory for its I/O");
	ring->direct = flags >= 0 && (flags & O_DIRECT);
	ring->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = ring->eventfd < 0 ? -errno : io_uring_queue_init(entries, &ring->uring, 0);
	ring->made = !err;
	if (!err)
		err = io_uring_register_eventfd(&ring->uring, ring->eventfd);
	if (!err)
		err = io_uring_register_files(&ring->uring, &fd, 1);
	if (err < 0) {
		vdev_blk_ring_destroy(ring);
		return log_fail(err, name, "no io_uring: %s%s", strerror(-err),
				err == -EPERM || err == -ENOSYS
					? "; see /proc/sys/kernel/io_uring_disabled"
					: "");
	}
	*out = ring;
	return 0;
}

void vdev_blk_ring_destroy(struct vdev_blk_ring *ring)
{
	if (!ring)
		return;
	if (ring->made)
		io_uring_queue_exit(&ring->uring);
	io_close(&ring->eventfd);
	free(ring);
}

int vdev_blk_ring_eventfd(const struct vdev_blk_ring *ring)
{
	return ring->eventfd;
}

/* ---- alignment ---- */

static bool aligned(const struct vdev_blk_io *io)
{
	for (unsigned i = 0; i < io->iovs; i++)
		if (!IS_ALIGNED((uintptr_t)io->iov[i].iov_base | io->iov[i].iov_len,
				(uintptr_t)DIRECT_ALIGN))
			return false;
	return true;
}

/* Without memory it is tried as it is, and the kernel's EINVAL is the answer. */
static void take_bounce(struct vdev_blk_io *io)
{
	if (posix_memalign(&io->bounce, BOUNCE_ALIGN, io->len)) {
		io->bounce = NULL;
		return;
	}
	io->bounce_iov = (struct iovec){io->bounce, io->len};
	if (io->op == VDEV_BLK_WRITE)
		vdev_iov_read(io->iov, io->iovs, 0, io->bounce, io->len);
}

static void give_bounce(struct vdev_blk_io *io, int err)
{
	if (!io->bounce)
		return;
	if (io->op == VDEV_BLK_READ && !err)
		vdev_iov_write(io->iov, io->iovs, 0, io->bounce, io->len);
	vdev_iov_skip(&io->iov, &io->iovs, io->done);
	free(io->bounce);
	io->bounce = NULL;
}

/* An operation that failed in its middle is what is left of it, so that it can be queued again. */
static void keep_rest(struct vdev_blk_io *io)
{
	io->offset += io->done;
	io->len -= io->done;
	io->done = 0;
}

/* ---- submitting ---- */

static void prepare_rw(struct io_uring_sqe *sqe, struct vdev_blk_io *io)
{
	const struct iovec *iov = io->bounce ? &io->bounce_iov : io->iov;
	unsigned n = io->bounce ? 1 : io->iovs;

	if (io->op == VDEV_BLK_READ)
		io_uring_prep_readv(sqe, 0, iov, n, io->offset + io->done);
	else
		io_uring_prep_writev2(sqe, 0, iov, n, io->offset + io->done,
				      io->durable ? RWF_DSYNC : 0);
}

/* Block devices know these too (block/fops.c in Linux). */
static int fallocate_mode(enum vdev_blk_op op)
{
	return FALLOC_FL_KEEP_SIZE |
	       (op == VDEV_BLK_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
}

/* Not io_uring_prep_fallocate: its offset and length are signed in liburing 2.3 and unsigned
 * in 2.9. */
static void prepare_fallocate(struct io_uring_sqe *sqe, const struct vdev_blk_io *io)
{
	io_uring_prep_rw(IORING_OP_FALLOCATE, sqe, 0, NULL, (unsigned)fallocate_mode(io->op),
			 io->offset);
	sqe->addr = io->len;
}

static void enqueue(struct vdev_blk_ring *ring, struct vdev_blk_io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	while (!sqe) { /* its queue is full of what was queued and not submitted */
		vdev_blk_ring_submit(ring);
		sqe = io_uring_get_sqe(&ring->uring);
	}
	switch (io->op) {
	case VDEV_BLK_READ:
	case VDEV_BLK_WRITE:
		prepare_rw(sqe, io);
		break;
	case VDEV_BLK_FLUSH:
		io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
		break;
	case VDEV_BLK_PUNCH:
	case VDEV_BLK_ZERO:
		prepare_fallocate(sqe, io);
		break;
	}
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, io);
}

void vdev_blk_ring_queue(struct vdev_blk_ring *ring, struct vdev_blk_io *io)
{
	io->done = 0;
	io->bounce = NULL;
	if (ring->direct && (io->op == VDEV_BLK_READ || io->op == VDEV_BLK_WRITE) && !aligned(io))
		take_bounce(io);
	enqueue(ring, io);
}

void vdev_blk_ring_submit(struct vdev_blk_ring *ring)
{
	int n;

	if (!io_uring_sq_ready(&ring->uring))
		return;
	do
		n = io_uring_submit(&ring->uring);
	while (n == -EINTR || n == -EAGAIN || n == -EBUSY);
}

/* ---- completing ---- */

/* True when the rest of it is under way again. */
static bool go_on(struct vdev_blk_ring *ring, struct vdev_blk_io *io, int *res)
{
	bool rw = io->op == VDEV_BLK_READ || io->op == VDEV_BLK_WRITE;

	if (*res == -EINTR || *res == -EAGAIN) {
		enqueue(ring, io);
		return true;
	}
	if (*res == -EOPNOTSUPP && io->op == VDEV_BLK_ZERO) { /* tmpfs, for one */
		io->op = VDEV_BLK_PUNCH;
		enqueue(ring, io);
		return true;
	}
	if (*res < 0 || !rw) {
		*res = MIN(*res, 0);
		return false;
	}
	uint64_t n = (uint64_t)*res;
	io->done += n;
	*res = n ? 0 : -EIO; /* behind the end of a file that has shrunk */
	if (!n || io->done >= io->len)
		return false;
	if (io->bounce) {
		io->bounce_iov.iov_base = (uint8_t *)io->bounce_iov.iov_base + n;
		io->bounce_iov.iov_len -= n;
	} else {
		vdev_iov_skip(&io->iov, &io->iovs, n);
	}
	enqueue(ring, io);
	return true;
}

unsigned vdev_blk_ring_reap(struct vdev_blk_ring *ring,
			    void (*fn)(void *opaque, struct vdev_blk_io *io, int err), void *opaque)
{
	struct io_uring_cqe *cqe;
	unsigned seen = 0;

	while (!io_uring_peek_cqe(&ring->uring, &cqe)) {
		struct vdev_blk_io *io = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		seen++;
		io_uring_cqe_seen(&ring->uring, cqe);
		if (go_on(ring, io, &res))
			continue;
		give_bounce(io, res);
		if (res < 0)
			keep_rest(io);
		fn(opaque, io, res);
	}
	vdev_blk_ring_submit(ring);
	return seen;
}

void vdev_blk_ring_wait(struct vdev_blk_ring *ring)
{
	struct io_uring_cqe *cqe;

	while (io_uring_wait_cqe(&ring->uring, &cqe) == -EINTR)
		;
}
