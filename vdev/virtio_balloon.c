/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_balloon: guest memory given back to the host (virtio 1.2, 5.5).
 *
 * Two ways. The balloon: the host asks for so many pages (num_pages), the driver takes them from
 * its own system, hands their numbers over on the inflate queue and asks for them back on the
 * deflate queue. Free page reporting: without being asked, the driver shows blocks that lie idle,
 * and waits with using them until it has them back. In both cases the pages are discarded; what is
 * touched again simply comes back, so that deflating needs no work of ours.
 *
 * The queue for free page hints is there and never used (its command number stays "stop"): without
 * it drivers do not agree on which number the reporting queue has. Page poisoning is not offered: a
 * driver that needs its pages back with their content keeps reporting off by itself.
 */
#include "vdev/virtio_balloon.h"

#include <errno.h>
#include <linux/virtio_balloon.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

#define QUEUE_SIZE 128u
#define IOVS	   VDEV_VIRTQ_IOVS(QUEUE_SIZE)
#define PFNS	   256u /* taken at a time */
#define PAGE	   (UINT64_C(1) << VIRTIO_BALLOON_PFN_SHIFT)

enum { INFLATE, DEFLATE, STATS, HINT, REPORT, QUEUES };

#define FEATURES                                                                                   \
	(VDEV_FEATURE(VIRTIO_BALLOON_F_STATS_VQ) | VDEV_FEATURE(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | \
	 VDEV_FEATURE(VIRTIO_BALLOON_F_FREE_PAGE_HINT) | VDEV_FEATURE(VIRTIO_BALLOON_F_REPORTING))

_Static_assert(sizeof(struct virtio_balloon_config) == 16, "virtio 1.2, 5.5.4");
_Static_assert(sizeof(struct virtio_balloon_stat) == 10, "virtio 1.2, 5.5.6.3");

struct vdev_balloon {
	struct vdev_virtio virtio;
	struct vdev_iothread *thread;
	uint32_t wanted, actual;		 /* pages; device lock */
	atomic_uint_fast64_t inflated, reported; /* bytes, ever */
	/* the driver's numbers, and the buffer that goes back to it when they are to be fresh */
	atomic_uint_fast64_t number[VIRTIO_BALLOON_S_NR];
	atomic_bool numbers;
	bool holding;
	struct vdev_virtq_chain held;
	struct iovec iov[IOVS];
};

static struct vdev_balloon *balloon_of(struct vdev_virtio *dev)
{
	return container_of(dev, struct vdev_balloon, virtio);
}

/* ---- pages ---- */

/* Pages with numbers that follow each other go at once. What is no RAM is ignored: a driver cannot
 * give away what it does not have. */
static void discard_run(struct vdev_balloon *b, uint64_t first, uint64_t pages)
{
	void *hva = hv_mem_ptr(b->virtio.vm, first * PAGE, pages * PAGE);

	if (hva && !hv_mem_discard(b->virtio.vm, hva, pages * PAGE))
		atomic_fetch_add_explicit(&b->inflated, pages * PAGE, memory_order_relaxed);
}

static void inflate(struct vdev_balloon *b, const struct vdev_virtq_chain *c)
{
	uint64_t first = 0, pages = 0;
	uint32_t pfn[PFNS];
	size_t at = 0, len;

	do {
		len = vdev_iov_read(c->out, c->outs, at, pfn, sizeof(pfn));
		for (size_t i = 0; i < len / sizeof(pfn[0]); i++) {
			/* Linux hands pages out from the top or from the bottom. */
			bool after = pages && pfn[i] == first + pages;
			bool before = pages && pfn[i] + UINT64_C(1) == first;

			if (!after && !before && pages)
				discard_run(b, first, pages);
			first = after ? first : pfn[i];
			pages = after || before ? pages + 1 : 1;
		}
		at += len;
	} while (len == sizeof(pfn));
	if (pages)
		discard_run(b, first, pages);
}

/* Idle blocks are the parts of the chain themselves (5.5.6.7). */
static void report(struct vdev_balloon *b, const struct vdev_virtq_chain *c)
{
	for (unsigned i = 0; i < c->ins; i++)
		if (!hv_mem_discard(b->virtio.vm, c->in[i].iov_base, c->in[i].iov_len))
			atomic_fetch_add_explicit(&b->reported, c->in[i].iov_len,
						  memory_order_relaxed);
}

/* ---- statistics: 5.5.6.3 ---- */

static void take_numbers(struct vdev_balloon *b, const struct vdev_virtq_chain *c)
{
	struct virtio_balloon_stat stat;

	/* More of them than there are tags say nothing new. */
	for (unsigned i = 0; i < 2 * VIRTIO_BALLOON_S_NR; i++) {
		if (vdev_iov_read(c->out, c->outs, i * sizeof(stat), &stat, sizeof(stat)) !=
		    sizeof(stat))
			break;
		if (stat.tag < VIRTIO_BALLOON_S_NR)
			atomic_store(&b->number[stat.tag], stat.val);
	}
	atomic_store(&b->numbers, true);
}

/* The driver hands over one buffer and gets it back when it shall fill it anew. */
static void serve_stats(struct vdev_balloon *b, struct vdev_virtq *q)
{
	while (!b->holding && vdev_virtq_pop(q, b->iov, IOVS, &b->held) > 0) {
		take_numbers(b, &b->held);
		b->holding = true;
	}
}

static void refresh(void *opaque)
{
	struct vdev_balloon *b = opaque;
	struct vdev_virtq *q = &b->virtio.queue[STATS].vq;

	if (!b->holding)
		return;
	b->holding = false;
	vdev_virtq_push(q, &b->held, 0);
	vdev_virtq_notify(q);
}

/* ---- the device, as virtio.c sees it ---- */

static void serve(struct vdev_balloon *b, unsigned index, struct vdev_virtq *q)
{
	struct vdev_virtq_chain c;
	struct iovec iov[IOVS];

	do {
		vdev_virtq_kick_off(q);
		while (vdev_virtq_pop(q, iov, IOVS, &c) > 0) {
			if (index == INFLATE)
				inflate(b, &c);
			else if (index == REPORT)
				report(b, &c);
			vdev_virtq_push(q, &c, 0);
		}
		vdev_virtq_notify(q);
	} while (vdev_virtq_kick_on(q));
}

static void kick(struct vdev_virtio *dev, unsigned queue)
{
	if (queue == STATS)
		serve_stats(balloon_of(dev), &dev->queue[queue].vq);
	else
		serve(balloon_of(dev), queue, &dev->queue[queue].vq);
}

static void config_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	const struct vdev_balloon *b = balloon_of(dev);
	struct virtio_balloon_config config = {.num_pages = b->wanted, .actual = b->actual};

	memcpy(data, (const uint8_t *)&config + offset, len);
}

static void config_write(struct vdev_virtio *dev, unsigned offset, const void *data, unsigned len)
{
	struct vdev_balloon *b = balloon_of(dev);

	if (offset == offsetof(struct virtio_balloon_config, actual) && len == sizeof(b->actual))
		memcpy(&b->actual, data, sizeof(b->actual));
}

static void stop(struct vdev_virtio *dev)
{
	struct vdev_balloon *b = balloon_of(dev);

	/* Nobody else is at the queue now: the buffer is found again by the next start. */
	if (b->holding)
		vdev_virtq_unpop(&dev->queue[STATS].vq, &b->held);
	b->holding = false;
}

static void reset(struct vdev_virtio *dev)
{
	struct vdev_balloon *b = balloon_of(dev);

	b->actual = 0; /* a driver that begins anew has all its pages */
	atomic_store(&b->numbers, false);
}

static void save(struct vdev_virtio *dev, struct state *s)
{
	const struct vdev_balloon *b = balloon_of(dev);

	state_put(s, "wanted", b->wanted);
	state_put(s, "actual", b->actual);
}

static void load(struct vdev_virtio *dev, struct state *s)
{
	struct vdev_balloon *b = balloon_of(dev);

	b->wanted = (uint32_t)state_take(s, "wanted", UINT32_MAX);
	b->actual = (uint32_t)state_take(s, "actual", UINT32_MAX);
}

static void destroy(struct vdev_virtio *dev)
{
	vdev_balloon_destroy(balloon_of(dev));
}

static const struct vdev_virtio_type balloon_type = {
	.name = "virtio-balloon",
	.id = VIRTIO_ID_BALLOON,
	.class = 0x00ff00,
	.config_size = sizeof(struct virtio_balloon_config),
	.config_read = config_read,
	.config_write = config_write,
	.stop = stop,
	.kick = kick,
	.reset = reset,
	.save = save,
	.load = load,
	.destroy = destroy,
};

/* ---- its life ---- */

int vdev_balloon_create(struct hv_vm *vm, struct loop *loop, struct vdev_balloon **out)
{
	struct vdev_balloon *b = calloc(1, sizeof(*b));
	struct vdev_virtio_config config = {
		.type = &balloon_type,
		.vm = vm,
		.loop = loop,
		.name = "balloon",
		.features = FEATURES,
		.queues = QUEUES,
		.queue_max = QUEUE_SIZE,
	};

	if (!b)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its balloon");
	int err = vdev_iothread_create(vm, "balloon", &b->thread);
	if (!err) {
		config.thread = b->thread;
		err = vdev_virtio_init(&b->virtio, &config);
	}
	if (err < 0) {
		vdev_balloon_destroy(b);
		return err;
	}
	*out = b;
	return 0;
}

void vdev_balloon_destroy(struct vdev_balloon *b)
{
	if (!b)
		return;
	vdev_virtio_finish(&b->virtio);
	vdev_iothread_destroy(b->thread);
	free(b);
}

struct vdev_function *vdev_balloon_function(struct vdev_balloon *b)
{
	return &b->virtio.fn;
}

struct vdev_balloon *vdev_balloon_of(struct vdev_function *fn)
{
	struct vdev_virtio *dev = fn ? vdev_virtio_of(fn) : NULL;

	return dev && dev->type == &balloon_type ? balloon_of(dev) : NULL;
}

void vdev_balloon_aim(struct vdev_balloon *b, uint64_t bytes)
{
	b->wanted = (uint32_t)MIN(bytes / PAGE, (uint64_t)UINT32_MAX);
	vdev_virtio_config_changed(&b->virtio);
}

void vdev_balloon_fill_stat(struct vdev_balloon *b, struct vdev_balloon_stat *out)
{
	*out = (struct vdev_balloon_stat){
		.driver = b->virtio.running,
		.wanted = b->wanted * PAGE,
		.actual = b->actual * PAGE,
		.reported = atomic_load_explicit(&b->reported, memory_order_relaxed),
		.numbers = atomic_load(&b->numbers),
		.free = atomic_load(&b->number[VIRTIO_BALLOON_S_MEMFREE]),
		.total = atomic_load(&b->number[VIRTIO_BALLOON_S_MEMTOT]),
		.available = atomic_load(&b->number[VIRTIO_BALLOON_S_AVAIL]),
		.caches = atomic_load(&b->number[VIRTIO_BALLOON_S_CACHES]),
		.major_faults = atomic_load(&b->number[VIRTIO_BALLOON_S_MAJFLT]),
	};
	if (b->virtio.running)
		vdev_iothread_call(b->thread, refresh, b);
}
