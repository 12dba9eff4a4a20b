/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bus: who answers at which address. Private to hv-core; the public half is in hv.h.
 *
 * One sorted array of regions per space, searched by halves. Changes and accesses happen with the
 * device lock held; `lock` only keeps a reader of statistics from walking an array that grows.
 */
#ifndef HV_CORE_BUS_H
#define HV_CORE_BUS_H

#include <pthread.h>
#include <stdatomic.h>

#include "hv-core/hv.h"

#define HV_SPACES 2

struct hv_timing;

struct hv_region {
	enum hv_space space;
	const char *name;
	uint64_t base;
	uint64_t last;
	const struct hv_region_ops *ops;
	void *opaque;
	atomic_uint_fast64_t reads, writes, ns;
};

struct hv_bus_array {
	struct hv_region **regions; /* sorted by base, disjoint */
	size_t count, capacity;
	atomic_uint_fast64_t unclaimed_reads, unclaimed_writes;
};

struct hv_bus {
	struct hv_bus_array space[HV_SPACES];
	pthread_mutex_t lock;
	const struct hv_timing *timing; /* NULL: of no VM */
};

void hv_bus_init(struct hv_bus *bus);
void hv_bus_finish(struct hv_bus *bus); /* also frees the regions that are left */

/* One access of 1, 2, 4 or 8 bytes. */
void hv_bus_read(struct hv_bus *bus, enum hv_space space, uint64_t addr, void *data, unsigned len);
void hv_bus_write(struct hv_bus *bus, enum hv_space space, uint64_t addr, const void *data,
		  unsigned len);

int hv_bus_insert(struct hv_bus *bus, struct hv_region *region); /* -EEXIST, -EINVAL, -ENOMEM */
void hv_bus_erase(struct hv_bus *bus, struct hv_region *region);
int hv_bus_stat(struct hv_bus *bus, struct hv_region_stat **out, size_t *count);

#endif
