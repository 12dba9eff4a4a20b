/* SPDX-License-Identifier: BSD-3-Clause */
/* bus: see bus.h. */
#include "hv-core/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hv-core/vm.h"

/* Written with the device lock held, read without: a plain add made visible. */
static void count_one(atomic_uint_fast64_t *counter)
{
	uint_fast64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

static uint64_t counted(const atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void hv_bus_init(struct hv_bus *bus)
{
	*bus = (struct hv_bus){0};
	pthread_mutex_init(&bus->lock, NULL);
}

void hv_bus_finish(struct hv_bus *bus)
{
	for (size_t s = 0; s < HV_SPACES; s++) {
		struct hv_bus_array *array = &bus->space[s];

		for (size_t i = 0; i < array->count; i++)
			free(array->regions[i]);
		free(array->regions);
		*array = (struct hv_bus_array){0};
	}
	pthread_mutex_destroy(&bus->lock);
}

/* The first region that ends at or after `addr`: the only one which may hold it. */
static size_t lower_bound(const struct hv_bus_array *array, uint64_t addr)
{
	size_t low = 0, high = array->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (array->regions[middle]->last < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct hv_region *find(const struct hv_bus_array *array, uint64_t addr, unsigned len)
{
	size_t i = lower_bound(array, addr);

	if (i == array->count || array->regions[i]->base > addr ||
	    array->regions[i]->last - addr < len - 1)
		return NULL;
	return array->regions[i];
}

/* After its handler: the region counts only if it is still there. */
static void add_time(const struct hv_bus_array *array, struct hv_region *region, uint64_t addr,
		     unsigned len, uint64_t begin)
{
	if (begin && find(array, addr, len) == region)
		hv_timing_add(&region->ns, begin);
}

void hv_bus_read(struct hv_bus *bus, enum hv_space space, uint64_t addr, void *data, unsigned len)
{
	struct hv_bus_array *array = &bus->space[space];
	struct hv_region *region = find(array, addr, len);

	if (!region) {
		count_one(&array->unclaimed_reads);
		memset(data, 0xff, len);
		return;
	}
	uint64_t begin = bus->timing ? hv_timing_begin(bus->timing) : 0;
	count_one(&region->reads); /* before the call, which may remove the region */
	region->ops->read(region->opaque, addr - region->base, data, len);
	add_time(array, region, addr, len, begin);
}

void hv_bus_write(struct hv_bus *bus, enum hv_space space, uint64_t addr, const void *data,
		  unsigned len)
{
	struct hv_bus_array *array = &bus->space[space];
	struct hv_region *region = find(array, addr, len);

	if (!region) {
		count_one(&array->unclaimed_writes);
		return;
	}
	uint64_t begin = bus->timing ? hv_timing_begin(bus->timing) : 0;
	count_one(&region->writes);
	region->ops->write(region->opaque, addr - region->base, data, len);
	add_time(array, region, addr, len, begin);
}

static int grow(struct hv_bus_array *array)
{
	size_t capacity = array->capacity ? array->capacity * 2 : 16;
	struct hv_region **grown;

	if (array->count < array->capacity)
		return 0;
	grown = reallocarray(array->regions, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	array->regions = grown;
	array->capacity = capacity;
	return 0;
}

static int insert(struct hv_bus_array *array, struct hv_region *region)
{
	size_t i = lower_bound(array, region->base);

	if (i < array->count && array->regions[i]->base <= region->last)
		return -EEXIST;
	int rc = grow(array);
	if (rc < 0)
		return rc;
	memmove(&array->regions[i + 1], &array->regions[i],
		(array->count - i) * sizeof(array->regions[0]));
	array->regions[i] = region;
	array->count++;
	return 0;
}

int hv_bus_insert(struct hv_bus *bus, struct hv_region *region)
{
	uint64_t end = region->space == HV_PIO ? UINT16_MAX : UINT64_MAX;

	if (region->last < region->base || region->last > end)
		return -EINVAL;
	pthread_mutex_lock(&bus->lock);
	int rc = insert(&bus->space[region->space], region);
	pthread_mutex_unlock(&bus->lock);
	return rc;
}

void hv_bus_erase(struct hv_bus *bus, struct hv_region *region)
{
	struct hv_bus_array *array = &bus->space[region->space];

	pthread_mutex_lock(&bus->lock);
	size_t i = lower_bound(array, region->base);
	if (i < array->count && array->regions[i] == region) {
		array->count--;
		memmove(&array->regions[i], &array->regions[i + 1],
			(array->count - i) * sizeof(array->regions[0]));
	}
	pthread_mutex_unlock(&bus->lock);
}

static struct hv_region_stat *stat_space(const struct hv_bus_array *array, enum hv_space space,
					 struct hv_region_stat *row)
{
	for (size_t i = 0; i < array->count; i++) {
		const struct hv_region *region = array->regions[i];

		*row++ = (struct hv_region_stat){
			.name = region->name,
			.space = space,
			.base = region->base,
			.size = region->last - region->base + 1,
			.reads = counted(&region->reads),
			.writes = counted(&region->writes),
			.ns = counted(&region->ns),
		};
	}
	*row++ = (struct hv_region_stat){
		.name = "unclaimed",
		.space = space,
		.reads = counted(&array->unclaimed_reads),
		.writes = counted(&array->unclaimed_writes),
	};
	return row;
}

int hv_bus_stat(struct hv_bus *bus, struct hv_region_stat **out, size_t *count)
{
	int rc = -ENOMEM;

	pthread_mutex_lock(&bus->lock);
	size_t rows = bus->space[HV_PIO].count + bus->space[HV_MMIO].count + HV_SPACES;
	struct hv_region_stat *row = calloc(rows, sizeof(*row));
	if (row) {
		struct hv_region_stat *next = stat_space(&bus->space[HV_PIO], HV_PIO, row);

		stat_space(&bus->space[HV_MMIO], HV_MMIO, next);
		*out = row;
		*count = rows;
		rc = 0;
	}
	pthread_mutex_unlock(&bus->lock);
	return rc;
}

/* ---- hv.h ---- */

int hv_bus_add(struct hv_vm *vm, enum hv_space space, const char *name, uint64_t base,
	       uint64_t size, const struct hv_region_ops *ops, void *opaque, struct hv_region **out)
{
	struct hv_region *region;

	if (size == 0 || base + (size - 1) < base)
		return -EINVAL;
	region = calloc(1, sizeof(*region));
	if (!region)
		return -ENOMEM;
	*region = (struct hv_region){
		.space = space,
		.name = name,
		.base = base,
		.last = base + (size - 1),
		.ops = ops,
		.opaque = opaque,
	};
	int rc = hv_bus_insert(&vm->bus, region);
	if (rc < 0)
		free(region);
	else
		*out = region;
	return rc;
}

void hv_bus_remove(struct hv_vm *vm, struct hv_region *region)
{
	if (!region)
		return;
	hv_bus_erase(&vm->bus, region);
	free(region);
}
