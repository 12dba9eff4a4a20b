/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_blk: a disk (virtio 1.2, 5.2) on a raw file or a block device.
 *
 * Requests come from any number of queues and go through one I/O thread with one io_uring. There is
 * a fixed number of request structures: while none is free, or the disk's rate limit is used up,
 * requests simply stay in the guest's ring.
 *
 * A host without space is not the guest's fault, and a guest that is told of an I/O error damages
 * its file system. So a write that fails for lack of space is held and the user is told; it is
 * tried again after some seconds, when asked to (vdev_disk_retry), and when the VM resumes.
 */
#include "vdev/virtio_blk.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/blk_limit.h"
#include "vdev/blk_ring.h"
#include "vdev/virtio.h"

#define SECTOR	     512u
#define BLK_RING     256u /* slots of a queue */
#define BLK_REQUESTS 256u /* under way, of all queues together */
#define BLK_SEGMENTS 126u
#define BLK_IOVS     VDEV_VIRTQ_IOVS(BLK_SEGMENTS + 2)
#define ZEROES_MAX   (1u << 22) /* sectors in one discard or write-zeroes: 2 GiB */
#define RETRY_MS     5000u
#define POLL_MIN_NS  4000u
#define POLL_MAX_NS  100000u
#define RUN_MAX_NS   2000000u

struct request {
	struct vdev_blk_io io;
	struct request *next; /* free or held */
	unsigned queue;
	struct vdev_virtq_chain chain;
	uint8_t *status;
	uint64_t bytes;	   /* of data */
	uint64_t in_bytes; /* that a success has written, without the status */
	struct iovec iov[BLK_IOVS];
};

struct counters {
	atomic_uint_fast64_t reads, writes, flushes, discards, read_bytes, write_bytes, errors;
	atomic_uint in_flight, held;
};

struct blk {
	struct vdev_virtio virtio;
	char *name;
	char serial[VIRTIO_BLK_ID_BYTES + 1];
	int fd;
	bool read_only;
	uint64_t size;
	struct virtio_blk_config config;
	struct vdev_iothread *thread;
	struct counters count;

	/* the I/O thread's */
	struct vdev_blk_ring *ring;
	struct loop_source *completed, *pause, *retry;
	struct vdev_blk_limit limit;
	struct request *requests, *free, *held;
	bool writeback;	 /* a write is done when the host's cache has it */
	bool told_space; /* said so; nothing came back since */
	bool starved[VDEV_VIRTIO_QUEUES];
	bool live;	      /* between start and stop: only then rings are looked at */
	uint64_t slept, poll; /* when it last began to wait for events; how long it looks before */
};

static struct blk *blk_of(struct vdev_virtio *dev)
{
	return container_of(dev, struct blk, virtio);
}

static void add(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- answering ---- */

static void put_free(struct blk *blk, struct request *r)
{
	r->next = blk->free;
	blk->free = r;
}

static void answer(struct blk *blk, struct request *r, uint8_t status)
{
	uint64_t written = 1 + (status == VIRTIO_BLK_S_OK ? r->in_bytes : 0);

	if (status != VIRTIO_BLK_S_OK)
		add(&blk->count.errors, 1);
	*r->status = status;
	vdev_virtq_push(&blk->virtio.queue[r->queue].vq, &r->chain, (uint32_t)written);
	put_free(blk, r);
}

static void count_done(struct blk *blk, const struct request *r)
{
	switch (r->io.op) {
	case VDEV_BLK_READ:
		add(&blk->count.reads, 1);
		add(&blk->count.read_bytes, r->bytes);
		break;
	case VDEV_BLK_WRITE:
		add(&blk->count.writes, 1);
		add(&blk->count.write_bytes, r->bytes);
		break;
	case VDEV_BLK_FLUSH:
		add(&blk->count.flushes, 1);
		break;
	case VDEV_BLK_PUNCH:
	case VDEV_BLK_ZERO:
		add(&blk->count.discards, 1);
		break;
	}
}

/* ---- no space on the host ---- */

static void start_io(struct blk *blk, struct request *r)
{
	atomic_fetch_add_explicit(&blk->count.in_flight, 1, memory_order_relaxed);
	vdev_blk_ring_queue(blk->ring, &r->io);
}

static void retry_held(struct blk *blk)
{
	struct request *r = blk->held;

	loop_remove(blk->retry);
	blk->retry = NULL;
	blk->held = NULL;
	atomic_store(&blk->count.held, 0);
	while (r) {
		struct request *next = r->next;

		start_io(blk, r);
		r = next;
	}
	vdev_blk_ring_submit(blk->ring);
}

static void retry_timer(void *opaque, uint32_t events)
{
	struct blk *blk = opaque;

	(void)events;
	blk->retry = NULL; /* it removed itself */
	retry_held(blk);
}

/* Who watches the VM hears of it. */
static void tell(const struct blk *blk, int err)
{
	const struct hv_event event = {
		.what = "io-error", .device = blk->name, .text = strerror(-err)};

	hv_vm_event(blk->virtio.vm, &event);
}

static void hold(struct blk *blk, struct request *r, int err)
{
	r->next = blk->held;
	blk->held = r;
	atomic_fetch_add(&blk->count.held, 1);
	if (!blk->told_space)
		log_error(blk->name,
			  "stopped: the host cannot store what the guest writes: %s; make room, "
			  "then sluice vm resume %s (tried again every %u s)",
			  strerror(-err), hv_vm_name(blk->virtio.vm), RETRY_MS / 1000);
	if (!blk->told_space)
		tell(blk, err);
	blk->told_space = true;
	/* Without a timer it waits for the user. */
	if (!blk->retry && loop_timer(vdev_iothread_loop(blk->thread), RETRY_MS, retry_timer, blk,
				      &blk->retry) < 0)
		blk->retry = NULL;
}

static void drop_held(struct blk *blk, unsigned queue, bool all)
{
	struct request **at = &blk->held;

	while (*at) {
		struct request *r = *at;

		if (!all && r->queue != queue) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		put_free(blk, r);
		atomic_fetch_sub(&blk->count.held, 1);
	}
}

/* ---- completion ---- */

static uint8_t status_of(int err)
{
	return !err		    ? VIRTIO_BLK_S_OK
	       : err == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP
				    : VIRTIO_BLK_S_IOERR;
}

static void finished(void *opaque, struct vdev_blk_io *io, int err)
{
	struct blk *blk = opaque;
	struct request *r = container_of(io, struct request, io);

	atomic_fetch_sub_explicit(&blk->count.in_flight, 1, memory_order_relaxed);
	if ((err == -ENOSPC || err == -EDQUOT) && io->op != VDEV_BLK_READ) {
		hold(blk, r, err);
		return;
	}
	if (!err)
		count_done(blk, r);
	else if (err != -EOPNOTSUPP)
		tell(blk, err);
	if (!err && blk->told_space && !blk->held && io->op == VDEV_BLK_WRITE) {
		log_warn(blk->name, "goes on: the host has space again");
		blk->told_space = false;
	}
	answer(blk, r, status_of(err));
}

static void notify_all(struct blk *blk)
{
	for (unsigned i = 0; i < blk->virtio.queues; i++)
		if (blk->virtio.queue[i].enabled)
			vdev_virtq_notify(&blk->virtio.queue[i].vq);
}

/* ---- requests ---- */

/* Bytes of data; the header and the status cut off. False when one of them is missing. */
static bool split(struct request *r, struct virtio_blk_outhdr *header)
{
	struct vdev_virtq_chain *c = &r->chain;

	if (vdev_iov_read(c->out, c->outs, 0, header, sizeof(*header)) != sizeof(*header) ||
	    !c->in_len)
		return false;
	vdev_iov_skip(&c->out, &c->outs, sizeof(*header));
	struct iovec *last = &c->in[c->ins - 1];
	r->status = (uint8_t *)last->iov_base + --last->iov_len;
	c->ins -= !last->iov_len;
	return true;
}

static bool in_range(const struct blk *blk, uint64_t sector, uint64_t len)
{
	return sector <= blk->size / SECTOR && len <= blk->size - sector * SECTOR &&
	       len % SECTOR == 0;
}

static int prepare_rw(struct blk *blk, struct request *r, bool write, uint64_t sector)
{
	struct vdev_virtq_chain *c = &r->chain;
	uint64_t len = write ? c->out_len - sizeof(struct virtio_blk_outhdr) : c->in_len - 1;

	if (!len || !in_range(blk, sector, len) || (write && blk->read_only))
		return -EIO;
	r->io = (struct vdev_blk_io){
		.op = write ? VDEV_BLK_WRITE : VDEV_BLK_READ,
		.durable = !blk->writeback,
		.iov = write ? c->out : c->in,
		.iovs = write ? c->outs : c->ins,
		.offset = sector * SECTOR,
		.len = len,
	};
	r->bytes = len;
	r->in_bytes = write ? 0 : len;
	return 0;
}

/* 5.2.6: one segment, as max_discard_seg and max_write_zeroes_seg say. */
static int prepare_range(struct blk *blk, struct request *r, bool zero)
{
	struct virtio_blk_discard_write_zeroes range;
	struct vdev_virtq_chain *c = &r->chain;

	if (c->out_len != sizeof(struct virtio_blk_outhdr) + sizeof(range) ||
	    vdev_iov_read(c->out, c->outs, 0, &range, sizeof(range)) != sizeof(range))
		return -EIO;
	uint64_t len = (uint64_t)range.num_sectors * SECTOR;
	uint32_t flags = zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;

	if (range.flags & ~flags)
		return -EOPNOTSUPP;
	if (!len || range.num_sectors > ZEROES_MAX || !in_range(blk, range.sector, len) ||
	    blk->read_only)
		return -EIO;
	r->io = (struct vdev_blk_io){
		.op = zero && !range.flags ? VDEV_BLK_ZERO : VDEV_BLK_PUNCH,
		.offset = range.sector * SECTOR,
		.len = len,
	};
	return 0;
}

/* The serial number is text of up to 20 bytes, without an end when it has all of them. */
static int answer_id(struct blk *blk, struct request *r)
{
	struct vdev_virtq_chain *c = &r->chain;

	if (c->in_len < VIRTIO_BLK_ID_BYTES + 1)
		return -EIO;
	vdev_iov_write(c->in, c->ins, 0, blk->serial, VIRTIO_BLK_ID_BYTES);
	r->in_bytes = VIRTIO_BLK_ID_BYTES;
	answer(blk, r, VIRTIO_BLK_S_OK);
	return 1;
}

/* 0: to be done by the ring; 1: answered; negative: refused. */
static int prepare(struct blk *blk, struct request *r, const struct virtio_blk_outhdr *header)
{
	r->bytes = r->in_bytes = 0;
	switch (header->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return prepare_rw(blk, r, header->type == VIRTIO_BLK_T_OUT, header->sector);
	case VIRTIO_BLK_T_FLUSH:
		r->io = (struct vdev_blk_io){.op = VDEV_BLK_FLUSH};
		return 0;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return prepare_range(blk, r, header->type == VIRTIO_BLK_T_WRITE_ZEROES);
	case VIRTIO_BLK_T_GET_ID:
		return answer_id(blk, r);
	default:
		return -EOPNOTSUPP;
	}
}

static int take_one(struct blk *blk, unsigned queue)
{
	struct vdev_virtq *q = &blk->virtio.queue[queue].vq;
	struct request *r = blk->free;
	struct virtio_blk_outhdr header;
	int rc = vdev_virtq_pop(q, r->iov, BLK_IOVS, &r->chain);

	if (rc <= 0)
		return rc;
	blk->free = r->next;
	r->queue = queue;
	if (!split(r, &header)) {
		put_free(blk, r);
		vdev_virtq_break(q, "a request without header or status");
		return -EIO;
	}
	rc = prepare(blk, r, &header);
	vdev_blk_limit_charge(&blk->limit, r->bytes);
	if (rc < 0)
		answer(blk, r, status_of(rc));
	else if (!rc)
		start_io(blk, r);
	return 1;
}

static void run(struct blk *blk);

static void pause_over(void *opaque, uint32_t events)
{
	struct blk *blk = opaque;

	(void)events;
	blk->pause = NULL; /* it removed itself */
	run(blk);
}

/* True when a request may begin now; else something will call run. */
static bool may_begin(struct blk *blk)
{
	uint64_t wait = vdev_blk_limit_wait(&blk->limit, now_ns());

	if (!blk->free)
		return false; /* the next completion calls */
	if (wait && !blk->pause &&
	    loop_timer(vdev_iothread_loop(blk->thread), (unsigned)(wait / 1000000) + 1, pause_over,
		       blk, &blk->pause) < 0)
		return true; /* without a timer there is no limit, rather than no disk */
	return !wait;
}

/* Every enabled queue until it is empty, or nothing may begin. Returns how many were taken. */
static unsigned take_all(struct blk *blk)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < blk->virtio.queues; i++) {
		struct vdev_virtio_queue *queue = &blk->virtio.queue[i];

		blk->starved[i] = false;
		if (!queue->enabled)
			continue;
		vdev_virtq_kick_off(&queue->vq);
		while (vdev_virtq_pending(&queue->vq) && !blk->starved[i]) {
			if (!may_begin(blk))
				blk->starved[i] = true;
			else if (take_one(blk, i) > 0)
				taken++;
		}
	}
	return taken;
}

/* Asks for kicks again where one would help; true when something came too early for one. */
static bool kicks_on(struct blk *blk)
{
	bool more = false;

	for (unsigned i = 0; i < blk->virtio.queues; i++)
		if (blk->virtio.queue[i].enabled && !blk->starved[i])
			more |= vdev_virtq_kick_on(&blk->virtio.queue[i].vq);
	return more;
}

/* A kick costs the guest an exit and us a wake-up. Where the last pause was a short one, the next
 * work is waited for by looking, as long as that pause; where it was not, less and less. */
static void learn(struct blk *blk, uint64_t now)
{
	if (now - blk->slept < POLL_MAX_NS)
		blk->poll = MIN(MAX(2 * blk->poll, POLL_MIN_NS), POLL_MAX_NS);
	else
		blk->poll /= 2;
	if (blk->poll < POLL_MIN_NS)
		blk->poll = 0;
}

/* The data path: takes, submits, answers, until nothing comes for a while. It leaves its thread to
 * others now and then, with a kick to itself. */
static void run(struct blk *blk)
{
	uint64_t begin = now_ns(), busy = begin, now;

	if (!blk->live) /* an event of the time before the stop */
		return;
	learn(blk, begin);
	do {
		do {
			unsigned done = take_all(blk);

			vdev_blk_ring_submit(blk->ring);
			done += vdev_blk_ring_reap(blk->ring, finished, blk);
			notify_all(blk);
			now = now_ns();
			busy = done ? now : busy;
			if (now - begin > RUN_MAX_NS) {
				vdev_virtio_kick_self(&blk->virtio, 0);
				blk->slept = now;
				return;
			}
		} while (now - busy < blk->poll);
	} while (kicks_on(blk));
	blk->slept = now;
}

static void blk_kick(struct vdev_virtio *dev, unsigned queue)
{
	(void)queue; /* all of them are looked at */
	run(blk_of(dev));
}

static void on_completed(void *opaque, uint32_t events)
{
	struct blk *blk = opaque;
	uint64_t count;

	(void)events;
	ssize_t n = read(vdev_blk_ring_eventfd(blk->ring), &count, sizeof(count));
	(void)n; /* the ring tells, not the count */
	run(blk);
}

/* ---- start, stop, reset ---- */

/* 5.2.5.2, 5.2.6.2: a driver without flushes gets writes that last. */
static bool wants_writeback(const struct vdev_virtio *dev, const struct blk *blk)
{
	if (vdev_virtio_has(dev, VIRTIO_BLK_F_CONFIG_WCE))
		return blk->config.wce;
	return vdev_virtio_has(dev, VIRTIO_BLK_F_FLUSH);
}

static void start_here(void *opaque)
{
	struct blk *blk = opaque;

	blk->writeback = wants_writeback(&blk->virtio, blk);
	memset(blk->starved, 0, sizeof(blk->starved));
	blk->live = true;
	retry_held(blk);
}

static int blk_start(struct vdev_virtio *dev)
{
	vdev_iothread_call(blk_of(dev)->thread, start_here, blk_of(dev));
	return 0;
}

/* Everything that the kernel has comes back before this returns. */
static void stop_here(void *opaque)
{
	struct blk *blk = opaque;

	blk->live = false;
	loop_remove(blk->pause);
	loop_remove(blk->retry);
	blk->pause = NULL;
	while (atomic_load(&blk->count.in_flight)) {
		vdev_blk_ring_wait(blk->ring);
		vdev_blk_ring_reap(blk->ring, finished, blk);
	}
	loop_remove(blk->retry); /* that `finished` may have set */
	blk->retry = NULL;
	notify_all(blk);
}

static void blk_stop(struct vdev_virtio *dev)
{
	vdev_iothread_call(blk_of(dev)->thread, stop_here, blk_of(dev));
}

static void blk_reset(struct vdev_virtio *dev)
{
	struct blk *blk = blk_of(dev);

	drop_held(blk, 0, true);
	blk->config.wce = 1;
}

static void blk_queue_reset(struct vdev_virtio *dev, unsigned queue)
{
	drop_held(blk_of(dev), queue, false);
}

/* ---- configuration ---- */

static void blk_config_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	memcpy(data, (const uint8_t *)&blk_of(dev)->config + offset, len);
}

static void set_writeback(void *opaque)
{
	struct blk *blk = opaque;

	blk->writeback = wants_writeback(&blk->virtio, blk);
}

static void blk_config_write(struct vdev_virtio *dev, unsigned offset, const void *data,
			     unsigned len)
{
	struct blk *blk = blk_of(dev);

	if (offset != offsetof(struct virtio_blk_config, wce) || len != 1 ||
	    !vdev_virtio_has(dev, VIRTIO_BLK_F_CONFIG_WCE))
		return;
	blk->config.wce = *(const uint8_t *)data & 1;
	vdev_iothread_call(blk->thread, set_writeback, blk);
}

static const char *blk_unsavable(const struct vdev_virtio *dev)
{
	const struct blk *blk = container_of(dev, const struct blk, virtio);

	return atomic_load(&blk->count.held) ? "requests wait for space on the host" : NULL;
}

static void blk_save(struct vdev_virtio *dev, struct state *s)
{
	const struct blk *blk = blk_of(dev);

	state_put(s, "size", blk->size);
	state_put(s, "wce", blk->config.wce);
}

static void blk_load(struct vdev_virtio *dev, struct state *s)
{
	struct blk *blk = blk_of(dev);
	uint64_t size = state_take(s, "size", UINT64_MAX);

	blk->config.wce = (uint8_t)state_take(s, "wce", 1);
	if (!state_error(s) && size != blk->size)
		state_refuse(s, -EINVAL, "the disk has another size than the saved one");
}

/* ---- life ---- */

static void blk_free(struct blk *blk)
{
	vdev_iothread_destroy(blk->thread);
	vdev_blk_ring_destroy(blk->ring);
	io_close(&blk->fd);
	free(blk->requests);
	free(blk->name);
	free(blk);
}

static void unlisten(void *opaque)
{
	struct blk *blk = opaque;

	loop_remove(blk->completed);
}

static void blk_destroy(struct vdev_virtio *dev)
{
	struct blk *blk = blk_of(dev);

	vdev_iothread_call(blk->thread, unlisten, blk);
	vdev_virtio_finish(dev);
	blk_free(blk);
}

static const struct vdev_virtio_type blk_type = {
	.name = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.class = 0x010000,
	.config_size = sizeof(struct virtio_blk_config),
	.config_read = blk_config_read,
	.config_write = blk_config_write,
	.start = blk_start,
	.stop = blk_stop,
	.kick = blk_kick,
	.reset = blk_reset,
	.queue_reset = blk_queue_reset,
	.unsavable = blk_unsavable,
	.save = blk_save,
	.load = blk_load,
	.destroy = blk_destroy,
};

/* Size and the units in which the host likes to be accessed. */
static int measure(struct blk *blk)
{
	struct stat st;
	unsigned logical = SECTOR, physical, best = 0;

	if (fstat(blk->fd, &st) < 0)
		return log_fail(-errno, blk->name, "not examined: %s", strerror(errno));
	blk->size = (uint64_t)st.st_size;
	physical = (unsigned)st.st_blksize;
	if (S_ISBLK(st.st_mode) &&
	    (ioctl(blk->fd, BLKGETSIZE64, &blk->size) < 0 ||
	     ioctl(blk->fd, BLKSSZGET, &logical) < 0 || ioctl(blk->fd, BLKPBSZGET, &physical) < 0 ||
	     ioctl(blk->fd, BLKIOOPT, &best) < 0))
		return log_fail(-errno, blk->name, "not examined: %s", strerror(errno));
	if (!blk->size || blk->size % SECTOR)
		return log_fail(-EINVAL, blk->name, "its size, %llu bytes, is no multiple of %u",
				(unsigned long long)blk->size, SECTOR);
	blk->config.blk_size = logical;
	for (blk->config.physical_block_exp = 0;
	     logical << blk->config.physical_block_exp < MIN(physical, 1u << 20);)
		blk->config.physical_block_exp++;
	blk->config.min_io_size = 1;
	blk->config.opt_io_size = best / logical;
	return 0;
}

static uint64_t describe(struct blk *blk, unsigned queues)
{
	struct virtio_blk_config *c = &blk->config;
	uint64_t features = VDEV_FEATURE(VIRTIO_BLK_F_SEG_MAX) |
			    VDEV_FEATURE(VIRTIO_BLK_F_BLK_SIZE) |
			    VDEV_FEATURE(VIRTIO_BLK_F_TOPOLOGY) | VDEV_FEATURE(VIRTIO_BLK_F_FLUSH) |
			    VDEV_FEATURE(VIRTIO_BLK_F_CONFIG_WCE) | VDEV_FEATURE(VIRTIO_BLK_F_MQ);

	c->capacity = blk->size / SECTOR;
	c->seg_max = BLK_SEGMENTS;
	c->wce = 1;
	c->num_queues = (uint16_t)queues;
	if (blk->read_only)
		return features | VDEV_FEATURE(VIRTIO_BLK_F_RO);
	c->max_discard_sectors = c->max_write_zeroes_sectors = ZEROES_MAX;
	c->max_discard_seg = c->max_write_zeroes_seg = 1;
	c->discard_sector_alignment = c->blk_size / SECTOR << c->physical_block_exp;
	c->write_zeroes_may_unmap = 1;
	return features | VDEV_FEATURE(VIRTIO_BLK_F_DISCARD) |
	       VDEV_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
}

static void listen_here(void *opaque)
{
	struct blk *blk = opaque;

	if (loop_add(vdev_iothread_loop(blk->thread), vdev_blk_ring_eventfd(blk->ring), EPOLLIN,
		     on_completed, blk, &blk->completed) < 0)
		blk->completed = NULL;
}

static int set_up(struct blk *blk, struct hv_vm *vm, const struct vdev_disk_config *config)
{
	char thread[16];
	int err = measure(blk);

	if (!err)
		err = vdev_blk_ring_create(blk->name, blk->fd, BLK_REQUESTS, &blk->ring);
	snprintf(thread, sizeof(thread), "%.8s/disk", hv_vm_name(vm));
	if (!err)
		err = vdev_iothread_create(vm, thread, &blk->thread);
	if (err < 0)
		return err;
	vdev_blk_limit_init(&blk->limit, config->iops, config->bps, now_ns());
	blk->requests = calloc(BLK_REQUESTS, sizeof(*blk->requests));
	if (!blk->requests)
		return log_fail(-ENOMEM, blk->name, "no memory for its requests");
	for (unsigned i = BLK_REQUESTS; i-- > 0;)
		put_free(blk, &blk->requests[i]);
	vdev_iothread_call(blk->thread, listen_here, blk);
	return blk->completed ? 0 : log_fail(-ENOMEM, blk->name, "its thread cannot listen");
}

static int attach(struct blk *blk, struct hv_vm *vm, struct loop *loop, unsigned queues)
{
	const struct vdev_virtio_config config = {
		.type = &blk_type,
		.vm = vm,
		.loop = loop,
		.name = blk->name,
		.features = describe(blk, queues),
		.queues = queues,
		.queue_max = BLK_RING,
		.thread = blk->thread,
	};
	int err = vdev_virtio_init(&blk->virtio, &config);

	if (err < 0)
		vdev_iothread_call(blk->thread, unlisten, blk);
	return err;
}

int vdev_blk_create(struct hv_vm *vm, struct loop *loop, const struct vdev_disk_config *config,
		    struct vdev_function **out)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	unsigned queues = MIN(MAX(config->queues, 1u), VDEV_VIRTIO_QUEUES);
	int fd = config->fd;

	if (blk)
		blk->name = strdup(config->name);
	if (!blk || !blk->name) {
		free(blk);
		io_close(&fd);
		return log_fail(-ENOMEM, config->name, "no memory for it");
	}
	blk->fd = fd;
	blk->read_only = config->read_only;
	snprintf(blk->serial, sizeof(blk->serial), "%s", config->serial ? config->serial : "");
	int err = set_up(blk, vm, config);
	if (!err)
		err = attach(blk, vm, loop, queues);
	if (err < 0) {
		blk_free(blk);
		return err;
	}
	*out = &blk->virtio.fn;
	return 0;
}

/* ---- what the user sees ---- */

static struct blk *find(struct vdev_function *fn)
{
	struct vdev_virtio *dev = vdev_virtio_of(fn);

	return dev && dev->type == &blk_type ? blk_of(dev) : NULL;
}

bool vdev_blk_stat(struct vdev_function *fn, struct vdev_disk_stat *out)
{
	struct blk *blk = find(fn);

	if (!blk)
		return false;
	struct counters *c = &blk->count;
	*out = (struct vdev_disk_stat){
		.name = blk->name,
		.serial = blk->serial,
		.size = blk->size,
		.queues = blk->virtio.queues,
		.read_only = blk->read_only,
		.running = blk->virtio.running,
		.reads = atomic_load(&c->reads),
		.writes = atomic_load(&c->writes),
		.flushes = atomic_load(&c->flushes),
		.discards = atomic_load(&c->discards),
		.read_bytes = atomic_load(&c->read_bytes),
		.write_bytes = atomic_load(&c->write_bytes),
		.errors = atomic_load(&c->errors),
		.in_flight = atomic_load(&c->in_flight),
		.held = atomic_load(&c->held),
		.guest_bus = vdev_bridge_secondary(fn->bridge),
	};
	for (unsigned i = 0; i < blk->virtio.queues; i++) {
		out->kicks += atomic_load(&blk->virtio.queue[i].vq.stat.kicks);
		out->interrupts += atomic_load(&blk->virtio.queue[i].vq.stat.interrupts);
	}
	return true;
}

static void retry_here(void *opaque)
{
	retry_held(opaque);
}

void vdev_blk_retry(struct vdev_function *fn)
{
	struct blk *blk = find(fn);

	if (blk && blk->virtio.running)
		vdev_iothread_call(blk->thread, retry_here, blk);
}
