/* SPDX-License-Identifier: BSD-3-Clause */
/* virtq_ring: what differs between split and packed rings; private to virtq*.c. */
#ifndef VDEV_VIRTQ_RING_H
#define VDEV_VIRTQ_RING_H

#include "vdev/virtq.h"

/* A descriptor as both layouts have it, copied out of guest memory once (2.7.5, 2.8.13). */
struct vdev_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags; /* split; packed keeps `id` here */
	uint16_t next;	/* split; packed keeps `flags` here */
};
_Static_assert(sizeof(struct vdev_desc) == 16, "virtq_desc, pvirtq_desc");

/* A chain on its way into iovecs. */
struct vdev_walk {
	struct vdev_virtq *q;
	struct iovec *iov;
	unsigned max, used;
	struct vdev_virtq_chain *chain;
};

struct vdev_ring_ops {
	/* Bytes of the three areas, and what their addresses must be aligned to (2.7, 2.8). */
	void (*sizes)(const struct vdev_virtq *q, uint64_t size[3]);
	unsigned align[3];
	bool (*pending)(const struct vdev_virtq *q);
	/* 1, 0 or -EIO as vdev_virtq_pop; nothing is consumed unless 1. */
	int (*take)(struct vdev_walk *walk);
	void (*untake)(struct vdev_virtq *q, const struct vdev_virtq_chain *chain);
	void (*fill)(struct vdev_virtq *q, const struct vdev_virtq_chain *chain, uint32_t written);
	void (*flush)(struct vdev_virtq *q);
	/* The driver wants an interrupt for the last q->unsignalled slots. */
	bool (*wanted)(const struct vdev_virtq *q);
	void (*kick_off)(struct vdev_virtq *q);
	void (*kick_on)(struct vdev_virtq *q);
};

extern const struct vdev_ring_ops vdev_ring_split, vdev_ring_packed;

/* Breaks the queue; always -EIO. */
int vdev_ring_broken(struct vdev_virtq *q, const char *why);
/* One buffer of a chain; -EIO when it breaks a rule. */
int vdev_walk_add(struct vdev_walk *walk, uint64_t addr, uint32_t len, bool writable);
/* A table of descriptors elsewhere in memory (2.7.5.3, 2.8.7). */
int vdev_walk_indirect(struct vdev_walk *walk, uint64_t addr, uint32_t len);

#endif
