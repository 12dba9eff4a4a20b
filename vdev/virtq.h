/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtq: one virtqueue, the device's side (virtio 1.2, 2.6 to 2.8).
 *
 * A driver puts *chains* of buffers into a ring in guest memory; the device takes them, fills or
 * reads them, and gives them back. Both layouts are offered, split (2.7) and packed (2.8), with
 * indirect descriptors and event suppression by index. Who uses a queue looks like this, always on
 * the same thread:
 *
 *     do {
 *             vdev_virtq_kick_off(q);
 *             while (vdev_virtq_pop(q, iov, ARRAY_SIZE(iov), &chain) > 0) {
 *                     … move data between chain.in, chain.out …
 *                     vdev_virtq_push(q, &chain, bytes_written);
 *             }
 *             vdev_virtq_notify(q);
 *     } while (vdev_virtq_kick_on(q));
 *
 * The guest is hostile: everything in the ring is read once and checked, and may change at any
 * time. What breaks the rules *breaks the queue*: it is logged once, the device asks for a reset
 * (DEVICE_NEEDS_RESET), and pop says -EIO from then on. Nothing else happens to anybody.
 */
#ifndef VDEV_VIRTQ_H
#define VDEV_VIRTQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/state.h"
#include "hv-core/hv.h"

#define VDEV_VIRTQ_MAX 1024u /* descriptors; the specification allows 32768 */

/* Where a chain may be cut: every descriptor is one part, and one more for each border between two
 * RAM blocks. With this many iovecs nothing that a driver may do is refused. */
#define VDEV_VIRTQ_IOVS(size) ((size) + 4u)

struct vdev_virtq_stat {
	atomic_uint_fast64_t kicks;	 /* the driver told us */
	atomic_uint_fast64_t chains;	 /* taken */
	atomic_uint_fast64_t interrupts; /* we told the driver */
	atomic_uint_fast64_t suppressed; /* … or it had asked not to be */
};

struct vdev_virtq {
	/* who it belongs to */
	const struct hv_vm *vm;
	const char *name; /* "disk vda": for messages */
	unsigned index;
	void (*broken)(void *opaque); /* called once, on the queue's thread */
	void *opaque;

	/* what the driver set up; does not change while the queue runs */
	uint16_t size;			  /* split: a power of two */
	uint64_t desc, driver, device;	  /* guest addresses of the three areas (2.6) */
	bool packed, event_idx, indirect; /* as negotiated */

	/* the areas, while it runs */
	void *desc_area, *driver_area, *device_area;
	uint16_t next_avail, next_used; /* split: free running; packed: position in the ring */
	bool avail_wrap, used_wrap;	/* packed: wrap counters, 2.8.1 */
	uint32_t in_flight; /* descriptors (packed) or chains (split) taken and not given back */
	uint32_t filled;    /* slots given back, not yet shown to the driver */
	uint32_t first_written; /* packed: bytes of the first of them */
	uint32_t unsignalled;	/* slots shown to it since the last notify */
	bool kicks_off;
	bool is_broken;
	bool complained; /* a guest could make us complain without end */

	/* Eventfd that interrupts the guest, or -1; the transport may change it at any time. */
	atomic_int call_fd;
	struct vdev_virtq_stat stat;
};

struct vdev_virtq_chain {
	uint16_t id;	   /* head index (split), buffer id (packed) */
	uint16_t ndescs;   /* slots of the ring it takes (packed); 1 (split) */
	struct iovec *out; /* device-readable: the driver's words, first */
	unsigned outs;
	struct iovec *in; /* device-writable: room for our answer */
	unsigned ins;
	uint64_t out_len, in_len; /* bytes in each; together below 2^32 */
};

/* The size fits the layout and `max`: split rings have a power of two (2.7, 2.8). */
bool vdev_virtq_size_valid(const struct vdev_virtq *q, unsigned max);
/* Finds the areas in guest memory and goes on where the queue is: after a reset at its begin, or
 * where load or the last stop left it. -EFAULT, logged: an area does not lie in RAM. */
int vdev_virtq_start(struct vdev_virtq *q);
/* As after a reset: not set up. The eventfd and the counters stay. */
void vdev_virtq_reset(struct vdev_virtq *q);

/* 1: *chain is the next one, its parts lie in iov. 0: there is none. -EIO: the queue is broken,
 * also when the chain has more than `max` parts. */
int vdev_virtq_pop(struct vdev_virtq *q, struct iovec *iov, unsigned max,
		   struct vdev_virtq_chain *chain);
/* Undoes the last pop: the next one finds the same chain. */
void vdev_virtq_unpop(struct vdev_virtq *q, const struct vdev_virtq_chain *chain);

/* Gives a chain back with `written` bytes in its device-writable part; in any order. */
void vdev_virtq_push(struct vdev_virtq *q, const struct vdev_virtq_chain *chain, uint32_t written);
/* The same in two steps, for what must appear to the driver all at once (a frame in several
 * buffers, 5.1.6.4): any number of fills, then one flush. */
void vdev_virtq_fill(struct vdev_virtq *q, const struct vdev_virtq_chain *chain, uint32_t written);
void vdev_virtq_flush(struct vdev_virtq *q);
/* Interrupts the driver if something was given back since the last time and it wants to know. */
void vdev_virtq_notify(struct vdev_virtq *q);

/* Asks the driver not to kick / to kick. After kick_on: true when there are chains which came too
 * early for a kick. */
void vdev_virtq_kick_off(struct vdev_virtq *q);
bool vdev_virtq_kick_on(struct vdev_virtq *q);
/* There is something to pop. */
bool vdev_virtq_pending(const struct vdev_virtq *q);

/* For a device that finds the driver's words wrong beyond repair (a request without a header). */
void vdev_virtq_break(struct vdev_virtq *q, const char *why);

/* Addresses, size and positions, while nothing is in flight. What load takes is not checked before
 * vdev_virtq_start. */
void vdev_virtq_save(const struct vdev_virtq *q, struct state *s);
void vdev_virtq_load(struct vdev_virtq *q, struct state *s);

/* ---- moving bytes ---- */

size_t vdev_iov_len(const struct iovec *iov, unsigned count);
/* Up to `len` bytes from/to `offset` on; returns how many there were. */
size_t vdev_iov_read(const struct iovec *iov, unsigned count, size_t offset, void *to, size_t len);
size_t vdev_iov_write(const struct iovec *iov, unsigned count, size_t offset, const void *from,
		      size_t len);
/* Cuts `len` bytes off the front, in place. */
void vdev_iov_skip(struct iovec **iov, unsigned *count, size_t len);

#endif
