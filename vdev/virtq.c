/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtq: see virtq.h. Here is what both ring layouts share: buffers become iovecs, rules are
 * checked, interrupts are sent. The layouts are virtq_split.c and virtq_packed.c.
 */
#include "vdev/virtq.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/virtq_ring.h"

static const struct vdev_ring_ops *ring(const struct vdev_virtq *q)
{
	return q->packed ? &vdev_ring_packed : &vdev_ring_split;
}

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- life ---- */

static void *find_area(struct vdev_virtq *q, uint64_t gpa, uint64_t size, unsigned align,
		       const char *what)
{
	void *hva = IS_ALIGNED(gpa, align) ? hv_mem_ptr(q->vm, gpa, size) : NULL;

	if (!hva && !q->complained)
		log_warn(q->name, "queue %u: its %s area at 0x%llx does not lie in RAM", q->index,
			 what, (unsigned long long)gpa);
	q->complained |= !hva;
	return hva;
}

bool vdev_virtq_size_valid(const struct vdev_virtq *q, unsigned max)
{
	return q->size && q->size <= max && (q->packed || !(q->size & (q->size - 1)));
}

/* Of a loaded state, which may be anything. */
static bool positions_valid(const struct vdev_virtq *q)
{
	return !q->packed || (q->next_avail < q->size && q->next_used < q->size);
}

int vdev_virtq_start(struct vdev_virtq *q)
{
	uint64_t size[3];
	const unsigned *align = ring(q)->align;

	if (!vdev_virtq_size_valid(q, VDEV_VIRTQ_MAX) || !positions_valid(q))
		return log_fail(-EINVAL, q->name, "queue %u: its saved position is none", q->index);
	ring(q)->sizes(q, size);
	q->desc_area = find_area(q, q->desc, size[0], align[0], "descriptor");
	q->driver_area = find_area(q, q->driver, size[1], align[1], "driver");
	q->device_area = find_area(q, q->device, size[2], align[2], "device");
	q->kicks_off = false;
	return q->desc_area && q->driver_area && q->device_area ? 0 : -EFAULT;
}

void vdev_virtq_reset(struct vdev_virtq *q)
{
	q->size = 0;
	q->desc = q->driver = q->device = 0;
	q->packed = q->event_idx = q->indirect = false;
	q->desc_area = q->driver_area = q->device_area = NULL;
	q->next_avail = q->next_used = 0;
	q->avail_wrap = q->used_wrap = true; /* 2.8.1 */
	q->in_flight = q->filled = q->unsignalled = 0;
	q->kicks_off = q->is_broken = false;
}

int vdev_ring_broken(struct vdev_virtq *q, const char *why)
{
	if (!q->complained)
		log_warn(q->name, "queue %u is broken by the guest: %s; it must reset the device",
			 q->index, why);
	q->complained = true;
	if (!q->is_broken && q->broken)
		q->broken(q->opaque);
	q->is_broken = true;
	return -EIO;
}

void vdev_virtq_break(struct vdev_virtq *q, const char *why)
{
	vdev_ring_broken(q, why);
}

void vdev_virtq_save(const struct vdev_virtq *q, struct state *s)
{
	state_put(s, "size", q->size);
	state_put(s, "desc", q->desc);
	state_put(s, "driver", q->driver);
	state_put(s, "device", q->device);
	state_put(s, "next_avail", q->next_avail);
	state_put(s, "next_used", q->next_used);
	state_put(s, "avail_wrap", q->avail_wrap);
	state_put(s, "used_wrap", q->used_wrap);
}

void vdev_virtq_load(struct vdev_virtq *q, struct state *s)
{
	q->size = (uint16_t)state_take(s, "size", VDEV_VIRTQ_MAX);
	q->desc = state_take(s, "desc", UINT64_MAX);
	q->driver = state_take(s, "driver", UINT64_MAX);
	q->device = state_take(s, "device", UINT64_MAX);
	q->next_avail = (uint16_t)state_take(s, "next_avail", UINT16_MAX);
	q->next_used = (uint16_t)state_take(s, "next_used", UINT16_MAX);
	q->avail_wrap = state_take(s, "avail_wrap", 1);
	q->used_wrap = state_take(s, "used_wrap", 1);
}

/* ---- a chain becomes iovecs ---- */

/* The longest piece from `gpa` on that lies in one RAM block; 0: none. */
static uint64_t piece(const struct vdev_virtq *q, uint64_t gpa, uint64_t len, void **hva)
{
	const struct hv_ram_block *blocks;
	size_t n = hv_mem_blocks(q->vm, &blocks);

	for (size_t i = 0; i < n; i++) {
		const struct hv_ram_block *b = &blocks[i];

		if (gpa < b->gpa || gpa - b->gpa >= b->size)
			continue;
		*hva = (uint8_t *)b->hva + (gpa - b->gpa);
		len = MIN(len, b->size - (gpa - b->gpa));
		return b->grows && !hv_mem_there(q->vm, gpa, len) ? 0 : len;
	}
	return 0;
}

static int add_piece(struct vdev_walk *w, void *hva, uint64_t len, bool writable)
{
	struct vdev_virtq_chain *c = w->chain;

	if (w->used == w->max)
		return vdev_ring_broken(w->q, "a chain has too many buffers");
	w->iov[w->used++] = (struct iovec){.iov_base = hva, .iov_len = (size_t)len};
	if (writable) {
		c->ins++;
		c->in_len += len;
	} else {
		c->outs++;
		c->out_len += len;
	}
	return 0;
}

int vdev_walk_add(struct vdev_walk *w, uint64_t addr, uint32_t len, bool writable)
{
	struct vdev_virtq_chain *c = w->chain;
	uint64_t left = len;
	int err = 0;

	if (!len)
		return vdev_ring_broken(w->q, "a buffer of no bytes");
	if (!writable && c->ins) /* 2.7.4.2, 2.8.5 */
		return vdev_ring_broken(w->q, "a readable buffer after a writable one");
	if (c->out_len + c->in_len + len > UINT32_MAX) /* 2.7.5.2: 2^32 bytes in all */
		return vdev_ring_broken(w->q, "a chain is longer than 4 GiB");
	while (left && !err) {
		void *hva;
		uint64_t n = piece(w->q, addr, left, &hva);

		if (!n)
			return vdev_ring_broken(w->q, "a buffer does not lie in RAM");
		err = add_piece(w, hva, n, writable);
		addr += n;
		left -= n;
	}
	return err;
}

/* In a packed ring the entries stand in order and only say whether they are writable (2.8.7); in a
 * split ring they form a chain (2.7.5.3.1). */
int vdev_walk_indirect(struct vdev_walk *w, uint64_t addr, uint32_t len)
{
	uint32_t entries = len / (uint32_t)sizeof(struct vdev_desc), i = 0, seen = 0;
	bool packed = w->q->packed, more = true;

	if (!w->q->indirect)
		return vdev_ring_broken(w->q, "an indirect descriptor, which was not negotiated");
	if (!entries || len % sizeof(struct vdev_desc))
		return vdev_ring_broken(w->q, "an indirect table of a broken size");
	while (more) {
		struct vdev_desc d;

		if (i >= entries || seen++ == entries)
			return vdev_ring_broken(w->q, "an indirect table leads out of itself");
		if (hv_mem_read(w->q->vm, addr + UINT64_C(16) * i, &d, sizeof(d)) < 0)
			return vdev_ring_broken(w->q, "an indirect table does not lie in RAM");
		uint16_t flags = packed ? d.next : d.flags;
		if (flags & VRING_DESC_F_INDIRECT)
			return vdev_ring_broken(w->q, "an indirect table inside another");
		int err = vdev_walk_add(w, d.addr, d.len, flags & VRING_DESC_F_WRITE);
		if (err < 0)
			return err;
		more = packed ? ++i < entries : (flags & VRING_DESC_F_NEXT) != 0;
		if (!packed)
			i = d.next;
	}
	return 0;
}

/* ---- taking and giving back ---- */

int vdev_virtq_pop(struct vdev_virtq *q, struct iovec *iov, unsigned max,
		   struct vdev_virtq_chain *chain)
{
	struct vdev_walk walk = {.q = q, .iov = iov, .max = max, .chain = chain};

	if (q->is_broken)
		return -EIO;
	*chain = (struct vdev_virtq_chain){0};
	int rc = ring(q)->take(&walk);
	if (rc <= 0)
		return rc;
	chain->out = iov;
	chain->in = iov + chain->outs;
	count(&q->stat.chains, 1);
	return 1;
}

void vdev_virtq_unpop(struct vdev_virtq *q, const struct vdev_virtq_chain *chain)
{
	ring(q)->untake(q, chain);
	atomic_fetch_sub_explicit(&q->stat.chains, 1, memory_order_relaxed);
}

void vdev_virtq_fill(struct vdev_virtq *q, const struct vdev_virtq_chain *chain, uint32_t written)
{
	ring(q)->fill(q, chain, written);
}

void vdev_virtq_flush(struct vdev_virtq *q)
{
	if (!q->filled)
		return;
	ring(q)->flush(q);
	q->unsignalled += q->filled;
	q->filled = 0;
}

void vdev_virtq_push(struct vdev_virtq *q, const struct vdev_virtq_chain *chain, uint32_t written)
{
	vdev_virtq_fill(q, chain, written);
	vdev_virtq_flush(q);
}

void vdev_virtq_notify(struct vdev_virtq *q)
{
	int fd = atomic_load_explicit(&q->call_fd, memory_order_relaxed);
	uint64_t one = 1;

	if (!q->unsignalled)
		return;
	/* What was given back must be visible before we look whether the driver sleeps; pairs with
	 * the driver's barrier between its wish for interrupts and its last look at the ring. */
	atomic_thread_fence(memory_order_seq_cst);
	bool wanted = q->unsignalled > UINT16_MAX || ring(q)->wanted(q);
	q->unsignalled = 0;
	if (!wanted || fd < 0) {
		count(&q->stat.suppressed, 1);
		return;
	}
	ssize_t n = write(fd, &one, sizeof(one));
	(void)n; /* full means that an interrupt is pending anyway */
	count(&q->stat.interrupts, 1);
}

/* ---- kicks ---- */

void vdev_virtq_kick_off(struct vdev_virtq *q)
{
	if (!q->kicks_off)
		ring(q)->kick_off(q);
	q->kicks_off = true;
}

bool vdev_virtq_kick_on(struct vdev_virtq *q)
{
	if (q->is_broken)
		return false;
	q->kicks_off = false;
	ring(q)->kick_on(q);
	/* The wish must be visible before we look; pairs with the driver's barrier between making a
	 * chain available and reading our wish. */
	atomic_thread_fence(memory_order_seq_cst);
	return ring(q)->pending(q);
}

bool vdev_virtq_pending(const struct vdev_virtq *q)
{
	return !q->is_broken && ring(q)->pending(q);
}

/* ---- moving bytes ---- */

size_t vdev_iov_len(const struct iovec *iov, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

static size_t copy(const struct iovec *iov, unsigned n, size_t offset, uint8_t *flat, size_t len,
		   bool to_guest)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		uint8_t *at = (uint8_t *)iov[i].iov_base + offset;
		size_t part = MIN(iov[i].iov_len - offset, len - done);

		if (to_guest)
			memcpy(at, flat + done, part);
		else
			memcpy(flat + done, at, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t vdev_iov_read(const struct iovec *iov, unsigned n, size_t offset, void *to, size_t len)
{
	return copy(iov, n, offset, to, len, false);
}

size_t vdev_iov_write(const struct iovec *iov, unsigned n, size_t offset, const void *from,
		      size_t len)
{
	return copy(iov, n, offset, (uint8_t *)(uintptr_t)from, len, true);
}

void vdev_iov_skip(struct iovec **iov, unsigned *n, size_t len)
{
	while (*n && len >= (*iov)->iov_len) {
		len -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (!*n)
		return;
	(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + len;
	(*iov)->iov_len -= len;
}
